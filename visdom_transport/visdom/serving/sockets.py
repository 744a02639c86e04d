"""WebSocket endpoints, for our protocol and the stock dialect."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable
from typing import Any

from visdom.server.handlers.base_handlers import BaseWebSocketHandler

from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.links.deflating import DeflatingSocket
from visdom_transport.links.flusher import clock
from visdom_transport.links.frame_reader import ReadsFrames
from visdom_transport.links.websocket import SUBPROTOCOL, SocketLink
from visdom_transport.visdom.serving.line import Line
from visdom_transport.visdom.serving.requests import client_of
from visdom_transport.visdom.serving.stock_peer import StockPeer
from visdom_transport.visdom.transport import Transport

SIGN_OF_LIFE_S = 1.0
"""A client that waits for what it asked for counts as heard this often."""


class TransportSocket(ReadsFrames, DeflatingSocket, BaseWebSocketHandler):  # type: ignore[misc]
    """A WebSocket endpoint that speaks our protocol or, to clients that do not ask for it, the stock dialect."""

    role = ""
    _socket: SocketLink | None = None
    _line: Line | None = None

    def initialize(self, app: Any) -> None:
        self.app = app
        self.transport: Transport = app.transport

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open, and take what the client says until it goes."""
        subprotocols = [name.strip() for name in self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if self.select_subprotocol(subprotocols) and self.transport.compresses:
            self.agree_on_deflate()
        try:
            await super().get(*args, **kwargs)
        except zlib.error as error:  # the connection has ended
            self.transport.refused(CloseCode.PROTOCOL, client_of(self), f"not compressed as it says: {error}")

    def check_origin(self, origin: str) -> bool:
        return True  # `RequestGate` has let it in

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    def open(self, *args: str, **kwargs: str) -> None:
        own = self.selected_subprotocol == SUBPROTOCOL
        transport, client = self.transport, client_of(self)
        hub = transport.hub
        try:
            if own:
                peer: Any = transport.converse("websocket", client, can_compress=self.can_compress)
                hub.await_hello(peer.link, clock())
            else:
                peer = StockPeer(transport, "websocket", self.role, client)
        except LinkClosed as closed:
            transport.refused(closed.code, client, str(closed))
            self.close(int(closed.code), closed.code.reason)
            return
        self.set_nodelay(True)
        ping = None if own else self._ping
        self._socket = SocketLink(hub, self, peer, transport.settings.max_message_bytes, transport.packer, ping)
        if self.role == "browser":
            self._line = Line(lambda message: transport.before(peer.session, message), self._socket.receive, stock=not own)
        if not own:
            peer.greet()
        self._forget_headers()

    def _forget_headers(self) -> None:
        """Both sides have read them. Kept with each of many connections, they take more than a session."""
        self.request.headers.clear()
        for name in list(self._headers):
            self.clear_header(name)

    def _ping(self) -> None:
        if self.ws_connection is not None and not self.ws_connection.is_closing():
            self.ping()

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        waiting = self.transport.read_ahead.before(message) if self._socket is not None else None
        return self._take(message) if waiting is None else self._take_after(waiting, message)

    async def _take_after(self, waiting: Awaitable[None], message: str | bytes) -> None:
        """No other message is read meanwhile, so that it cannot tell that its client is there."""
        reading = asyncio.ensure_future(waiting)
        while not reading.done() and self._socket is not None:
            await asyncio.wait([reading], timeout=SIGN_OF_LIFE_S)
            if self._socket is not None:
                self._socket.heard()
        following = self._take(message)
        if following is not None:
            await following

    def _take(self, message: str | bytes) -> Awaitable[None] | None:
        if self._line is not None:
            return self._line.take(message)
        if self._socket is not None:
            self._socket.receive(message)
        return None

    def on_pong(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.heard()

    def on_close(self) -> None:
        socket, line, self._socket, self._line = self._socket, self._line, None, None
        if line is not None and socket is not None:
            line.end(socket.gone)
        elif socket is not None:
            socket.gone()


class BrowserSocket(TransportSocket):
    """``/socket``"""

    role = "browser"


class SourceSocket(TransportSocket):
    """``/vis_socket``"""

    role = "source"
