"""A viewer's session at the origin, where its login is checked and its commands are carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from visdom_transport.client.asking.backoff import Backoff
from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.core.link import nothing
from visdom_transport.links.flusher import clock
from visdom_transport.relay.link import Away, Message, OriginLink
from visdom_transport.relay.origin import Origin

MAX_WAITING: Final = 1_000
"""Commands of one viewer that may wait for the origin."""
FIRST_PAUSE_S: Final = 0.2
MOST_PAUSE_S: Final = 2.0


class Delegate:
    """Holds one session of the origin for one viewer: with the viewer's own cookies, and without any feed.

    The viewer has the same session there, by the same id and secret, so it may go on at another relay, or at the origin. A
    command keeps its number on the way, by which the origin carries it out once.

    Args:
        headers: what the viewer has shown.
        on_reply: is given each answer to a command.
        on_end: is told why the viewer's session must end.
        on_forward: is told how many seconds the origin has taken to answer a command.
    """

    def __init__(
        self,
        origin: Origin,
        headers: Mapping[str, str],
        on_reply: Callable[[Delegate, Message], None],
        on_end: Callable[[Delegate, CloseCode], None],
        on_forward: Callable[[float], None] = nothing,
    ) -> None:
        self._origin = origin
        self._headers = headers
        self._on_reply = on_reply
        self._on_end = on_end
        self._on_forward = on_forward
        self._link: OriginLink | None = None
        self._waiting: dict[int, tuple[Any, float]] = {}
        """Commands without an answer, and when each was given."""
        self._task: asyncio.Task[None] | None = None
        self.welcome: Message = {}

    async def open(self, session: Any, secret: Any) -> None:
        """Begin, or go on with the session that the viewer names.

        Raises:
            Away: the origin is not there.
            LinkClosed: it does not let this viewer in.
        """
        link = await self._connect(session, secret)
        self.welcome = link.welcome
        self._task = asyncio.get_running_loop().create_task(self._run(link))

    @property
    def waiting(self) -> int:
        """Commands that the origin has not answered yet."""
        return len(self._waiting)

    @property
    def identity(self) -> tuple[str, str]:
        return self.welcome["session"], self.welcome["secret"]

    @property
    def facts(self) -> dict[str, Any]:
        """What the viewer is told of the origin."""
        return {
            name: self.welcome[name] for name in ("server", "version", "readonly", "detail", "resumed") if name in self.welcome
        }

    def command(self, number: int, command: Any) -> None:
        """Have a command carried out, now or when the origin is there again. Raises `LinkClosed` when too many wait."""
        if number in self._waiting:
            return
        if len(self._waiting) >= MAX_WAITING:
            raise LinkClosed(CloseCode.LIMIT, f"{MAX_WAITING} commands wait for the origin")
        self._waiting[number] = command, clock()
        if self._link is not None:
            self._send(self._link, number)

    def close(self) -> None:
        """The viewer is gone, or has another delegate."""
        self._on_end = nothing
        if self._task is not None:
            self._task.cancel()

    def _hello(self, session: Any, secret: Any) -> Message:
        return {
            "type": "hello",
            "role": "browser",
            "session": session,
            "secret": secret,
            "window": 1,
            "feeds": {},
            "relay": {"name": self._origin.relay, "viewer": True},
        }

    async def _connect(self, session: Any, secret: Any) -> OriginLink:
        return await OriginLink.open(self._origin.socket_url("/socket"), self._headers, self._hello(session, secret))

    def _send(self, link: OriginLink, number: int) -> None:
        link.say({"type": "command", "id": number, "command": self._waiting[number][0]})

    async def _run(self, link: OriginLink) -> None:
        try:
            while True:
                link = await self._serve(link)
                if link.welcome["session"] != self.welcome["session"]:
                    # Another process, or one that has forgotten the session: the viewer says hello again, and numbers its
                    # commands anew.
                    link.close()
                    self._on_end(self, CloseCode.GOING_AWAY)
                    return
        except LinkClosed as closed:
            self._on_end(self, closed.code)

    async def _serve(self, link: OriginLink) -> OriginLink:
        """Serve the viewer over ``link`` until it is lost, and return the next one.

        Raises:
            LinkClosed: the origin ends the session.
        """
        try:
            self._link = link
            for number in list(self._waiting):
                self._send(link, number)
            while True:
                message = await link.read()
                if message.get("type") != "reply":
                    continue
                waiting = self._waiting.pop(message.get("id"), None)  # type: ignore[arg-type]
                if waiting is not None:
                    self._on_forward(clock() - waiting[1])
                    self._on_reply(self, message)
        except Away:
            return await self._reconnect()
        except LinkClosed as closed:
            if closed.code not in (CloseCode.GOING_AWAY, CloseCode.SILENT):
                raise
            return await self._reconnect()
        finally:
            self._link = None
            link.close()

    async def _reconnect(self) -> OriginLink:
        backoff = Backoff(FIRST_PAUSE_S, MOST_PAUSE_S)
        self._link = None
        while True:
            await asyncio.sleep(backoff.failed())
            # Where another process is the origin now, this delegate ends before it would make a session there.
            await self._origin.until_here()
            try:
                return await self._connect(*self.identity)
            except Away:
                continue
