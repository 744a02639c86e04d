"""What opens the server is in no URL and in no log line, at no level, whatever goes wrong."""

from __future__ import annotations

import json
import logging
import urllib.parse
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import requests

from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.raw import RawSocket
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.stock_peers import StockPoll, StockSocket
from visdom_transport.operators.log_format import JsonFormatter

Serve = Callable[..., LocalServer]

PAYLOAD = "what-only-the-window-knows"
TOKEN = "a-bearer-token"


def use_everything(server: LocalServer) -> set[str]:
    """Every kind of client, each also doing something wrong. Returns the secrets that were in use."""
    server.text("w", PAYLOAD)
    server.append("w", 1.0, 2.0)
    server.post("/update", {"win": "w", "data": [{"type": "text", "content": PAYLOAD}], "append": True})
    server.post("/events", {"data": PAYLOAD})
    server.http.post(server.url("/events"), data=f"{{{PAYLOAD}", timeout=20)
    server.http.post(server.url("/win_data"), data=f"[{PAYLOAD}", timeout=20)
    server.post("/embedding", {"type": PAYLOAD})
    body = {"data": [{"type": "text", "content": PAYLOAD}], "win": 7}
    server.post("/transport/publish", {"producer": "p" * 20, "first": 1, "messages": [{"endpoint": "events", "body": body}]})
    secrets: set[str] = set()
    with OwnSocket(server, "env/main") as client:
        secrets.add(client.welcome["secret"])
        client.converge()
        client.command(1, cmd="save", data=PAYLOAD, eid="main")
        client.command(2, cmd="forward_to_vis", data={"eid": "main", "target": "w", "event_type": "KeyPress", "key": PAYLOAD})
        client.send_text(f'{{"type": {PAYLOAD}')
        with mock.patch.dict(server.app.transport.commands._actions, close=lambda session, command: 1 / 0):
            client.command(3, cmd="close", data=PAYLOAD, eid="main")
        client.command(4, cmd="dance", data=PAYLOAD)
        client.connection.send_binary(PAYLOAD.encode())
    with OwnSocket(server, hello={}) as stranger:
        stranger.send({"type": "hello", "role": "browser", "session": client.welcome["session"], "secret": "a-wrong-secret"})
        assert stranger.expect_close() == 4051
    poll = OwnPoll(server, "env/main")
    secrets.add(poll.welcome["secret"])
    poll.send({"type": "command", "id": 1, "command": {"cmd": "save_layouts", "data": PAYLOAD}})
    poll.request("/transport/poll", {**poll.body(0), "secret": "a-wrong-secret"})
    poll.request("/transport/send", {**poll.body(0), "messages": PAYLOAD})
    with StockSocket(server) as page, RawSocket(server, "/vis_socket") as source:
        page.register()
        page.send({"cmd": "close", "data": PAYLOAD, "eid": "nowhere"})
        page.send({"cmd": "save", "data": {"w": PAYLOAD}, "prev_eid": "main", "eid": "main"})
        source.send({"cmd": "echo", "data": PAYLOAD})
        page.send_text(f"{{{PAYLOAD}")
    StockPoll(server).send(cmd="save_layouts", data=PAYLOAD)
    for path in ("/transport/status", "/transport/readyz?verbose", "/static/nothing"):
        server.http.get(server.url(path), headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
    cookie = server.http.cookies["user_password"]
    server.post("/transport/logout", {})
    server.post("/", {"username": "ada", "password": "wrong" + ADA.digest})
    return secrets | {"a-wrong-secret", cookie, cookie.split("|")[-1], ADA.password, ADA.digest, PAYLOAD, TOKEN}


def json_handler() -> logging.Handler:
    handler = logging.NullHandler()
    handler.setFormatter(JsonFormatter())
    return handler


def test_nothing_that_opens_the_server_is_logged(serve: Serve, records: Records, caplog: pytest.LogCaptureFixture) -> None:
    records.ignore(".")
    caplog.set_level(logging.DEBUG)
    server = serve(login=ADA)
    requested: list[str] = []
    send = requests.Session.send

    def note(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        requested.append(urllib.parse.unquote(str(request.url)))
        return send(session, request, **options)

    with mock.patch.object(requests.Session, "send", note):
        secrets = use_everything(server)
    forms = (caplog.handler, json_handler())
    lines = [form.format(record) for form in forms for record in caplog.records]
    assert any("POST /transport/poll" in line for line in lines), "requests are logged at this level"
    assert any("refused_commands" in line for line in lines)
    assert any("Traceback" in line for line in lines)
    logged, urls = "\n".join(lines), "\n".join(requested)
    # What visdom-transport writes about itself to whoever may read it.
    status = json.dumps(server.run(server.app.transport.status))
    for secret in secrets:
        assert secret not in logged, next(line for line in lines if secret in line)
        assert secret not in urls
        assert secret not in status
