"""The WebSocket endpoints of a relay: viewers are served here, all others are passed on to the origin."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable
from typing import Any, Final

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    WebSocketHandler,
    websocket_connect,
)

from visdom_transport.core.causes import closed
from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.links.deflating import DeflatingSocket
from visdom_transport.links.flusher import clock
from visdom_transport.links.frame_reader import ReadsFrames
from visdom_transport.links.longpoll import Client
from visdom_transport.links.websocket import SUBPROTOCOL, SocketLink
from visdom_transport.relay.link import CONNECT_S, MAX_MESSAGE_BYTES
from visdom_transport.relay.passing import answer_away, forwarded
from visdom_transport.relay.relay import Relay
from visdom_transport.relay.viewers import ViewerPeer, login_of

NOT_SAID: Final = frozenset({None, 1005, 1006, 1015})
"""Close codes that only one side sees."""

OF_THE_HANDSHAKE: Final = frozenset({"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"})
"""Each connection has its own."""


class PassedSocket(WebSocketHandler):
    """``/vis_socket``: what either side says is passed on."""

    def initialize(self, relay: Relay) -> None:
        self._relay = relay
        self._far: WebSocketClientConnection | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def ping_interval(self) -> float | None:
        return self._relay.settings.heartbeat_s if self._far is not None else None

    @property
    def ping_timeout(self) -> float | None:
        # However late the answer is: on a slow way the ping waits behind a large window.
        return 0

    def check_origin(self, origin: str) -> bool:
        return True  # the origin checks it

    def _offered(self) -> list[str]:
        names = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        return [name.strip() for name in names if name.strip()]

    async def get(self, *args: Any, **kwargs: Any) -> None:
        try:
            self._far = await self._connect()
        except HTTPClientError as error:
            self.set_status(error.code)
            self.finish(error.response.body if error.response is not None else b"")
        except (OSError, WebSocketError) as error:
            answer_away(self, error)
        else:
            await super().get(*args, **kwargs)

    async def _connect(self) -> WebSocketClientConnection:
        request = self.request
        headers = forwarded(request)
        for name in OF_THE_HANDSHAKE & {name.lower() for name in headers}:
            del headers[name]
        headers.pop("Sec-WebSocket-Protocol", None)
        asked = HTTPRequest(
            self._relay.origin.socket_url(request.path.removeprefix(self._relay.origin.base_url)),
            headers=headers,
            connect_timeout=CONNECT_S,
            request_timeout=CONNECT_S,
            follow_redirects=False,
        )
        return await websocket_connect(asked, subprotocols=self._offered() or None, max_message_size=MAX_MESSAGE_BYTES)

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return self._far.selected_subprotocol if self._far is not None else None

    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        assert self._far is not None
        self._pump = asyncio.get_running_loop().create_task(self._pass_back(self._far))

    async def _pass_back(self, far: WebSocketClientConnection) -> None:
        try:
            while (message := await far.read_message()) is not None:
                await self.write_message(message, binary=isinstance(message, bytes))
        except WebSocketClosedError:
            return
        if far.close_code in NOT_SAID:
            self.close()
        else:
            self.close(far.close_code, far.close_reason)

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        assert self._far is not None
        try:
            return self._far.write_message(message, binary=isinstance(message, bytes))
        except WebSocketClosedError:
            return None  # the other direction tells

    def on_close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
        if self._far is not None:
            self._far.close()


class ViewerSocket(ReadsFrames, DeflatingSocket, PassedSocket):
    """``/socket``: pages that speak our protocol are served here."""

    _socket: SocketLink | None = None
    _peer: ViewerPeer | None = None

    async def get(self, *args: Any, **kwargs: Any) -> None:
        if SUBPROTOCOL not in self._offered():
            await super().get(*args, **kwargs)
            return
        if self._relay.compresses:
            self.agree_on_deflate()
        try:
            await WebSocketHandler.get(self, *args, **kwargs)
        except zlib.error as error:  # the connection has ended
            self._relay.hub.causes.count(
                closed(CloseCode.PROTOCOL), str(self.request.remote_ip), f"not compressed as it says: {error}"
            )

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return SUBPROTOCOL if self._far is None else super().select_subprotocol(subprotocols)

    def open(self, *args: str, **kwargs: str) -> None:
        if self._far is not None:
            super().open(*args, **kwargs)
            return
        relay = self._relay
        headers = self.request.headers
        client = Client(str(self.request.remote_ip), login_of(headers), takes_deflate=self.can_compress)
        peer = ViewerPeer(relay.viewers, relay.hub, headers, client)
        try:
            relay.hub.await_hello(peer.link, clock())
        except LinkClosed as why:
            self.close(int(why.code), why.code.reason)
            return
        self.set_nodelay(True)
        self._peer = peer
        self._socket = SocketLink(relay.hub, self, peer, relay.settings.max_message_bytes, relay.packer)

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        if self._far is not None:
            return super().on_message(message)
        if self._socket is not None:
            self._socket.receive(message)
        return None

    def on_pong(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.heard()

    def on_close(self) -> None:
        super().on_close()
        if self._socket is not None and self._peer is not None:
            self._socket.gone()
            self._peer.gone()
