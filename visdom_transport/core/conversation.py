"""One client speaking docs/protocol.md over one link, without the connection itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from visdom_transport.core.causes import Cause
from visdom_transport.core.dialect import OwnDialect
from visdom_transport.core.encoding import decode
from visdom_transport.core.errors import CloseCode, LinkClosed, MessageError
from visdom_transport.core.event_feed import EventFeed
from visdom_transport.core.followers import Follower
from visdom_transport.core.hub import Hub
from visdom_transport.core.link import Link
from visdom_transport.core.session import Session

Commander = Callable[[Session, dict[str, Any]], Any]
"""Carries out a command of a session and returns the result. Raises `MessageError` when it cannot."""

ROLES = ("browser", "source")

COMPRESSION = "deflate"
"""What both sides call the one way to compress messages."""

MESSAGES = frozenset({"subscribe", "unsubscribe", "ack", "credit", "command", "ping", "pong"})
"""What may follow the hello; a method of the conversation acts on each."""


class Conversation:
    """Parses what the client says and acts on the hub. Answers are queued on ``link``; take them with ``link.take_messages()``.

    Args:
        facts: what ``welcome`` tells beside the session: server, version, readonly, detail.
        address: where the client is.
        login: what it is logged in with; empty where none is needed.
        can_compress: its connection has a way to carry compressed messages.
        identity: id and secret for its session, where another server has given them.
    """

    __slots__ = (
        "__weakref__",
        "_can_compress",
        "_commander",
        "_dialect",
        "_drawn",
        "_facts",
        "_hub",
        "_login",
        "identity",
        "link",
    )

    def __init__(
        self,
        hub: Hub,
        kind: str,
        now: float,
        commander: Commander,
        facts: dict[str, Any],
        *,
        address: str = "",
        login: str = "",
        can_compress: bool = False,
        identity: tuple[str, str] | None = None,
    ) -> None:
        self.identity = identity
        self._dialect = OwnDialect()
        self.link = Link(kind, self._dialect, hub.limits, now, address)
        self._drawn = hub.counts.drawn[kind] if hub.counts is not None else None
        self._can_compress = can_compress
        self._login = login
        self._hub = hub
        self._commander = commander
        self._facts = facts

    @property
    def session(self) -> Session | None:
        """The client's session, once it has said hello."""
        return self._hub.session_of(self.link)

    def _known_session(self) -> Session:
        session = self.session
        assert session is not None
        return session

    def receive(self, data: bytes | str, now: float) -> None:
        """Act on one encoded message. Raises `LinkClosed` when the link must end."""
        self.link.hear(now)
        try:
            message = decode(data)
        except ValueError as error:
            self._refuse(MessageError("bad_message", f"not JSON: {error}"))
            return
        self.act(message, now)

    def act(self, message: Any, now: float) -> None:
        """Act on one message. Raises `LinkClosed` when the link must end."""
        self.link.hear(now)
        kind = message.get("type") if isinstance(message, dict) else None
        try:
            if not isinstance(kind, str):
                raise MessageError("bad_message", "a message is an object with a string type", "type")
            session = self.session
            if session is None:
                if kind != "hello":
                    raise LinkClosed(CloseCode.PROTOCOL, "the first message must be hello")
                if self._hub.is_stopping:
                    raise LinkClosed(CloseCode.GOING_AWAY)
                self._hello(message, now)
                return
            session.take_message(now)
            if kind in MESSAGES:
                getattr(self, f"_{kind}")(message, now)
            else:
                raise MessageError("bad_message", f"no message type {kind[:50]!r}", "type")
        except MessageError as error:
            self._refuse(error)

    def present(self, feeds: Any, now: float) -> None:
        """A poll presents where the client stands: collect from there (docs/protocol.md, section 1).

        Raises `LinkClosed` when the link must end.
        """
        self.link.hear(now)
        sent = self.link.acknowledge_all()
        if sent and self._drawn is not None:
            self._drawn.acknowledged(sent, now, now)
        self._hub.on_answer()
        session = self._known_session()
        session.take_message(now)
        if not isinstance(feeds, dict):
            self._refuse(MessageError("bad_field", "feeds must map feed names to positions", "feeds"))
            return
        self._check_number(feeds)
        for name in [name for name in session.subscriptions if name not in feeds]:
            self._hub.unsubscribe(session, name)
        for name, position in feeds.items():
            subscription = session.subscriptions.get(name)
            began = None
            if subscription is not None:
                if subscription.presents(position):
                    subscription.hear()
                    continue
                if position is None and subscription.began is not None and isinstance(subscription.feed, EventFeed):
                    # The reply with the verdict was lost: what happened since the subscription began is still owed.
                    began = subscription.began
            self._try_subscribe(session, name, position, began)

    def _hello(self, message: dict[str, Any], now: float) -> None:
        role = message.get("role")
        if role not in ROLES:
            raise LinkClosed(CloseCode.PROTOCOL, f"role must be one of {', '.join(ROLES)}")
        feeds = message.get("feeds", {})
        if not isinstance(feeds, dict):
            raise LinkClosed(CloseCode.PROTOCOL, "feeds must map feed names to positions")
        self._check_number(feeds)
        self._agree_on_compression(message)
        if "window" in message:
            self._grant(message, poll=self._hub.limits.window_batches)
        hub = self._hub
        hub.hello(self.link)
        session = hub.resume_session(message.get("session"), message.get("secret"), role, self._login)
        resumed = session is not None
        if session is None:
            session = hub.open_session(role, now, address=self.link.address, login=self._login, identity=self.identity)
        session.follower = Follower.of(message)
        hub.attach(session, self.link, now)
        limits = hub.limits
        self.link.say(
            {
                "type": "welcome",
                "session": session.id,
                "secret": session.secret,
                "link": self.link.id,
                "resumed": resumed,
                "heartbeat_s": limits.heartbeat_s,
                "dead_after_s": limits.dead_after_s,
                "grace_s": limits.grace_s,
                "poll_wait_s": limits.poll_wait_s,
                "window": limits.window_batches,
                "compression": COMPRESSION if self._dialect.compresses else None,
                **self._facts,
            }
        )
        for name in [name for name in session.subscriptions if name not in feeds]:
            hub.unsubscribe(session, name)
        for name, position in feeds.items():
            self._try_subscribe(session, name, position)

    def _agree_on_compression(self, hello: dict[str, Any]) -> None:
        names = hello.get("compression", [])
        if not isinstance(names, list):
            raise LinkClosed(CloseCode.PROTOCOL, "compression must be a list of names")
        self._dialect.compresses = self._can_compress and COMPRESSION in names

    def _check_number(self, feeds: dict[str, Any]) -> None:
        # Each subscription too many would be answered with an error of its own: a large answer to a small question.
        limit = self._hub.limits.max_subscriptions
        if len(feeds) > limit:
            raise LinkClosed(CloseCode.LIMIT, f"more than max_subscriptions={limit}")

    def _try_subscribe(self, session: Session, name: str, position: Any, began: int | None = None) -> None:
        try:
            self._hub.subscribe(session, name, position, began=began)
        except MessageError as error:
            self._refuse(error, feed=name)

    def _subscribe(self, message: dict[str, Any], now: float) -> None:
        self._try_subscribe(self._known_session(), self._feed_name(message), message.get("position"))

    def _unsubscribe(self, message: dict[str, Any], now: float) -> None:
        self._hub.unsubscribe(self._known_session(), self._feed_name(message))

    @staticmethod
    def _feed_name(message: dict[str, Any]) -> str:
        name = message.get("feed")
        if not isinstance(name, str):
            raise MessageError("bad_field", "feed must be a string", "feed")
        return name

    def _ack(self, message: dict[str, Any], now: float) -> None:
        ago_ms = self._count(message, "ago_ms") if "ago_ms" in message else 0
        sent = self.link.acknowledge(self._count(message, "batches"))
        self.link.drawn_at = now - ago_ms / 1000
        if sent and self._drawn is not None:
            self._drawn.acknowledged(sent, self.link.drawn_at, now)
        # What changed since is collected with the next flush, for everybody at once.
        if self.link.held_back:
            self.link.on_news()
        self._hub.on_answer()

    def _credit(self, message: dict[str, Any], now: float) -> None:
        had_none = not self.link.credit
        self._grant(message, poll=self._hub.limits.window_batches if message.get("window") else 0)
        if had_none and self.link.credit:
            self._known_session().look(now)
        self.link.on_news()

    def _grant(self, message: dict[str, Any], *, poll: int) -> None:
        """A poll is its own credit: it asks for what there is, unless the client has said since that it wants nothing."""
        window = min(self._count(message, "window"), self._hub.limits.window_batches)
        self.link.credit = poll if self.link.kind == "poll" else window

    @staticmethod
    def _count(message: dict[str, Any], field: str, least: int = 0) -> int:
        value = message.get(field)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise MessageError("bad_field", f"{field} must be an integer of at least {least}", field)
        return value

    def _ping(self, message: dict[str, Any], now: float) -> None:
        behind = self._known_session().behind
        self.link.say({"type": "pong", "behind": behind} if behind else {"type": "pong"})

    def _command(self, message: dict[str, Any], now: float) -> None:
        session = self._known_session()
        command_id = self._count(message, "id", least=1)
        if command_id > session.last_command:
            self._hub.totals["commands"] += 1
            session.remember_reply(command_id, self._carry_out(session, message.get("command"), now))
        # A remembered reply that is gone was confirmed long ago, or the client would have asked for it again earlier.
        reply = session.replies.get(command_id, {"error": None, "result": None})
        self.link.say({"type": "reply", "id": command_id, **reply})

    def _carry_out(self, session: Session, command: Any, now: float) -> dict[str, Any]:
        try:
            session.take_command(now)
            if not isinstance(command, dict) or not isinstance(command.get("cmd"), str):
                raise MessageError("bad_field", "command must be an object with a string cmd", "command")
            return {"error": None, "result": self._commander(session, command)}
        except MessageError as error:
            session.count(Cause.REFUSED_COMMANDS, f"{error.code}: {error.message}")
            return {"error": error.as_json(), "result": None}

    def _pong(self, message: dict[str, Any], now: float) -> None:
        """It was heard; that is all."""

    def _refuse(self, error: MessageError, **context: Any) -> None:
        session = self.session
        if session is None:
            raise LinkClosed(CloseCode.PROTOCOL, f"the first message must be hello; {error.message}")
        session.count(Cause.REFUSED_MESSAGES, f"{error.code}: {error.message}")
        self.link.say({"type": "error", **error.as_json(), **context})
