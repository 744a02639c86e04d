"""What a read-only server does with HTTP requests that change something."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from tests.support.stock_peers import StockPoll, StockSocket

Serve = Callable[..., LocalServer]

TEXT = {"data": [{"type": "text", "content": "new"}], "win": "new"}
EMBEDDING = {"type": "embedding", "x": 0, "y": 0, "z": 0, "phase": "train", "predicted": 1, "cluster": 1}
WRITES: list[tuple[str, Any]] = [
    ("/events", TEXT),
    ("/update", {**TEXT, "win": "w", "append": True}),
    ("/close", {"win": "w"}),
    ("/close", {"win": None}),
    ("/env/other", {"eid": "other"}),
    ("/env/main", {"sid": "x", "eid": "other"}),
    ("/win_data", {"win": None, "data": "{}"}),
    ("/win_data", {"win": "w", "data": '{"id": "w"}'}),
    ("/win_data", {"win": "w", "eid": "other", "data": None}),
    ("/save", {"data": ["main"]}),
    ("/fork_env", {"prev_eid": "main", "eid": "other"}),
    ("/delete_env", {"eid": "main"}),
    ("/embedding", EMBEDDING),
    ("/transport/publish", {"producer": "p", "first": 1, "messages": [{"endpoint": "events", "body": TEXT}]}),
    ("/upload_env", {}),
    ("/experiments/log", {"name": "x"}),
    ("/a_route_of_tomorrow", {}),
]


def held(server: LocalServer) -> Any:
    return server.windows(), server.run(lambda: sorted(server.app.state)), sorted(server.app.env_path and _files(server))


def _files(server: LocalServer) -> list[str]:
    assert server.env_path is not None
    return [path.name for path in server.env_path.glob("*.json")]


def filled(serve: Serve, **settings: Any) -> LocalServer:
    """A server with a window, made by a publisher before it is read only."""
    server = serve(settings=settings)
    server.text("w", "old")
    server.run(lambda: setattr(server.app, "readonly", True))
    return server


@pytest.mark.parametrize(("path", "body"), WRITES, ids=[f"{path} {json.dumps(body)[:40]}" for path, body in WRITES])
def test_what_changes_something_is_refused_when_the_setting_says_so(serve: Serve, records: Records, path: str, body: Any) -> None:
    records.expect("403 POST")
    server = filled(serve, readonly_http="refuse")
    before = held(server)
    answer = server.post(path, body)
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert error["code"] == "readonly"
    assert "VISDOM_TRANSPORT_READONLY_HTTP" in error["message"]
    assert held(server) == before
    assert server.status()["totals"]["refused_writes"] == 1


def test_readers_notice_nothing(serve: Serve) -> None:
    server = filled(serve, readonly_http="refuse")
    assert server.post("/win_data", {"win": "w"}).json()["content"] == "old"
    assert server.post("/win_exists", {"win": "w"}).text == "true"
    assert server.post("/env_state", {}).json() == ["main"]
    assert server.post("/env/main", {"eid": "main"}).status_code == 200, "as Visdom's client does at its start"
    if not NEW_VISDOM:
        assert len(server.post("/win_hash", {"win": "w"}).text) == 32
    with StockSocket(server) as page:
        page.register()
        assert [message["command"] for message in page.load("main")] == ["reload", "window", "layout"]
    assert StockPoll(server).query()
    with OwnSocket(server, "env/main") as client:
        client.converge()
        assert client.command(1, cmd="close", eid="main", data="w")["error"]["code"] == "readonly"
    assert server.status()["totals"]["refused_writes"] == 0


def test_a_body_that_is_no_object_is_left_to_the_handler(serve: Serve, records: Records) -> None:
    records.expect("400 POST /win_data")
    server = filled(serve, readonly_http="refuse")
    before = held(server)
    for body in ("[", "[1]", "[" * 100_000):
        assert server.http.post(server.url("/win_data"), data=body, timeout=20).status_code == 400
    assert held(server) == before


def test_visdom_allows_them_and_so_do_we_without_the_setting(serve: Serve) -> None:
    server = filled(serve)
    assert server.post("/events", TEXT).text == "new"
    assert server.post("/transport/publish", {"producer": "p", "first": 1, "messages": []}).status_code == 200


def test_a_server_that_is_not_read_only_is_not_concerned(serve: Serve) -> None:
    server = serve(settings={"readonly_http": "refuse"})
    assert server.post("/events", TEXT).text == "new"
