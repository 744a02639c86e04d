"""Links over long polls (docs/protocol.md, section 1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

from visdom_transport.core.causes import closed
from visdom_transport.core.conversation import Conversation
from visdom_transport.core.encoding import encode
from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.core.hub import Hub
from visdom_transport.core.link import Link, nothing
from visdom_transport.core.packing import COMMA, Fragment, Message, Outgoing, Plain
from visdom_transport.core.session import Session
from visdom_transport.links.flusher import clock

Turn: TypeAlias = Awaitable[AbstractContextManager[None] | None]
"""What to wait for before acting on a message; then, if there is one, a context to act in."""

REMEMBERED_ENDS = 1_000
"""Ended links whose reason is still told to a client that polls once more."""


@dataclass(frozen=True, slots=True)
class Client:
    """Whom a request comes from."""

    address: str
    login: str | None
    """Empty where none is needed; None when it is not logged in, and must be."""
    takes_deflate: bool = False
    """Its answer may be compressed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a poll is answered, over which link if there is one."""

    messages: Sequence[Outgoing]
    link: Link | None = None


class LongPollLink:
    """One client: a chain of polls."""

    def __init__(self, conversation: Conversation, on_close: Callable[[CloseCode], None]) -> None:
        self.conversation = conversation
        self.line = asyncio.Lock()
        """What is sent is acted on in order, also when something has to wait."""
        self._waiter: asyncio.Future[None] | None = None
        self._newest = 0
        conversation.link.connect(self.wake, on_close, on_ping=nothing)  # the poll is the sign of life

    def wake(self) -> None:
        """End the wait of the poll that is being held, if any."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def answers_to(self, message: Any) -> list[bytes]:
        """Act on ``message`` and take the direct answers. Raises `LinkClosed` when the link must end."""
        control = self.conversation.link.control
        waiting = list(control)
        control.clear()
        self.conversation.act(message, clock())
        answers = list(control)
        control.clear()
        # What was queued before belongs to the poll.
        control.extend(waiting)
        return answers

    def begin_poll(self) -> int:
        """A poll takes over from those before it, whose client is gone: they must not take what it is there for."""
        self._newest += 1
        self.wake()
        return self._newest

    def is_newest(self, poll: int) -> bool:
        return poll == self._newest

    async def wait(self, timeout_s: float) -> None:
        """Wait for news, or for a newer poll."""
        self._waiter = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._waiter, timeout_s)


