"""The viewers of a relay: who is let in, and what they say."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tornado.httputil import parse_cookie

from visdom_transport.core.conversation import Conversation
from visdom_transport.core.encoding import decode
from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.core.hub import Hub
from visdom_transport.core.link import nothing
from visdom_transport.core.session import Session
from visdom_transport.links.flusher import clock
from visdom_transport.links.longpoll import Client
from visdom_transport.relay.delegate import Delegate
from visdom_transport.relay.link import Away, Message
from visdom_transport.relay.origin import COOKIE, Origin

SHOWN: Final = ("Cookie", "Origin", "Host", "Sec-Fetch-Site", "User-Agent")
"""What the origin is shown of a viewer's request, to decide whether it is let in."""

MAX_EARLY_MESSAGES: Final = 100
"""What a viewer may say before it is let in."""


def shown(headers: Mapping[str, str]) -> dict[str, str]:
    """What decides whether the origin lets a viewer in."""
    return {name: headers[name] for name in SHOWN if name in headers}


def login_of(headers: Mapping[str, str]) -> str:
    """What a viewer is logged in with, as the origin sees it: a digest, since the cookie is a key. Empty without one."""
    cookie = parse_cookie(headers.get("Cookie", "")).get(COOKIE, "")
    return hashlib.sha256(cookie.encode()).hexdigest() if cookie else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted(Client):
    """A viewer that the origin has let in."""

    delegate: Delegate


class ViewerConversation(Conversation):
    """One viewer on one link. Its commands go to the origin, of which it is told."""

    __slots__ = ("_delegate", "_origin")

    def __init__(self, hub: Hub, origin: Origin, kind: str, client: Client) -> None:
        facts: dict[str, Any] = {}
        super().__init__(
            *(hub, kind, clock(), _nobody, facts),
            address=client.address,
            login=client.login or "",
            can_compress=client.takes_deflate,
        )
        self._origin = origin
        self._delegate: Delegate | None = None

    def let_in(self, delegate: Delegate) -> None:
        """The origin has let the viewer in."""
        self._delegate = delegate
        self._facts = delegate.facts
        self.identity = delegate.identity

    def _hello(self, message: dict[str, Any], now: float) -> None:
        super()._hello(message, now)
        self.link.say(self._origin.as_source())

    def _command(self, message: dict[str, Any], now: float) -> None:
        session = self._known_session()
        number = self._count(message, "id", least=1)
        if number <= session.last_command:
            reply = session.replies.get(number, {"error": None, "result": None})
            self.link.say({"type": "reply", "id": number, **reply})
            return
        assert self._delegate is not None
        self._hub.totals["commands"] += 1
        self._delegate.command(number, message.get("command"))


def _nobody(session: Session, command: dict[str, Any]) -> Any:
    raise AssertionError("a relay carries out no command")


