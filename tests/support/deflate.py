"""A client of WebSockets that takes compressed messages (RFC 7692), frame by frame."""

from __future__ import annotations

import json
import socket
import zlib
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.peer import Peer
from tests.support.raw import TIMEOUT_S, Closed
from tests.support.served import Served

OFFER = "permessage-deflate; client_max_window_bits"
"""What Chromium offers."""

TAIL = b"\0\0\xff\xff"
COMPRESSED = 0x40


class Frame(NamedTuple):
    """One frame of the server."""

    compressed: bool
    opcode: int
    payload: bytes

    @property
    def text(self) -> bytes:
        """What it says."""
        return zlib.decompressobj(-15).decompress(self.payload + TAIL) if self.compressed else self.payload


class DeflateSocket:
    """Reads only when it is asked to, and acknowledges what it reads. `agreed` is what the server answered the offer."""

    def __init__(self, server: Served, path: str = "/socket", *, offer: str | None = OFFER, own: bool = True) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S)
        lines = [f"GET {server.base_url}{path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Protocol: visdom-transport.v1"] * own
        lines += [f"Sec-WebSocket-Extensions: {offer}"] * (offer is not None)
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._buffer = b""
        head = self._take_until(b"\r\n\r\n").decode()
        assert head.startswith("HTTP/1.1 101"), head
        fields = [line.partition(": ")[::2] for line in head.split("\r\n")[1:]]
        self.agreed = {name.lower(): value for name, value in fields}.get("sec-websocket-extensions")
        self.bytes = 0
        self._batches = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()

    # --- what it says ---

    def send(self, message: Any, *, compressed: bool = False) -> None:
        self.send_frame(deflated(json.dumps(message).encode()) if compressed else json.dumps(message).encode(), compressed)

    def send_frame(self, payload: bytes, compressed: bool) -> None:
        """A frame with a mask of zeros."""
        head = bytes([0x81 | (COMPRESSED if compressed else 0)])
        size = len(payload)
        head += bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + size.to_bytes(2, "big")
        if size > 0xFFFF:
            head = head[:1] + bytes([0xFF]) + size.to_bytes(8, "big")
        self._socket.sendall(head + b"\0\0\0\0" + payload)

    def hello(self, *feeds: str, compression: tuple[str, ...] = ("deflate",), **members: Any) -> dict[str, Any]:
        """Say hello and return the welcome."""
        hello = {"type": "hello", "role": "browser", "window": 100, "feeds": dict.fromkeys(feeds), **members}
        self.send(hello | ({"compression": list(compression)} if compression else {}))
        frame = self.receive_frame()
        assert not frame.compressed, "it has a secret"
        welcome: dict[str, Any] = json.loads(frame.text)
        assert welcome["type"] == "welcome"
        return welcome

    # --- what it hears ---

    def receive_frame(self, timeout_s: float = TIMEOUT_S) -> Frame:
        """The next frame. Raises `Closed`, or TimeoutError."""
        self._socket.settimeout(timeout_s)
        first, size = self._take(2)
        if size >= 126:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        frame = Frame(bool(first & COMPRESSED), first & 0x0F, self._take(size))
        if frame.opcode == 8:
            raise Closed(int.from_bytes(frame.payload[:2], "big"), frame.payload[2:].decode())
        if frame.text.startswith(b'{"type":"batch"'):
            self._batches += 1
            self.send({"type": "ack", "batches": self._batches}, compressed=self.agreed is not None)
        return frame

    def receive(self, timeout_s: float = TIMEOUT_S) -> Any:
        """The next message."""
        while (frame := self.receive_frame(timeout_s)).opcode != 1:
            pass
        return json.loads(frame.text)

    def expect_close(self) -> int | None:
        """Read until the server closes, and return its code."""
        try:
            while True:
                self.receive()
        except Closed as closed:
            return closed.code

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            received = self._socket.recv(1 << 20)
            if not received:
                raise Closed(None, "")
            self.bytes += len(received)
            self._buffer += received
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _take_until(self, end: bytes) -> bytes:
        self.bytes = 0
        while end not in self._buffer:
            received = self._socket.recv(1 << 16)
            assert received, self._buffer
            self._buffer += received
        taken, _, self._buffer = self._buffer.partition(end)
        return taken


def frames_of(client: DeflateSocket, peer: Peer, server: Served) -> list[Frame]:
    """Everything that arrives until the replica is what the server has."""
    frames = []
    wanted = server.windows()
    while peer.state("env/main") != wanted:
        frames.append(client.receive_frame())
        peer.take(json.loads(frames[-1].text))
    return frames


def deflated(content: bytes) -> bytes:
    """The payload of a compressed message."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return (compressor.compress(content) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
