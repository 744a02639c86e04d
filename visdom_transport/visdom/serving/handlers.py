"""Request handlers: they parse, authorise and forward."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler
from visdom.server.handlers.base_handlers import BaseHandler, BaseWebSocketHandler

from visdom_transport import feed_names
from visdom_transport.core.causes import Cause
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.errors import CloseCode, LinkClosed, MessageError
from visdom_transport.core.link import Link
from visdom_transport.links.flusher import clock
from visdom_transport.links.longpoll import Client, reply
from visdom_transport.links.stock import StockBrowser, StockSource, parse
from visdom_transport.links.websocket import MAX_WAITING_MESSAGES, SLICE_BYTES, SUBPROTOCOL, SocketLink, sliced
from visdom_transport.visdom.access.logins import COOKIE, login_of
from visdom_transport.visdom.publishing.endpoints import post_embedding
from visdom_transport.visdom.serving.line import Line
from visdom_transport.visdom.transport import Transport

UNAUTHORIZED_STATUS = 401 if hasattr(BaseHandler, "is_authorized") else 400
"""What Visdom answers without a login: 400 before 0.3.0."""


def routes(app: Any) -> list[Any]:
    """Our own routes, for Application.add_handlers."""
    base = app.base_url
    return [
        (rf"{base}/embedding", EmbeddingHandler, {"app": app}),
        (rf"{base}/transport/logout", LogoutHandler, {"app": app}),
        (rf"{base}/transport/poll", PollHandler, {"app": app}),
        (rf"{base}/transport/send", SendHandler, {"app": app}),
        (rf"{base}/transport/status", StatusHandler, {"app": app}),
    ]


def client_of(handler: RequestHandler) -> Client:
    """Whom a request comes from."""
    return Client(str(handler.request.remote_ip), login_of(handler))


# --- stock clients, over either transport ---


class StockPeer:
    """A client of the stock dialect: one session for the life of its link.

    Raises:
        LinkClosed: there are too many sessions, or it is not logged in and must be.
    """

    def __init__(self, transport: Transport, kind: str, role: str, client: Client) -> None:
        if client.login is None:
            raise LinkClosed(CloseCode.UNAUTHORIZED)
        transport.flusher.start()
        self._transport = transport
        self.line = asyncio.Lock()
        """What a poller sends is acted on in order, also when something has to wait."""
        hub = transport.hub
        dialect = StockBrowser() if role == "browser" else StockSource()
        self.link = Link(kind, dialect, hub.limits, clock())
        self.session = hub.open_session(role, clock(), dialect="stock", grace_s=0, address=client.address, login=client.login)
        hub.attach(self.session, self.link, clock())

    def greet(self) -> None:
        """Say what stock says first, and subscribe."""
        hub, app, session = self._transport.hub, self._transport.app, self.session
        if session.role == "source":
            self.link.say({"command": "alive", "data": "vis_alive"})
            hub.subscribe(session, feed_names.EVENTS, None)
            return
        register = {"command": "register", "data": session.id, "readonly": bool(app.readonly)}
        if self._transport.storage.has_undo:
            register["envList"] = sorted(app.state)
        self.link.say(register)
        hub.subscribe(session, feed_names.SHARED, None)
        hub.subscribe(session, feed_names.NOTIFICATIONS, None)
        # Until it asks for an environment, a stock client follows main, from now on.
        self._transport.stock_pages.follow(session, feed_names.environment("main"))

    def receive(self, data: bytes | str, now: float) -> None:
        """Carry out a command. Stock has no way to be told of an error, so the server's log says it.

        Raises:
            LinkClosed: it says too much.
        """
        self.link.hear(now)
        self.session.take_message(now)
        try:
            command = parse(data)
            if self.link.dialect.is_echo(command):
                return
            self.session.take_command(now)
            self._transport.commands.carry_out(self.session, command)
        except (ValueError, MessageError) as error:
            self.session.count(Cause.REFUSED_COMMANDS, str(error))


class TransportSocket(BaseWebSocketHandler):  # type: ignore[misc]
    """A WebSocket endpoint that speaks our protocol or, to clients that do not ask for it, the stock dialect."""

    role = ""
    _socket: SocketLink | None = None
    _line: Line | None = None

    def initialize(self, app: Any) -> None:
        self.app = app
        self.transport: Transport = app.transport

    def check_origin(self, origin: str) -> bool:
        return True  # `RequestGate` has let it in

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    def open(self, *args: str, **kwargs: str) -> None:
        own = self.selected_subprotocol == SUBPROTOCOL
        transport, client = self.transport, client_of(self)
        hub = transport.hub
        try:
            peer: Any = transport.converse("websocket", client) if own else StockPeer(transport, "websocket", self.role, client)
            if own:
                hub.await_hello(peer.link, clock())
        except LinkClosed as closed:
            transport.refused(closed.code, client, str(closed))
            self.close(int(closed.code), closed.code.reason)
            return
        self.set_nodelay(True)
        self._socket = SocketLink(hub, self, peer, transport.settings.max_message_bytes)
        if self.role == "browser":
            self._line = Line(transport.turns, self._socket.receive, stock=not own)
        if not own:
            peer.link.on_ping = self._ping
            peer.greet()

    def _ping(self) -> None:
        if self.ws_connection is not None and not self.ws_connection.is_closing():
            self.ping()

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
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


class TransportHandler(BaseHandler):  # type: ignore[misc]
    """What the HTTP endpoints share: the body is JSON, and needs a login when Visdom does."""

    def initialize(self, app: Any) -> None:
        self.app = app
        self.transport: Transport = app.transport

    def prepare(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.client = client_of(self)
        if self.client.login is None:
            self.refuse_stranger()

    def refuse_stranger(self) -> None:
        """Answer a request without a login, as stock does."""
        self.transport.refused(CloseCode.UNAUTHORIZED, self.client)
        self.set_status(UNAUTHORIZED_STATUS)
        self.finish()

    def body(self) -> Any:
        """The parsed body, or None after a 400 when it is not JSON."""
        try:
            return decode(self.request.body)
        except ValueError as error:
            self.set_status(400)
            self.set_header("Content-Type", "application/json")
            self.finish(encode({"error": {"code": "bad_message", "message": f"not JSON: {error}", "field": None}}))
            return None

    async def finish_slowly(self, body: bytes, link: Link | None) -> None:
        """Finish with ``body``. A peer that takes a large one slowly says nothing meanwhile, and is not dead."""
        if link is not None and len(body) > SLICE_BYTES:
            self.set_header("Content-Length", str(len(body)))
            for part in sliced(body):
                self.write(bytes(part))
                try:
                    await self.flush()
                except StreamClosedError:
                    return
                link.hear(clock())
            body = b""
        self.finish(body)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        RequestHandler.write_error(self, status_code, **kwargs)


# --- our long poll ---


class OwnHandler(TransportHandler):
    """What the endpoints of our long poll share: they refuse as a WebSocket does, with a close code."""

    def refuse_stranger(self) -> None:
        """Nothing yet: if it is somebody who has logged out, the session ends as well."""

    def prepare(self) -> None:
        self.set_header("Content-Type", "application/json")
        super().prepare()


class PollHandler(OwnHandler):
    """``/transport/poll``"""

    _gone = False

    async def post(self) -> None:
        request = self.body()
        if self._finished:
            return
        answer = await self.transport.long_polls.poll(request, self.client)
        if not self._gone:
            await self.finish_slowly(reply(answer.messages), answer.link)

    def on_connection_close(self) -> None:
        # The next poll presents its positions, so what this reply would have carried is not lost.
        self._gone = True


class SendHandler(OwnHandler):
    """``/transport/send``"""

    async def post(self) -> None:
        request = self.body()
        if not self._finished:
            self.finish(reply(await self.transport.long_polls.send(request, self.client)))


class StatusHandler(TransportHandler):
    """``/transport/status``"""

    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(encode(self.transport.status()))


class LogoutHandler(TransportHandler):
    """``/transport/logout``: this login ends, everywhere and with every session that was opened with it."""

    def post(self) -> None:
        login = self.client.login
        ended = 0
        if login:
            self.transport.logins.end(login)
            ended = self.transport.hub.end_login(login, clock())
            self.clear_cookie(COOKIE)
        self.set_header("Content-Type", "application/json")
        self.finish(encode({"sessions_ended": ended}))


class EmbeddingHandler(BaseHandler):  # type: ignore[misc]
    """``/embedding``"""

    def initialize(self, app: Any) -> None:
        self.app = app
        self.state = app.state
        self.login_enabled = app.login_enabled

    post = post_embedding


# --- stock polling ---

REASONS = {
    "closed": "no active socket for this sid; it may have been closed or never existed",
    "no msg": "message_type 'send' needs a message",
    "invalid": "message_type must be 'query' or 'send'",
}


class StockPollHandler(TransportHandler):
    """What ``/socket_wrap`` and ``/vis_socket_wrap`` share."""

    role = ""

    def _open(self) -> None:
        try:
            peer = StockPeer(self.transport, "poll", self.role, self.client)
        except LinkClosed as closed:
            self.transport.refused(closed.code, self.client, str(closed))
            self._fail("closed", closed.code.reason)
            return
        hub, link = self.transport.hub, peer.link

        def bound() -> None:
            if len(link.control) > MAX_WAITING_MESSAGES:
                hub.end(link, CloseCode.TOO_SLOW, clock())

        link.on_news = bound
        link.on_ping = lambda: None
        session_id = peer.session.id
        polls = self.transport.stock_polls
        polls[session_id] = peer
        link.on_close = lambda code: polls.pop(session_id, None)
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
            messages = [message.decode() for message in peer.link.take_messages()]
            await self.finish_slowly(encode({"success": True, "messages": messages}), peer.link)
        elif request.get("message_type") != "send":
            self._fail("invalid")
        elif not isinstance(request.get("message"), str):
            self._fail("no msg")
        else:
            async with peer.line:
                await self._take(peer, request["message"])

    async def _take(self, peer: StockPeer, message: str) -> None:
        turn = self.transport.turns.before(message) if self.role == "browser" else None
        if turn is not None:
            await turn
        try:
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
