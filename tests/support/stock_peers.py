"""Clients of Visdom's own dialect, over a WebSocket and polling: pages and Python clients. They read only when asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests.support.raw import TIMEOUT_S, RawSocket
from tests.support.served import Served


class StockSocket(RawSocket):
    """A stock browser page or, on `/vis_socket`, a stock Python client."""

    def __init__(self, server: Served, role: str = "browser", *, small: bool = False, **options: Any) -> None:
        super().__init__(server, "/socket" if role == "browser" else "/vis_socket", small=small, **options)
        self.server = server
        self.sid = ""

    def register(self) -> list[Any]:
        """The opening messages of a browser's socket; their first names the sid."""
        opening = [self.receive() for _ in range(3)]
        self.sid = opening[0]["data"]
        return opening

    def load(self, eid: str) -> list[Any]:
        """Ask for an environment as a page does, and return its stream."""
        assert self.server.post(f"/env/{eid}", {"sid": self.sid}).status_code == 200
        return self.read_stream()

    def compare(self, *eids: str, **options: Any) -> list[Any]:
        assert self.server.post(f"/compare/{'+'.join(eids)}", {"sid": self.sid, **options}).status_code == 200
        return self.read_stream()

    def read_stream(self) -> list[Any]:
        messages: list[Any] = []
        while not messages or messages[-1].get("command") != "layout":
            messages.append(self.receive())
        return messages

    def receive_command(self, command: str) -> Any:
        """The next message with this command, skipping others."""
        while True:
            message = self.receive()
            if message.get("command") == command:
                return message

    def windows_until(self, condition: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Keep a page's windows until they are as wanted."""
        held: dict[str, Any] = {}
        deadline = time.monotonic() + TIMEOUT_S
        while not condition(held):
            assert time.monotonic() < deadline, f"{what}: {held}"
            message = self.receive()
            if message.get("command") == "window":
                held[message["id"]] = message
            elif message.get("command") == "close":
                held.pop(message["data"], None)
        return held


class StockPoll:
    """A stock client that polls."""

    def __init__(self, server: Served, role: str = "browser") -> None:
        self.server = server
        self.path = "/socket_wrap" if role == "browser" else "/vis_socket_wrap"
        answer = server.get(self.path) if role == "browser" else server.post(self.path, {"message_type": "init"})
        answer.raise_for_status()
        assert answer.json()["success"] is True
        self.sid: str = answer.json()["sid"]

    def post(self, **body: Any) -> Any:
        answer = self.server.post(self.path, {"sid": self.sid, **body})
        assert answer.status_code == 200
        return answer.json()

    def query(self) -> list[Any]:
        answer = self.post(message_type="query")
        assert answer["success"] is True, answer
        assert all(isinstance(message, str) for message in answer["messages"])
        return [json.loads(message) for message in answer["messages"]]

    def send(self, **command: Any) -> Any:
        return self.post(message_type="send", message=json.dumps(command))
