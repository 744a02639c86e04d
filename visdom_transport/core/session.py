"""Sessions: the server-side identity of a client, which outlives its links."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .event_feed import EventCursor, EventFeed
from .state_feed import StateCursor, StateFeed

if TYPE_CHECKING:
    from .link import Link

REMEMBERED_REPLIES = 64
"""A client resends only commands without a reply, so the newest few suffice; older ids are known by the highest one."""


@dataclass(slots=True)
class Subscription:
    """A session's interest in one feed. The cursor belongs to the link: it is None while there is none."""

    feed: StateFeed | EventFeed
    cursor: Any = None
    began: int | None = None
    """The offset that it began at without a position; None once the client has presented one, and so has heard the verdict."""

    @property
    def behind(self) -> int:
        return self.feed.behind(self.cursor) if self.cursor is not None else 0

    @property
    def has_news(self) -> bool:
        return self.cursor is not None and self.feed.has_news(self.cursor)

    def presents(self, position: Any) -> bool:
        """Whether ``position`` is exactly where the cursor stands: everything that was sent has arrived."""
        cursor = self.cursor
        if cursor is None or not isinstance(position, dict) or position.get("epoch") != self.feed.epoch:
            return False
        if position.get("offset") != cursor.offset:
            return False
        if isinstance(cursor, EventCursor):
            return True
        assert isinstance(cursor, StateCursor)
        return bool(position.get("part", 0) == cursor.sent)


@dataclass(slots=True, eq=False)
class Session:
    """One client: its subscriptions, its link if it has one, and which of its commands have been applied."""

    role: str
    grace_s: float
    dialect: str = "own"
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    link: Link | None = None
    subscriptions: OrderedDict[str, Subscription] = field(default_factory=OrderedDict)
    detached_at: float = 0.0
    seen_at: float = 0.0
    resumes: int = 0
    conflated: int = 0
    last_command: int = 0
    replies: OrderedDict[int, Any] = field(default_factory=OrderedDict)

    @property
    def behind(self) -> int:
        """How many changes the session has not been sent."""
        return sum(subscription.behind for subscription in self.subscriptions.values())

    def knows_secret(self, secret: Any) -> bool:
        return isinstance(secret, str) and secrets.compare_digest(secret.encode(errors="replace"), self.secret.encode())

    def remember_reply(self, command_id: int, reply: Any) -> None:
        self.last_command = command_id
        self.replies[command_id] = reply
        while len(self.replies) > REMEMBERED_REPLIES:
            self.replies.popitem(last=False)
