"""Frames are read as Tornado reads them, in whatever pieces they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketHandler, WebSocketProtocol13

from visdom_transport.links.frame_reader import READ_BYTES, FrameReader


class Stream:
    """What comes in, in pieces, until the peer has gone."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.io_loop = IOLoop.current()
        self.written: list[bytes] = []
        self.reads = 0
        self._pieces = [piece for piece in pieces if piece]

    async def read_bytes(self, count: int, partial: bool = False) -> bytes:
        self.reads += 1
        found = b""
        while len(found) < count and not (partial and found):
            if not self._pieces:
                raise StreamClosedError
            piece = self._pieces.pop(0)
            left = count - len(found)
            found += piece[:left]
            if piece[left:]:
                self._pieces.insert(0, piece[left:])
        return found

    def write(self, data: bytes) -> asyncio.Future[None]:
        self.written.append(bytes(data))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def closed(self) -> bool:
        return False

    def close(self) -> None:
        pass


class Delegate:
    """What a handler is told."""

    def __init__(self, answers_later: bool) -> None:
        self.heard: list[Any] = []
        self._answers_later = answers_later

    def on_message(self, message: str | bytes) -> Any:
        self.heard.append(message)
        return asyncio.sleep(0) if self._answers_later else None

    def on_ping(self, data: bytes) -> None:
        self.heard.append(("ping", data))

    def on_pong(self, data: bytes) -> None:
        self.heard.append(("pong", data))

    def on_ws_connection_close(self, *reason: Any) -> None:
        self.heard.append(reason)


def parameters() -> Any:
    """What Tornado gives the protocol of a handler without options."""
    handler: Any = WebSocketHandler.__new__(WebSocketHandler)
    handler.application = type("Application", (), {"settings": {"websocket_max_message_size": 100_000}})()
    handler.request = type("Request", (), {"headers": {"Sec-WebSocket-Version": "13"}})()
    found = handler.get_websocket_protocol()
    return found.params


def read(kind: type[WebSocketProtocol13], pieces: Sequence[bytes], answers_later: bool = False) -> tuple[list[Any], Any, int]:
    """What the handler is told, what the protocol says to the peer, and how often it asks the stream."""

    async def follow() -> tuple[list[Any], Any, int]:
        delegate, stream = Delegate(answers_later), Stream(pieces)
        protocol: Any = kind(delegate, False, parameters())  # type: ignore[arg-type]
        protocol.stream = stream
        try:
            await protocol._receive_frame_loop()
        except UnicodeDecodeError as error:  # the reason of a close
            delegate.heard.append(repr(error))
        if protocol._waiting is not None:
            stream.io_loop.remove_timeout(protocol._waiting)
        return delegate.heard, (stream.written, protocol.close_code, protocol._wire_bytes_in), stream.reads

    return asyncio.run(follow())


def frame(text: bytes, opcode: int = 1, *, fin: bool = True, mask: bytes | None = b"mask", reserved: int = 0) -> bytes:
    """RFC 6455, section 5.2."""
    size, flag = len(text), 0 if mask is None else 0x80
    if size < 126:
        length = bytes((size | flag,))
    else:
        length = bytes((126 | flag,)) + size.to_bytes(2) if size < 65_536 else bytes((127 | flag,)) + size.to_bytes(8)
    content = text if mask is None else mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))
    return bytes((fin << 7 | reserved | opcode,)) + length + content


TEXTS = (
    st.text(max_size=40).map(str.encode)
    | st.sampled_from([0, 1, 125, 126, 20_000, 70_000, 100_001]).map(bytes)
    | st.just(b"\xff")
)
FRAMES = st.one_of(
    TEXTS.map(frame),
    st.builds(frame, TEXTS, st.sampled_from([0, 1, 2, 3]), fin=st.booleans(), mask=st.none() | st.binary(min_size=4, max_size=4)),
    st.builds(frame, st.binary(max_size=125), st.sampled_from([8, 9, 10, 11]), fin=st.booleans()),
    st.builds(frame, TEXTS, reserved=st.sampled_from([0x40, 0x20, 0x10])),
    st.binary(max_size=8),
)


@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(0, 200_000), max_size=12), st.booleans())
def test_whatever_comes_is_read_as_tornado_reads_it(frames: list[bytes], cuts: list[int], answers_later: bool) -> None:
    stream = b"".join(frames)
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    heard, said, _ = read(FrameReader, pieces, answers_later)
    assert (heard, said) == read(WebSocketProtocol13, [stream], answers_later)[:2]


@pytest.mark.parametrize("pieces", [1, 3])
def test_small_texts_that_came_together_are_asked_for_once(pieces: int) -> None:
    texts = [f"message {number}" for number in range(10)]
    encoded = [b"".join(frame(text.encode()) for text in texts)] * pieces
    heard, _, reads = read(FrameReader, encoded)
    assert heard == [*texts * pieces, (None, None)]
    assert reads == pieces + 1, "and for what never comes"


def test_a_large_message_is_asked_for_at_its_length() -> None:
    text = b"x" * 90_000
    heard, _, reads = read(FrameReader, [frame(text)])
    assert heard == [text.decode(), (None, None)]
    assert reads == 3 < len(text) / READ_BYTES
