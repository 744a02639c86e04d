"""Handlers that change what an event carries of a pane and write it back lose nothing, however fast the events come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from visdom import Visdom

from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from tests.support.stock_peers import StockSocket
from tests.support.wait import until
from visdom_transport.client import Publisher

Serve = Callable[..., LocalServer]

KEYS = "the quick brown fox jumps"
WIN = "typed"


class Typewriter:
    """A Python client whose pane shows what is typed into it, as in Visdom's demo."""

    def __init__(self, make: Any, port: int, kind: str) -> None:
        self.answered = 0
        polling = kind == "poll"
        options: dict[str, Any] = {"use_incoming_socket": not polling, "use_polling": polling}
        self.vis: Any = make("http://127.0.0.1", port=port, **options)
        self.vis.text("", win=WIN)
        if isinstance(self.vis, Publisher):
            assert self.vis.flush(10)
        self.vis.register_event_handler(self._take, WIN)

    def _take(self, event: dict[str, Any]) -> None:
        self.vis.text(event["pane_data"]["content"] + event["key"], win=WIN)
        self.answered += 1

    def close(self) -> None:
        self.vis.event_source.close()
        if isinstance(self.vis, Publisher):
            self.vis.finish(10)
        self.vis.session.close()


@pytest.fixture
def server(serve: Serve, records: Records) -> LocalServer:
    records.ignore("Setting up a new session")
    return serve(settings={"poll_wait_s": 1, "answer_wait_s": 30, "journal_interval_s": 0.2})


@pytest.fixture(params=["websocket", "poll"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[Visdom, Publisher], ids=["Visdom", "Publisher"])
def typewriter(request: pytest.FixtureRequest, server: LocalServer, kind: str) -> Iterator[Typewriter]:
    typewriter = Typewriter(request.param, server.port, kind)
    yield typewriter
    typewriter.close()


def press(key: str) -> dict[str, Any]:
    return {"cmd": "forward_to_vis", "data": {"eid": "main", "target": WIN, "event_type": "KeyPress", "key": key}}


def type_as_our_page(server: LocalServer) -> None:
    with OwnSocket(server) as page:
        for number, key in enumerate(KEYS, 1):
            page.send({"type": "command", "id": number, "command": press(key)})
        for _ in KEYS:
            page.receive_type("reply", 30)


def type_as_a_stock_page(server: LocalServer) -> None:
    with StockSocket(server) as page:
        for key in KEYS:
            page.send(press(key))
        page.connection.close(timeout=30)


def type_as_a_stock_page_that_polls(server: LocalServer) -> None:
    with requests.Session() as page:
        sid = page.get(server.url("/socket_wrap"), timeout=20).json()["sid"]
        for key in KEYS:
            body = {"message_type": "send", "sid": sid, "message": json.dumps(press(key))}
            assert page.post(server.url("/socket_wrap"), json=body, timeout=30).json()["success"]


@pytest.mark.parametrize("type_all", [type_as_our_page, type_as_a_stock_page, type_as_a_stock_page_that_polls])
def test_every_key_is_in_the_pane(server: LocalServer, typewriter: Typewriter, type_all: Callable[[LocalServer], None]) -> None:
    type_all(server)
    until(lambda: typewriter.answered == len(KEYS), "every key is answered", seen=lambda: typewriter.answered)
    if isinstance(typewriter.vis, Publisher):
        assert typewriter.vis.flush(10)
    assert server.windows()[WIN]["content"] == KEYS
