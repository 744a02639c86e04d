"""Sessions: the server-side identity of a client, which outlives its links."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field
from typing import Any

from visdom_transport.core.catch_up import StateCursor
from visdom_transport.core.causes import Cause, Causes
from visdom_transport.core.counts import Counts, Traffic
from visdom_transport.core.errors import CloseCode, LinkClosed, MessageError
from visdom_transport.core.event_feed import EventCursor, EventFeed
from visdom_transport.core.feed import Allowance, Batch
from visdom_transport.core.followers import Follower
from visdom_transport.core.keyed_feed import KeyedFeed
from visdom_transport.core.limits import Limits
from visdom_transport.core.link import Link
from visdom_transport.core.quota import Rate

REMEMBERED_REPLIES = 64
"""A client resends only commands without a reply, so the newest few suffice; older ids are known by the highest one."""


@dataclass(slots=True)
class Subscription:
    """A session's interest in one feed. The cursor belongs to the link: it is None while there is none, and until the verdict."""

    feed: KeyedFeed | EventFeed
    cursor: Any = None
    began: int | None = None
    """The offset that it began at without a position; None once the client has presented one, and so has heard the verdict."""

    unheard: bool = False
    """The verdict goes alone, until a poll shows that the client has heard it. A position says how many entries have arrived of a
    catch-up: if some went with a verdict that is lost, their number could be the one before, and they would count as arrived."""

    asked_at: float | None = None
    """When the client asked for what it is being sent. What it was away for is not older than that."""

    traffic: Traffic | None = None
    """Where its batches are counted, if they are."""
    reason: str = ""
    """Of the verdict."""
    returned_bytes: int = 0
    """What was sent of what the client lacked then."""

    def wait_from(self, now: float) -> None:
        """The client is there, or looks, from now on: what it was not sent before is owed since now."""
        self.asked_at = now if self.cursor is None or self.feed.has_news(self.cursor) else None

    @property
    def since(self) -> float:
        """When the oldest change happened that the client has not been sent; infinity when there is none."""
        if self.cursor is not None and not self.feed.has_news(self.cursor):
            return math.inf
        if self.asked_at is not None or self.cursor is None:
            return math.inf if self.asked_at is None else self.asked_at
        return self.feed.times.since(self.cursor.offset)

    @property
    def behind(self) -> int:
        return self.feed.behind(self.cursor) if self.cursor is not None else 0

    @property
    def has_news(self) -> bool:
        return self.cursor is not None and not self.unheard and self.feed.has_news(self.cursor)

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

    def hear(self) -> None:
        """The client stands where it was sent to: it has heard the verdict."""
        self.began, self.unheard = None, False