class LongPollLinks:
    """All such links of one hub. `poll` and `send` answer the two kinds of requests with messages.

    ``turn`` returns what to wait for before acting on a message that is sent, if anything.
    """

    def __init__(
        self,
        hub: Hub,
        converse: Callable[[Client], Conversation],
        turn: Callable[[Session, Any], Turn | None] = lambda session, message: None,
    ) -> None:
        self._hub = hub
        self._converse = converse
        self._turn = turn
        self._links: dict[str, LongPollLink] = {}
        self._ended: OrderedDict[str, CloseCode] = OrderedDict()

    async def poll(self, request: Any, client: Client) -> Answer:
        """Answer a poll: at once when there is news, else when there is or ``wait_s`` is over."""
        try:
            check(request)
            if request.get("link") is None:
                return self._open(request, client)
            long_poll = self._find(request, client)
        except LinkClosed as why:
            return Answer(self._turn_away(request, client, why))
        conversation = long_poll.conversation
        link_id = conversation.link.id
        this_poll = long_poll.begin_poll()
        wait_s = request.get("wait_s")
        wait_s = min(wait_s if isinstance(wait_s, int | float) else 0.0, self._hub.limits.poll_wait_s)
        try:
            conversation.present(request.get("feeds"), clock())
            for message in request.get("messages") or []:
                conversation.act(message, clock())
        except LinkClosed as why:
            self._hub.end(conversation.link, why.code, clock(), str(why))
        deadline = clock() + wait_s
        while link_id not in self._ended:
            messages = conversation.link.take_messages(clock())
            remaining_s = deadline - clock()
            if messages or remaining_s <= 0:
                return Answer(messages, conversation.link)
            await long_poll.wait(remaining_s)
            if not long_poll.is_newest(this_poll):
                return Answer([])
        return Answer([close_message(self._ended[link_id])])

    def session_of(self, link_id: Any) -> Session | None:
        """The session of a link that is open."""
        long_poll = self._links.get(link_id) if isinstance(link_id, str) else None
        return long_poll.conversation.session if long_poll is not None else None

    async def send(self, request: Any, client: Client) -> list[bytes]:
        """Answer a request that carries messages: with the direct answers to them."""
        try:
            check(request)
            long_poll = self._find(request, client)
        except LinkClosed as why:
            return self._turn_away(request, client, why)
        link = long_poll.conversation.link
        session = long_poll.conversation.session
        assert session is not None
        answers: list[bytes] = []
        async with long_poll.line:
            for message in request.get("messages") or []:
                turn = self._turn(session, message) if session.role == "browser" else None
                context = await turn if turn is not None else None
                if link.id in self._ended:
                    return [close_message(self._ended[link.id])]
                try:
                    with context or nullcontext():
                        answers += long_poll.answers_to(message)
                except LinkClosed as why:
                    self._hub.end(link, why.code, clock(), str(why))
                    return [close_message(why.code)]
        long_poll.wake()
        return answers

    def _turn_away(self, request: Any, client: Client, why: LinkClosed) -> list[bytes]:
        link_id = request.get("link") if isinstance(request, dict) else None
        if str(link_id) not in self._ended:
            # Otherwise it is told again what was counted when the link ended.
            self._hub.causes.count(closed(why.code), client.address, str(why))
        return [close_message(why.code)]

    def _open(self, request: dict[str, Any], client: Client) -> Answer:
        conversation = self._converse(client)
        link = conversation.link

        def ended(code: CloseCode) -> None:
            del self._links[link.id]
            self._ended[link.id] = code
            while len(self._ended) > REMEMBERED_ENDS:
                self._ended.popitem(last=False)
            long_poll.wake()

        long_poll = self._links[link.id] = LongPollLink(conversation, ended)
        try:
            messages = request.get("messages") or [None]
            for message in messages:
                conversation.act(message, clock())
                if conversation.session is None:
                    raise LinkClosed(CloseCode.PROTOCOL, "the first message must be hello")
        except LinkClosed as why:
            self._hub.end(link, why.code, clock(), str(why))
            return Answer([close_message(why.code)])
        return Answer(link.take_messages(clock()), link)

    def _find(self, request: dict[str, Any], client: Client) -> LongPollLink:
        link_id = request.get("link")
        long_poll = self._links.get(link_id) if isinstance(link_id, str) else None
        if long_poll is None:
            if client.login is None:
                raise LinkClosed(CloseCode.UNAUTHORIZED)
            raise LinkClosed(self._ended.get(str(link_id), CloseCode.UNKNOWN_LINK))
        session = long_poll.conversation.session
        assert session is not None
        if not session.knows_secret(request.get("secret")):
            raise LinkClosed(CloseCode.WRONG_SECRET)
        if client.login is None:
            # Its owner has logged out.
            self._hub.end_session(session, CloseCode.UNAUTHORIZED, clock())
            raise LinkClosed(CloseCode.UNAUTHORIZED)
        # A cookie knows no ports: its owner may have logged in again, at another server of this host.
        session.login = client.login
        return long_poll


def check(request: Any) -> None:
    """Raise `LinkClosed` when ``request`` is not a poll's body."""
    if not isinstance(request, dict) or not isinstance(request.get("messages") or [], list):
        raise LinkClosed(CloseCode.PROTOCOL, "a poll is an object with a list of messages")


def close_message(code: CloseCode, message: str = "") -> bytes:
    """The message that ends a link. ``message`` is for people, where somebody must do something."""
    return encode({"type": "close", "code": int(code), "reason": code.reason} | ({"message": message} if message else {}))


def reply(messages: Sequence[Outgoing]) -> Message:
    """The body that carries ``messages``. Only what is for many is ever compressed in it: a welcome has a secret."""
    fragments: list[Fragment] = [Plain(b'{"messages":[')]
    for number, message in enumerate(messages):
        if number:
            fragments.append(COMMA)
        fragments += message.fragments if isinstance(message, Message) else [Plain(message)]
    return Message([*fragments, Plain(b"]}")])
