"""Every reply of a server says which server gives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import requests

from tests.support.local import LocalServer
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.server import VisdomServer
from visdom_transport.core.signature import SERVER_HEADER

Serve = Callable[..., LocalServer]


def test_every_reply_is_signed_with_the_id_of_the_server(serve: Serve, records: Records) -> None:
    records.ignore("tornado|visdom_transport|ERROR")
    server = serve(settings={"max_body_bytes": 1_000, "allowed_hosts": "vis.example"})
    server_id = server.status()["server"]
    hello = {"link": None, "secret": None, "wait_s": 0, "feeds": {}, "messages": []}
    answers = {
        "a page": server.get("/"),
        "a static file": server.get("/static/js/main.js"),
        "a file that is not there": server.get("/static/none"),
        "a window": server.post("/events", {"win": "w", "data": [{"type": "text", "content": "t"}]}),
        "a refusal": server.post("/events", {}),
        "a window that is not there": server.post("/win_data", {"win": "none"}),
        "nothing to say": server.post("/close", {"win": "w"}),
        "publishing": server.post("/transport/publish", {"producer": "p", "first": 1, "messages": []}),
        "a poll": server.post("/transport/poll", hello),
        "a wrong method": server.http.put(server.url("/events"), timeout=20),
        "too much": server.post("/events", {"win": "w" * 2_000}),
        "another host": server.http.get(server.url(), headers={"Host": "evil.example"}, timeout=20),
        "another origin": server.http.post(server.url("/save"), headers={"Origin": "http://evil.example"}, timeout=20),
    }
    assert {name for name, answer in answers.items() if answer.headers.get(SERVER_HEADER) != server_id} == set()
    statuses = {answer.status_code for answer in answers.values()}
    assert {200, 400, 403, 404, 405, 413} <= statuses, statuses


def test_a_login_that_is_asked_for_is_signed(serve: Serve, records: Records) -> None:
    records.ignore("tornado|visdom_transport|ERROR")
    server = serve(login=ADA)
    for path in ("/win_exists", "/transport/status", "/transport/publish"):
        assert SERVER_HEADER in requests.post(server.url(path), data="{}", timeout=20).headers, path


def test_each_process_has_an_id_of_its_own(tmp_path: Path) -> None:
    with VisdomServer(tmp_path) as server:
        first = server.get("/").headers[SERVER_HEADER]
        assert server.get("/").headers[SERVER_HEADER] == first
        server.restart(keep_state=True)
        assert server.get("/").headers[SERVER_HEADER] != first
