"""Programs test what Visdom's client returns with `if`, and use it as a window's id: a refusal leaves nothing there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from visdom import Visdom

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.records import Records
from visdom_transport.core.signature import REFUSAL_HEADER

Serve = Callable[..., LocalServer]

LINES = {"type": "scatter", "x": [1], "y": [1]}

REFUSED = [
    ("/win_data", {"win": "nothing", "eid": "main"}),
    ("/win_data", {"win": "nothing", "eid": "nothing"}),
    ("/win_data", {"win": None, "eid": "nothing"}),
    ("/win_data", {"win": [], "eid": "main"}),
    ("/win_data", {"win": None, "eid": "main", "data": "{"}),
    ("/win_exists", {"win": [], "eid": "main"}),
    ("/events", {"win": "new", "eid": "main", "data": []}),
    ("/events", {"win": "new", "eid": "main", "data": [LINES]}),
    ("/update", {"win": "two", "eid": "main", "data": [LINES], "append": True, "layout": {}}),
    ("/update", {"win": "two", "eid": "main", "data": [LINES], "name": "1", "opts": {"legend": "ab"}}),
    ("/close", {"win": [], "eid": "main"}),
    ("/save", {"data": "main"}),
    ("/fork_env", {"prev_eid": "nothing", "eid": "new"}),
    ("/delete_env", {"eid": []}),
    *([] if NEW_VISDOM else [("/win_hash", {"win": "nothing", "eid": "nothing"})]),
    *([("/experiments/log", {"action": "dance", "eid": "main"})] if NEW_VISDOM else []),
]


@pytest.fixture(autouse=True)
def _expected(records: Records) -> None:
    records.ignore(r"tornado|visdom|ERROR|rendering")


@pytest.fixture
def server(server: LocalServer) -> LocalServer:
    server.post("/events", {"win": "two", "eid": "main", "data": [LINES, LINES], "layout": {}}).raise_for_status()
    return server


@pytest.mark.parametrize("base_url", ["", "/vis"])
@pytest.mark.parametrize(("path", "body"), REFUSED)
def test_a_refusal_has_no_text_for_visdoms_client(serve: Serve, path: str, body: Any, base_url: str) -> None:
    server = serve(base_url=base_url)
    server.post("/events", {"win": "two", "eid": "main", "data": [LINES, LINES], "layout": {}}).raise_for_status()
    # As it posts: without a type.
    answer = requests.post(server.url(path), data=json.dumps(body), timeout=10)
    assert (answer.status_code >= 400, answer.text) == (True, "")
    told = server.post(path, body)
    assert told.status_code == answer.status_code
    if "html" in told.headers["Content-Type"]:
        return
    reason = json.loads(answer.headers[REFUSAL_HEADER])
    if told.headers["Content-Type"] == "application/json":
        assert told.json()["error"] == reason
    else:
        assert told.text == reason


@pytest.mark.parametrize(
    "how", [{"json": {"win": "none"}}, {"data": '{"win": "none"}', "headers": {"Accept": "application/json"}}]
)
def test_who_posts_json_as_such_or_asks_for_it_is_told_in_the_text(server: LocalServer, how: dict[str, Any]) -> None:
    answer = requests.post(server.url("/win_data"), timeout=10, **how)
    assert (answer.status_code, answer.text) == (404, "no window 'none' in environment 'main'")
    assert REFUSAL_HEADER not in answer.headers


def test_a_reason_is_a_short_header_in_ascii(server: LocalServer) -> None:
    body = json.dumps({"win": "\r\nSet-Cookie: a=b \u00e9" * 100, "eid": "main"})
    answer = requests.post(server.url("/win_data"), data=body, timeout=10)
    assert (answer.status_code, answer.text) == (404, "")
    assert len(answer.headers[REFUSAL_HEADER]) <= 500
    assert "Set-Cookie" not in answer.headers


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 does not ask for one environment")
def test_the_error_that_visdoms_client_reads_stays_one(server: LocalServer) -> None:
    answer = requests.post(server.url("/env_state"), data=json.dumps({"eid": "nothing"}), timeout=10)
    assert (answer.status_code, "error" in answer.json()) == (404, True)
    assert visdom_of(server).get_env_state("nothing") is None


def visdom_of(server: LocalServer) -> Any:
    return Visdom(server="http://127.0.0.1", port=server.port, use_incoming_socket=False, raise_exceptions=False)


@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
def test_programs_that_test_answers_make_their_windows(server: LocalServer) -> None:
    vis = visdom_of(server)
    assert not vis.get_window_data(win="nothing")
    assert not vis.get_window_data(win="nothing", env="nothing")
    win = "two"
    for x in range(3):
        win = vis.line(X=[x], Y=[x], win=win, update="append" if win else None)
    assert not any("error" in each for each in server.windows())
    vis.session.close()
