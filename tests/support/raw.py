"""A WebSocket of a client, of whichever dialect, that is read only when the test asks for it."""

from __future__ import annotations

import json
import socket
import time
from types import TracebackType
from typing import Any, Self

import websocket

from tests.support.served import Served

TIMEOUT_S = 20.0

SILENCE_S = 0.2
"""Long enough for messages that should not come to have come: the flush interval is a hundredth of it."""

SMALL_BUFFER = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),)
"""A client that does not read then holds up the server soon."""


class Closed(Exception):
    """The server ended the WebSocket."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class RawSocket:
    """A WebSocket to the server that reads only when it is asked to."""

    def __init__(self, server: Served, path: str, *, subprotocol: str | None = None, small: bool = False, **options: Any):
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in server.http.cookies)
        self.connection = websocket.create_connection(
            server.url(path, "ws"),
            timeout=TIMEOUT_S,
            subprotocols=[subprotocol] if subprotocol else None,
            sockopt=SMALL_BUFFER if small else (),
            cookie=cookies or None,
            **options,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back without the closing handshake."""
        self.connection.shutdown()  # type: ignore[no-untyped-call]

    def send_text(self, text: str) -> None:
        self.connection.send(text)

    def send(self, message: Any) -> None:
        self.send_text(json.dumps(message))

    def receive_frame(self, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes]:
        """The next frame that is not answered by websocket-client itself."""
        self.connection.settimeout(timeout_s)
        opcode, data = self.connection.recv_data(control_frame=True)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code = int.from_bytes(data[:2], "big") if data else None
            raise Closed(code, data[2:].decode())
        return opcode, data

    def receive(self, timeout_s: float = TIMEOUT_S) -> Any:
        """The next message. Raises `Closed` or, after the timeout, AssertionError."""
        try:
            while True:
                opcode, data = self.receive_frame(timeout_s)
                if opcode == websocket.ABNF.OPCODE_TEXT:
                    return json.loads(data)
        except websocket.WebSocketTimeoutException:
            raise AssertionError(f"no message within {timeout_s} s") from None

    def expect_close(self, timeout_s: float = TIMEOUT_S) -> int | None:
        """Read until the server closes, and return its code."""
        deadline = time.monotonic() + timeout_s
        try:
            while time.monotonic() < deadline:
                self.receive(max(0.01, deadline - time.monotonic()))
        except Closed as closed:
            return closed.code
        raise AssertionError(f"not closed within {timeout_s} s")

    def silent(self, timeout_s: float = SILENCE_S) -> list[Any]:
        """Whatever arrives within the time; usually nothing should."""
        messages: list[Any] = []
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                messages.append(self.receive(left))
            except AssertionError:
                break
        return messages
