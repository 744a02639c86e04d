"""Polling as stock Visdom does it."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

from visdom_transport.core.encoding import encode
from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.core.link import nothing
from visdom_transport.links.flusher import clock
from visdom_transport.links.websocket import MAX_WAITING_MESSAGES
from visdom_transport.visdom.serving.requests import TransportHandler
from visdom_transport.visdom.serving.stock_peer import StockPeer

REASONS = {
    "closed": "no active socket for this sid; it may have been closed or never existed",
    "no msg": "message_type 'send' needs a message",
    "invalid": "message_type must be 'query' or 'send'",
}


class StockPoller(StockPeer):
    """One that polls. What it sends is acted on in order, also when something has to wait: each in its turn at the `line`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.line = asyncio.Lock()


class StockPollHandler(TransportHandler):
    """What ``/socket_wrap`` and ``/vis_socket_wrap`` share."""

    role = ""

    def _open(self) -> None:
        try:
            peer = StockPoller(self.transport, "poll", self.role, self.client)
        except LinkClosed as closed:
            self.transport.refused(closed.code, self.client, str(closed))
            self._fail("closed", closed.code.reason)
            return
        hub, link = self.transport.hub, peer.link

        def bound() -> None:
            if len(link.control) > MAX_WAITING_MESSAGES:
                hub.end(link, CloseCode.TOO_SLOW, clock())

        session_id = peer.session.id
        polls = self.transport.stock_polls
        polls[session_id] = peer
        link.connect(bound, lambda code: polls.pop(session_id, None), on_ping=nothing)
        peer.greet()
        self.finish(encode({"success": True, "sid": session_id}))

    async def _exchange(self, request: Any) -> None:
        if not isinstance(request, dict):
            self._fail("invalid")
            return
        peer = self.transport.stock_polls.get(str(request.get("sid")))
        if peer is None or peer.session.role != self.role or peer.session.login != self.client.login:
            self._fail("closed")
        elif request.get("message_type") == "query":
            peer.link.hear(clock())
            # The query says that the last reply is done with: stock has no other acknowledgement.
            peer.link.acknowledge_all()
            messages = [message.decode() for message in peer.link.take_messages(clock())]
            await self.finish_slowly(encode({"success": True, "messages": messages}), peer.link)
        elif request.get("message_type") != "send":
            self._fail("invalid")
        elif not isinstance(request.get("message"), str):
            self._fail("no msg")
        else:
            async with peer.line:
                await self._take(peer, request["message"])

    async def _take(self, peer: StockPoller, message: str) -> None:
        turn = self.transport.before(peer.session, message) if self.role == "browser" else None
        context = await turn if turn is not None else None
        try:
            with context or nullcontext():
                peer.receive(message, clock())
        except LinkClosed as closed:
            self.transport.hub.end(peer.link, closed.code, clock(), str(closed))
            self._fail("closed", closed.code.reason)
            return
        self.finish(encode({"success": True}))

    def _fail(self, reason: str, detail: str | None = None) -> None:
        self.finish(encode({"success": False, "reason": reason, "detail": detail or REASONS[reason]}))


class BrowserPollHandler(StockPollHandler):
    """``/socket_wrap``"""

    role = "browser"

    def get(self) -> None:
        self._open()

    async def post(self) -> None:
        request = self.body()
        if not self._finished:
            await self._exchange(request)


class SourcePollHandler(StockPollHandler):
    """``/vis_socket_wrap``"""

    role = "source"

    async def post(self) -> None:
        request = self.body()
        if self._finished:
            return
        if isinstance(request, dict) and request.get("sid") is None:
            self._open()
        else:
            await self._exchange(request)
