"""One link of a relay to its origin: a WebSocket in our protocol, as any client has it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Self, TypeAlias

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketError, websocket_connect

from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.core.link import nothing
from visdom_transport.links.flusher import clock
from visdom_transport.links.websocket import SUBPROTOCOL

Message: TypeAlias = dict[str, Any]

CONNECT_S: Final = 10.0
"""How soon an origin that is there answers."""
MAX_MESSAGE_BYTES: Final = 1_073_741_824
"""What it sends is bounded by its own limits. An event goes whole, whatever its size."""


class Away(Exception):
    """The origin is not there, or something else answers in its place. The message says what was seen."""


class OriginLink:
    """Says hello, answers pings, and notices silence.

    Args:
        on_heard: called at each sign of life.
        ask_after_s: the origin is asked for one after that much silence, if not before.
    """

    def __init__(
        self, socket: WebSocketClientConnection, on_heard: Callable[[], None] = nothing, ask_after_s: float = math.inf
    ) -> None:
        self._socket = socket
        self._on_heard = on_heard
        self._ask_after_s = ask_after_s
        self._reading: asyncio.Future[str | bytes | None] | None = None
        self._heard_at = clock()
        self._asked = False
        self._heartbeat_s = self._dead_after_s = CONNECT_S
        self.welcome: Message = {}

    @classmethod
    async def open(
        cls,
        url: str,
        headers: Mapping[str, str],
        hello: Message,
        on_heard: Callable[[], None] = nothing,
        ask_after_s: float = math.inf,
    ) -> Self:
        """Open a link, say ``hello`` and hear the welcome.

        Raises:
            Away: the origin is not there.
            LinkClosed: it does not want this client, and says why.
        """
        request = HTTPRequest(
            url, headers=dict(headers), connect_timeout=CONNECT_S, request_timeout=CONNECT_S, follow_redirects=False
        )
        try:
            socket = await websocket_connect(request, subprotocols=[SUBPROTOCOL], max_message_size=MAX_MESSAGE_BYTES)
        except HTTPClientError as error:
            if error.code == 403:
                raise LinkClosed(CloseCode.ORIGIN) from None
            raise Away(f"{error.code} {error.message}") from None
        except (OSError, WebSocketError) as error:
            raise Away(f"{type(error).__name__}: {error}") from None
        link = cls(socket, on_heard, ask_after_s)
        try:
            if socket.selected_subprotocol != SUBPROTOCOL:
                raise Away("it does not speak visdom-transport.v1")
            link.say(hello)
            link._take_welcome(await link.read())
        except BaseException:
            link.close()
            raise
        return link

    def _take_welcome(self, message: Message) -> None:
        try:
            self._heartbeat_s, self._dead_after_s = float(message["heartbeat_s"]), float(message["dead_after_s"])
            names = ("session", "secret", "server")
            if message["type"] != "welcome" or not all(isinstance(message[name], str) for name in names):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise Away(f"it answers hello with {str(message)[:100]}") from None
        self.welcome = message

    def say(self, message: Message) -> None:
        """Send a message. That it cannot be sent is heard by who reads."""
        try:
            sent = self._socket.write_message(encode(message).decode())
        except WebSocketClosedError:
            return
        sent.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def read(self) -> Message:
        """The next message that is not only a sign of life.

        Raises:
            Away: the link is lost.
            LinkClosed: the origin has ended it, and says why.
        """
        while True:
            data = await self._next()
            if data is None:
                raise self._end()
            self._heard_at, self._asked = clock(), False
            self._on_heard()
            try:
                message = decode(data)
            except ValueError:
                message = None
            if not isinstance(message, dict):
                raise Away("what it says is no message")
            if message.get("type") == "ping":
                self.say({"type": "pong"})
            elif message.get("type") != "pong":
                return message

    async def _next(self) -> str | bytes | None:
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._socket.read_message())
        while not self._reading.done():
            silent_s = clock() - self._heard_at
            if silent_s >= self._dead_after_s:
                raise Away(f"nothing heard for {silent_s:.0f} s")
            ask_after_s = min(self._heartbeat_s, self._ask_after_s)
            if silent_s >= ask_after_s and not self._asked:
                self._asked = True
                self.say({"type": "ping"})
            due_s = (self._dead_after_s if self._asked else ask_after_s) - silent_s
            await asyncio.wait([self._reading], timeout=max(0.01, due_s))
        reading, self._reading = self._reading, None
        return reading.result()

    def _end(self) -> Exception:
        code, reason = self._socket.close_code, self._socket.close_reason
        try:
            return LinkClosed(CloseCode(code or 0), reason or "")
        except ValueError:
            return Away("the connection has ended" + (f" ({code})" if code else ""))

    def close(self) -> None:
        """Leave. A peer that is silent does not take part in the closing handshake."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self._socket.close()
