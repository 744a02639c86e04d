"""A link over one WebSocket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketHandler

from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.core.hub import Hub
from visdom_transport.core.link import Link
from visdom_transport.core.packing import Outgoing, raw
from visdom_transport.links.flusher import clock
from visdom_transport.links.packer import Packer

SUBPROTOCOL = "visdom-transport.v1"

MAX_WAITING_MESSAGES = 1_000
"""As many messages may wait for the kernel, and as many answers behind them. A peer that asks for more without reading
is in breach of flow control."""

SLICE_BYTES = 131_072
"""So much is handed to the kernel at a time, and so much may wait there unsent: what it takes more tells that the peer takes what
came before, and what it does not take yet is replaced by newer state."""

NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
"""An option of Linux and macOS."""


class Peer(Protocol):
    """What a WebSocket's messages are given to."""

    link: Link

    def receive(self, data: bytes | str, now: float) -> None:
        """Act on one message. Raises `LinkClosed` when the link must end."""


class SocketLink:
    """Moves messages between a tornado WebSocket handler and a peer.

    A batch to a peer whose dialect does not acknowledge counts as applied once the kernel has taken it. Such a peer may also send
    binary frames.

    Args:
        packer: compresses what is sent, for peers that have agreed on that.
        ping: asks the peer for a sign of life, where a message does not.
    """

    __slots__ = (
        *("_acknowledges", "_closing", "_handler", "_held", "_hub", "_max_message_bytes", "_packer", "_peer"),
        *("_unwritten_bytes", "_unwritten_messages", "__weakref__"),
    )

    def __init__(
        self,
        hub: Hub,
        handler: WebSocketHandler,
        peer: Peer,
        max_message_bytes: int,
        packer: Packer,
        ping: Callable[[], None] | None = None,
    ) -> None:
        self._hub = hub
        self._handler = handler
        self._peer = peer
        self._max_message_bytes = max_message_bytes
        self._packer = packer
        self._held: Sequence[Outgoing] = ()
        """What waits for its first message to be compressed. Nothing may overtake it."""
        self._acknowledges = peer.link.dialect.acknowledges
        self._unwritten_bytes = 0
        self._unwritten_messages = 0
        self._closing = False
        stream = handler.ws_connection.stream if handler.ws_connection is not None else None
        # The peer may be gone by now.
        if NOTSENT_LOWAT is not None and stream is not None and not stream.closed():
            stream.socket.setsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT, SLICE_BYTES)
        peer.link.connect(self.flush, self._close, ping)

    def receive(self, data: bytes | str) -> None:
        """Hand one incoming frame to the peer."""
        if self._closing:
            return
        try:
            if isinstance(data, bytes) and self._acknowledges:
                raise LinkClosed(CloseCode.PROTOCOL, "binary frame")
            if len(data) > self._max_message_bytes:
                raise LinkClosed(CloseCode.PROTOCOL, f"a message is larger than max_message_bytes={self._max_message_bytes}")
            self._peer.receive(data, clock())
        except LinkClosed as closed:
            self._hub.end(self._peer.link, closed.code, clock(), str(closed))

    def flush(self) -> None:
        """Send what the link may send now."""
        link = self._peer.link
        if self._closing:
            return
        has_much = self._unwritten_bytes > self._hub.limits.in_flight_bytes or self._unwritten_messages > MAX_WAITING_MESSAGES
        if has_much or self._held:
            # The kernel takes no more, or something is being compressed: control messages wait as well, and there is a bound to
            # what may wait. Messages are counted too, because one that waits costs far more than its bytes.
            if len(link.control) > MAX_WAITING_MESSAGES:
                self._hub.end(link, CloseCode.TOO_SLOW, clock())
            return
        self._send(link.take_messages(clock()))
        if not self._acknowledges and not self._unwritten_bytes:
            link.acknowledge_all()
            if link.held_back:
                # In the next turn of the loop: one reader of much must not keep the others waiting.
                asyncio.get_running_loop().call_soon(self.flush)

    def _send(self, messages: Sequence[Outgoing]) -> None:
        """Send all messages, each as soon as it is compressed."""
        for number, message in enumerate(messages):
            waiting = self._packer.prepare(message)
            if waiting is not None:
                self._write(messages[:number])
                self._held = messages[number:]
                waiting.add_done_callback(self._packed)
                return
        self._write(messages)

    def _packed(self, waiting: asyncio.Future[Any]) -> None:
        held, self._held = self._held, ()
        if self._closing:
            return
        self._send(held)
        if not self._held:
            self.flush()

    def _write(self, messages: Sequence[Outgoing]) -> None:
        """Hand all messages to the kernel at once, and remember what it does not take.

        Tornado's `write_message` would make a task and a system call of each, which is most of what a message costs.
        """
        connection = self._handler.ws_connection
        stream = connection.stream if connection is not None and not connection.is_closing() else None
        if not messages or stream is None:
            # Without a stream the peer has gone, and on_close is on its way.
            return
        try:
            count = len(messages)
            for part in slices(messages):
                future = stream.write(part)
                if stream.writing():
                    self._unwritten_bytes += len(part)
                    self._unwritten_messages += count
                    future.add_done_callback(self._written(len(part), count))
                    count = 0
        except StreamClosedError:
            return

    def _written(self, size: int, count: int) -> Callable[[asyncio.Future[None]], None]:
        def done(future: asyncio.Future[None]) -> None:
            self._unwritten_bytes -= size
            self._unwritten_messages -= count
            # A write that failed is followed by on_close.
            if future.cancelled() or future.exception() is not None:
                return
            # It cannot answer a ping that waits behind a large window or event.
            self.heard()
            if not self._unwritten_bytes:
                if not self._acknowledges:
                    self._peer.link.acknowledge_all()
                self.flush()

        return done

    def heard(self) -> None:
        """The peer gave a sign of life."""
        self._peer.link.hear(clock())

    def gone(self) -> None:
        """The connection has ended."""
        self._closing = True
        self._hub.detach(self._peer.link, clock())

    def _close(self, code: CloseCode) -> None:
        self._closing = True
        self._write([*(message for message in self._held if isinstance(message, bytes)), *self._peer.link.control])
        self._handler.close(int(code), code.reason)
        if code is CloseCode.SILENT:
            # A dead peer does not take part in the closing handshake.
            connection = self._handler.ws_connection
            if connection is not None:
                connection._abort()