@dataclass(slots=True, eq=False)
class Session:
    """One client: its subscriptions, its link if it has one, and which of its commands have been applied.

    ``address`` is where it was opened from; ``login`` is what its client showed last, empty where none is needed: the session
    ends with it. What must not be seen in a log is not in its repr.
    """

    role: str
    grace_s: float
    dialect: str = "own"
    address: str = ""
    login: str = field(default="", repr=False)
    causes: Causes = field(default_factory=Causes, repr=False)
    counts: Counts | None = field(default=None, repr=False)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    link: Link | None = None
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    detached_at: float = 0.0
    seen_at: float = 0.0
    follower: Follower | None = None
    """The relay that its client says to be."""
    resumes: int = 0
    problems: dict[str, int] = field(default_factory=dict)
    """How often each cause came up."""
    last_command: int = 0
    replies: dict[int, Any] = field(default_factory=dict, repr=False)
    commands: Rate = field(default_factory=lambda: Rate(Limits().max_commands_per_s, 0.0), repr=False)
    messages: Rate = field(default_factory=lambda: Rate(Limits().max_messages_per_s, 0.0), repr=False)
    since: float = math.inf
    """When the oldest change in the newest batch happened."""
    traffic: Traffic | None = None
    """Where that batch is counted, if it is."""
    _turn: int = 0
    """Which subscription is served next."""

    @property
    def behind(self) -> int:
        """How many changes the session has not been sent."""
        return sum(subscription.behind for subscription in self.subscriptions.values())

    def picture_age_s(self, now: float) -> float | None:
        """The age of the oldest change that the client has not acknowledged as drawn, or taken: 0 when it is up to date. What it
        was away for, or did not look at, counts from when it came, or looked again. None while nobody looks: it is away, or
        grants no credit."""
        link = self.link
        if link is None or not link.credit:
            return None
        oldest = min([link.oldest_in_flight, *(subscription.since for subscription in self.subscriptions.values())])
        return max(0.0, now - oldest)

    def resume(self, login: str) -> None:
        """The client is back, with this login from now on."""
        self.login = login
        self.resumes += 1
        if self.counts is not None:
            self.counts.resumed[self.role] += 1

    def look(self, now: float) -> None:
        """The client grants credit again after it granted none: somebody looks from now on."""
        for subscription in self.subscriptions.values():
            subscription.wait_from(now)

    @property
    def is_busy(self) -> bool:
        """Whether a client that acknowledges what it has dealt with is there, and still to do so."""
        link = self.link
        if link is None or self.dialect != "own":
            return False
        return bool(link.in_flight) or self.has_news

    @property
    def client(self) -> str:
        """Who this is, as a log tells it."""
        return f"{self.role} at {self.address}" if self.address else self.role

    def count(self, cause: Cause, detail: str = "", by: int = 1) -> None:
        """Something could not be done for this client as it should."""
        self.problems[cause.value] = self.problems.get(cause.value, 0) + by
        self.causes.count(cause, self.client, detail, by)

    @property
    def has_news(self) -> bool:
        """Whether there is a change that the session has not been sent."""
        return any(subscription.has_news for subscription in self.subscriptions.values())

    def next_batch(self, allowance: Allowance) -> Batch | None:
        """The next batch of the session's feeds, which take turns; None when nothing is to be sent, or may be."""
        subscriptions = list(self.subscriptions.items())
        for step in range(len(subscriptions)):
            index = (self._turn + step) % len(subscriptions)
            name, subscription = subscriptions[index]
            if not subscription.has_news:
                continue
            batch: Batch | None = subscription.feed.collect(subscription.cursor, allowance)
            if batch is not None:
                self._turn = index + 1
                self.since, self.traffic = batch.since, subscription.traffic
                if subscription.asked_at is not None:
                    self._catch_up(subscription, batch)
                if batch.conflated:
                    self._conflated(name, batch.conflated)
                if batch.missed:
                    self.count(Cause.MISSED_EVENTS, name, batch.missed)
                return batch
        return None

    def _catch_up(self, subscription: Subscription, batch: Batch) -> None:
        """A batch is of what the client asked for."""
        assert subscription.asked_at is not None
        self.since = subscription.asked_at
        if self.counts is not None and subscription.reason:
            subscription.returned_bytes += batch.size
            if batch.complete:
                self.counts.returned(subscription.reason, subscription.returned_bytes)
        if batch.complete:
            subscription.asked_at, subscription.reason = None, ""

    def _conflated(self, feed: str, states: int) -> None:
        self.count(Cause.CONFLATED_EVENTS, feed, states)
        if self.counts is not None:
            self.counts.conflated[self.counts.kind_of(feed)] += states

    def take_command(self, now: float) -> None:
        """The client gives a command. Raises `MessageError` when it gives too many."""
        if not self.commands.take(now):
            raise MessageError("limit", f"more than max_commands_per_s={self.commands.per_s}")

    def take_message(self, now: float) -> None:
        """The client says something. Raises `LinkClosed` (LIMIT) when it says too much."""
        if not self.messages.take(now):
            raise LinkClosed(CloseCode.LIMIT, f"more than max_messages_per_s={self.messages.per_s}")

    def knows_secret(self, secret: Any) -> bool:
        return isinstance(secret, str) and secrets.compare_digest(secret.encode(errors="replace"), self.secret.encode())

    def remember_reply(self, command_id: int, reply: Any) -> None:
        self.last_command = command_id
        self.replies[command_id] = reply
        while len(self.replies) > REMEMBERED_REPLIES:
            del self.replies[next(iter(self.replies))]
