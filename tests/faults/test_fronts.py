"""Clients of the suite take nothing that a front says for the server's answer, and what it lets through for that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.faults.fronts import KINDS, LIMIT_BYTES, MOVED, SAID, FaultyFront
from tests.faults.wire import Http, LinkLost, NotTheServer, WebSocket
from visdom_transport.core.signature import SERVER_HEADER

BODY = {"win": "line"}


@pytest.fixture
def received() -> list[Any]:
    """What the server was posted."""
    return []


@pytest.fixture
def server(received: list[Any]) -> Iterator[ThreadingHTTPServer]:
    class Signs(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header(SERVER_HEADER, "one")
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"line")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Signs) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def post(port: int, body: object) -> Any:
    async def ask() -> Any:
        http = Http(port)
        try:
            return await http.post("/update", body)
        finally:
            http.drop()

    return asyncio.run(ask())


@pytest.mark.parametrize("kind", [*SAID, *MOVED])
@pytest.mark.parametrize("late", [False, True])
def test_what_it_says_is_no_answer(server: ThreadingHTTPServer, received: list[Any], kind: str, late: bool) -> None:
    with FaultyFront(server.server_port, kind, elsewhere=server.server_port, late=late) as front:
        with pytest.raises(LinkLost) as lost:
            post(front.port, BODY)
        assert isinstance(lost.value, NotTheServer) == (kind != "broken")
        with pytest.raises(LinkLost):
            asyncio.run(WebSocket.open(front.port, "/socket", print))
    assert received == ([BODY] if late and kind in SAID else [])


def test_what_it_lets_through_is_an_answer(server: ThreadingHTTPServer, received: list[Any]) -> None:
    assert {*KINDS} - {*SAID, *MOVED} == {"packs", "strips", "limits"}
    large = {"win": "line", "data": "x" * LIMIT_BYTES}
    with FaultyFront(server.server_port, "packs", elsewhere=0) as front:
        assert post(front.port, large) == "line"
    with FaultyFront(server.server_port, "strips", elsewhere=0) as front, pytest.raises(NotTheServer, match="200"):
        post(front.port, BODY)
    with FaultyFront(server.server_port, "limits", elsewhere=0) as front:
        assert post(front.port, BODY) == "line"
        with pytest.raises(NotTheServer, match="413"):
            post(front.port, large)
    assert received == [large, BODY, BODY]