def slices(messages: Sequence[Outgoing]) -> Iterator[memoryview]:
    """What the frames of ``messages`` are made of, `SLICE_BYTES` at a time. What is large is not copied."""
    small: list[bytes] = []
    for message in messages:
        for part in framed(message):
            if len(part) <= SLICE_BYTES:
                small.append(part)
                continue
            yield from sliced(b"".join(small))
            yield from sliced(part)
            small.clear()
    yield from sliced(b"".join(small))


def framed(message: Outgoing) -> Sequence[bytes]:
    """The frame that carries ``message``, in parts."""
    if isinstance(message, bytes):
        return text_head(len(message)), message
    parts = raw(message.packed)
    return [text_head(sum(map(len, parts)), compressed=True), *parts]


def sliced(data: bytes) -> Iterator[memoryview]:
    """``data``, `SLICE_BYTES` at a time."""
    view = memoryview(data)
    return (view[start : start + SLICE_BYTES] for start in range(0, len(data), SLICE_BYTES))


def text_head(size: int, *, compressed: bool = False) -> bytes:
    """The head of a server's WebSocket frame that carries a text (RFC 6455, section 5.2; RFC 7692, section 6).

    Args:
        size: of what is in the frame, in bytes.
    """
    kind = b"\xc1" if compressed else b"\x81"
    if size < 126:
        return kind + bytes((size,))
    if size <= 0xFFFF:
        return kind + b"\x7e" + size.to_bytes(2, "big")
    return kind + b"\x7f" + size.to_bytes(8, "big")
