"""One client that counts the bytes it is sent."""

from __future__ import annotations

import json
from typing import Any

import websocket

from .servers import BenchError, Server

FEED = "env/main"
SUBPROTOCOL = "visdom-transport.v1"
TIMEOUT_S = 120.0


class OwnSubscriber:
    """Speaks `visdom-transport.v1` and follows one environment: what our page does, without drawing.

    ``received_bytes`` counts the payload of every message since the last connect.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._socket: Any = None
        self._session: dict[str, Any] = {"session": None, "secret": None}
        self._batches = self._commands = 0
        self.position: dict[str, Any] | None = None
        self.recovered = False
        self.received_bytes = 0

    def connect(self) -> None:
        """Connect, with what is left of an earlier connection, and catch up."""
        self._socket = websocket.create_connection(
            f"ws://127.0.0.1:{self._server.port}/socket", timeout=TIMEOUT_S, subprotocols=[SUBPROTOCOL]
        )
        self.received_bytes = self._batches = 0
        self._say({"type": "hello", "role": "browser", "window": 4, "feeds": {FEED: self.position}, **self._session})
        welcome = self._receive("welcome")
        self._session = {"session": welcome["session"], "secret": welcome["secret"]}
        verdict = self._receive("subscribed")
        self.recovered = verdict["recovered"]
        if not self.recovered:
            self.position = {"epoch": verdict["epoch"], "offset": -1}
        while self.offset < verdict["offset"]:
            self.take_batch()

    def cut(self) -> None:
        """Drop the connection without a word."""
        self._socket.shutdown()

    @property
    def offset(self) -> int:
        return self.position["offset"] if self.position is not None else -1

    def command(self, command: dict[str, Any]) -> None:
        """Give one of Visdom's commands. The reply is not waited for."""
        self._commands += 1
        self._say({"type": "command", "id": self._commands, "command": command})

    def take_batch(self) -> dict[str, Any]:
        """Wait for one batch, apply its position and acknowledge it."""
        batch = self._receive("batch")
        self._batches += 1
        self._say({"type": "ack", "batches": self._batches})
        if batch["complete"]:
            self.position = {"epoch": batch["epoch"], "offset": batch["to"]}
        return batch

    def _say(self, message: dict[str, Any]) -> None:
        self._socket.send(json.dumps(message))

    def _receive(self, kind: str) -> dict[str, Any]:
        while True:
            text = self._socket.recv()
            self.received_bytes += len(text.encode())
            message: dict[str, Any] = json.loads(text)
            if message["type"] == kind:
                return message
            if message["type"] == "ping":
                self._say({"type": "pong"})
            elif message["type"] in ("error", "close"):
                raise BenchError(f"expected {kind}, received {text[:200]}")


class StockSubscriber:
    """Does what Visdom's page does: connect, ask for the environment, receive all of it, then what changes."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._socket: Any = None
        self.received_bytes = 0

    def connect(self) -> None:
        """Connect and receive the environment."""
        self._socket = websocket.create_connection(f"ws://127.0.0.1:{self._server.port}/socket", timeout=TIMEOUT_S)
        self.received_bytes = 0
        sid = self.take("register")["data"]
        self._server.post("/env/main", json.dumps({"sid": sid}).encode())
        self.take("layout")

    def cut(self) -> None:
        """Drop the connection without a word."""
        self._socket.shutdown()

    def command(self, command: dict[str, Any]) -> None:
        """Give one of Visdom's commands."""
        self._socket.send(json.dumps(command))

    def take(self, *commands: str) -> dict[str, Any]:
        """Wait for one of ``commands``."""
        while True:
            text = self._socket.recv()
            self.received_bytes += len(text.encode())
            message: dict[str, Any] = json.loads(text)
            if message["command"] in commands:
                return message

    def take_change(self) -> dict[str, Any]:
        """Wait for a window or a patch of one."""
        return self.take("window", "window_update")