class Viewers:
    """Who is let in: whom the origin lets in, for as long as it does.

    ``on_forward`` is told how many seconds the origin has taken to answer a command.
    """

    def __init__(self, origin: Origin, hub: Hub, on_forward: Callable[[float], None] = nothing) -> None:
        self._origin = origin
        self._hub = hub
        self._on_forward = on_forward
        self._delegates: dict[str, Delegate] = {}

    def converse(self, kind: str, client: Client) -> ViewerConversation:
        """A conversation with somebody who may be let in."""
        return ViewerConversation(self._hub, self._origin, kind, client)

    async def let_in(self, hello: Any, headers: Mapping[str, str]) -> Delegate:
        """The delegate of a viewer that says ``hello``.

        Raises:
            LinkClosed: the origin does not let it in, or is away and cannot be asked.
        """
        if not isinstance(hello, dict) or hello.get("type") != "hello":
            raise LinkClosed(CloseCode.PROTOCOL, "the first message must be hello")
        if hello.get("role") != "browser":
            raise LinkClosed(CloseCode.PROTOCOL, "a source reads at the origin")
        session = self._known(hello)
        if session is not None:
            delegate = self._delegates.get(session.id)
            if delegate is not None and session.login == login_of(headers):
                delegate.welcome["resumed"] = True
                return delegate
            self.forget(session)
        try:
            delegate = await self._open(hello, headers)
        except LinkClosed as closed:
            if session is not None and closed.code is not CloseCode.GOING_AWAY:
                self._hub.end_session(session, closed.code, clock())
            raise
        if session is not None and session.id != delegate.welcome["session"]:
            self._hub.end_session(session, CloseCode.REPLACED, clock())
        session_id = delegate.identity[0]
        if (former := self._delegates.pop(session_id, None)) is not None:
            former.close()
        self._delegates[session_id] = delegate
        return delegate

    def _known(self, hello: Message) -> Session | None:
        session = self._hub.sessions.get(hello["session"]) if isinstance(hello.get("session"), str) else None
        return session if session is not None and session.knows_secret(hello.get("secret")) else None

    async def _open(self, hello: Message, headers: Mapping[str, str]) -> Delegate:
        delegate = Delegate(self._origin, shown(headers), self._reply, self._end, self._on_forward)
        try:
            await delegate.open(hello.get("session"), hello.get("secret"))
        except LinkClosed as closed:
            if closed.code is CloseCode.UNAUTHORIZED:
                self._origin.refused()
            raise
        except Away as away:
            raise LinkClosed(CloseCode.GOING_AWAY, f"the origin is away: {away}") from None
        return delegate

    def drop_unused(self, delegate: Delegate) -> None:
        """Its viewer may not have got as far as to have a session here."""
        session_id = delegate.identity[0]
        if session_id not in self._hub.sessions and self._delegates.get(session_id) is delegate:
            self._delegates.pop(session_id).close()

    def _reply(self, delegate: Delegate, message: Message) -> None:
        session = self._hub.sessions.get(delegate.identity[0])
        if session is not None:
            session.remember_reply(message["id"], {"error": message.get("error"), "result": message.get("result")})
            if session.link is not None:
                session.link.say(message)

    def _end(self, delegate: Delegate, code: CloseCode) -> None:
        """The origin has ended a session, or another server has the viewer now."""
        if code is CloseCode.UNAUTHORIZED:
            self._origin.refused()
        session_id = delegate.identity[0]
        delegate.close()
        if self._delegates.get(session_id) is not delegate:
            return  # the viewer has another one
        del self._delegates[session_id]
        session = self._hub.sessions.get(session_id)
        if session is None:
            return
        if code is not CloseCode.REPLACED:
            self._hub.end_session(session, code, clock(), "by the origin")
        elif session.link is not None:
            # Its feeds are kept for the grace period: whoever was here alone would otherwise find another life of them elsewhere.
            self._hub.end(session.link, code, clock(), "by the origin")

    def end_those_of_others(self, server: str) -> None:
        """Another process is the origin now. Its sessions are others, and it may have another state: viewers say hello again."""
        for delegate in list(self._delegates.values()):
            if delegate.welcome["server"] != server:
                self._end(delegate, CloseCode.GOING_AWAY)

    def tell_of_source(self) -> None:
        """The origin is there again, or away."""
        said = self._origin.as_source()
        for session in list(self._hub.sessions.values()):
            if session.link is not None:
                session.link.say(said)

    def forget(self, session: Session) -> None:
        """A session is over."""
        delegate = self._delegates.pop(session.id, None)
        if delegate is not None:
            delegate.close()

    def knows_login(self, headers: Mapping[str, str]) -> bool:
        """Whether somebody is here whom the origin has let in with the same."""
        login = login_of(headers)
        return any(session.login == login for session in self._hub.sessions.values())

    @property
    def waiting_commands(self) -> int:
        """Commands that the origin has not answered yet."""
        return sum(delegate.waiting for delegate in self._delegates.values())

    def stop(self) -> None:
        for delegate in self._delegates.values():
            delegate.close()


class ViewerPeer:
    """A viewer on a WebSocket, from its first word on. What it says before it is let in waits."""

    def __init__(self, viewers: Viewers, hub: Hub, headers: Mapping[str, str], client: Client) -> None:
        self._viewers = viewers
        self._hub = hub
        self._headers = headers
        self._conversation = viewers.converse("websocket", client)
        self._is_in = False
        self._early: list[bytes | str] = []
        self._task: asyncio.Task[None] | None = None
        self.link = self._conversation.link

    def receive(self, data: bytes | str, now: float) -> None:
        """See `visdom_transport.links.websocket.Peer`."""
        if self._is_in:
            self._conversation.receive(data, now)
            return
        self.link.hear(now)
        if len(self._early) >= MAX_EARLY_MESSAGES:
            raise LinkClosed(CloseCode.PROTOCOL, "it says too much before it is let in")
        self._early.append(data)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._enter(data))

    async def _enter(self, data: bytes | str) -> None:
        try:
            try:
                hello = decode(data)
            except ValueError:
                hello = None
            delegate = await self._viewers.let_in(hello, self._headers)
            self._conversation.let_in(delegate)
            try:
                for early in self._early:
                    self._conversation.receive(early, clock())
            finally:
                self._viewers.drop_unused(delegate)
            self._is_in = True
        except LinkClosed as closed:
            self._hub.end(self.link, closed.code, clock(), str(closed))

    def gone(self) -> None:
        """Its connection has ended."""
        if self._task is not None and not self._is_in:
            self._task.cancel()
