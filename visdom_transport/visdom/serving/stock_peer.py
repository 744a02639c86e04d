"""Clients of the stock dialect, over either transport."""

from __future__ import annotations

from visdom_transport import feed_names
from visdom_transport.core.causes import Cause
from visdom_transport.core.errors import CloseCode, LinkClosed, MessageError
from visdom_transport.core.link import Link
from visdom_transport.links.flusher import clock
from visdom_transport.links.longpoll import Client
from visdom_transport.links.stock import StockBrowser, StockSource, parse
from visdom_transport.visdom.transport import Transport


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
