"""Links: one live connection of a session, as the core sees it.

A link is told what the session may be sent and decides what fits its credit. How messages look is its dialect's business.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from .encoding import encode
from .errors import CloseCode
from .event_feed import EventBatch
from .limits import Limits
from .state_feed import StateBatch, Verdict
from .tally import Cause

if TYPE_CHECKING:
    from .session import Session


def nothing(*arguments: Any) -> None:
    """Does nothing, for whoever need not know any more."""


class Dialect(Protocol):
    """How a link says things."""

    values_only: bool
    """Whether deltas must not be sent."""

    def batch(self, batch: StateBatch | EventBatch) -> list[bytes]:
        """The messages that carry ``batch``."""

    def subscribed(self, feed: str, verdict: Verdict) -> list[bytes]:
        """The messages that answer a subscription."""


class OwnDialect:
    """docs/protocol.md."""

    values_only = False

    def batch(self, batch: StateBatch | EventBatch) -> list[bytes]:
        return [batch.data]

    def subscribed(self, feed: str, verdict: Verdict) -> list[bytes]:
        return [
            encode(
                {
                    "type": "subscribed",
                    "feed": feed,
                    "epoch": verdict.epoch,
                    "offset": verdict.offset,
                    "recovered": verdict.recovered,
                    "reason": verdict.reason,
                    "header": verdict.header,
                }
            )
        ]


class Link:
    """Credit, heartbeat and outgoing control messages of one connection.

    ``kind`` is "websocket" or "poll". ``on_news`` is called when there may be something to send, ``on_close`` when the core
    ends the link; both are set by whoever owns the connection.
    """

    def __init__(self, kind: str, dialect: Dialect, limits: Limits, now: float) -> None:
        self.id = secrets.token_urlsafe(12)
        self.kind = kind
        self.address = ""
        """Where it comes from, while it waits for its hello."""
        self.dialect = dialect
        self.session: Session | None = None
        self.window = limits.window_batches
        self.heard_at = now
        self.pinged_at = now
        self.on_news: Callable[[], None] = nothing
        self.on_close: Callable[[CloseCode], None] = nothing
        self.on_ping: Callable[[], None] = lambda: self.control.append(b'{"type":"ping"}')
        self.control: deque[bytes] = deque()
        self.in_flight: deque[int] = deque()
        self.in_flight_bytes = 0
        self.held_back = False
        """The last outbox left something behind for want of credit: an acknowledgement makes room for it."""
        self._limits = limits
        self._acknowledged = 0
        self._turn = 0
        self._pieces: deque[int] = deque()
        """What each batch in flight has of large values, in bytes."""

    def hear(self, now: float) -> None:
        """The peer gave a sign of life."""
        self.heard_at = now
        if self.session is not None:
            self.session.seen_at = now

    def let_go(self) -> Callable[[CloseCode], None]:
        """The link is over: let go of the connection's owner, so that neither keeps the other. Returns the last ``on_close``."""
        on_close = self.on_close
        self.on_news = self.on_close = self.on_ping = nothing
        return on_close

    def acknowledge(self, batches: int) -> None:
        """The peer has applied and drawn ``batches`` batches of this link in all. A number that goes back is old news; one that
        exceeds what was sent counts as all."""
        while self._acknowledged < batches and self.in_flight:
            self.in_flight_bytes -= self.in_flight.popleft()
            self._pieces.popleft()
            self._acknowledged += 1

    def acknowledge_all(self) -> None:
        """Everything that was sent has arrived."""
        self._acknowledged += len(self.in_flight)
        self.in_flight.clear()
        self._pieces.clear()
        self.in_flight_bytes = 0

    @property
    def has_credit(self) -> bool:
        return len(self.in_flight) < self.window and self.in_flight_bytes < self._limits.in_flight_bytes

    def outbox(self) -> list[bytes]:
        """Take everything the link may send now: control messages first, then batches as far as the credit goes."""
        messages = list(self.control)
        self.control.clear()
        while self.has_credit:
            batch = self._next_batch()
            if batch is None:
                # News that is not collected is a value larger than what is left of the in-flight bound.
                self.held_back = bool(self.in_flight) and self._has_news
                break
            encoded = self.dialect.batch(batch)
            size = sum(map(len, encoded))
            self.in_flight.append(size)
            self._pieces.append(batch.piece_bytes)
            self.in_flight_bytes += size
            messages += encoded
        else:
            self.held_back = True
        return messages

    @property
    def _has_news(self) -> bool:
        return self.session is not None and any(s.has_news for s in self.session.subscriptions.values())

    def _next_batch(self) -> StateBatch | EventBatch | None:
        """The next batch of the session's feeds, which take turns.

        Pieces of large values in flight are bounded by the size of a batch: what changes meanwhile must not wait for long behind
        them, however slow the way is.
        """
        if self.session is None:
            return None
        subscriptions = list(self.session.subscriptions.items())
        room = self._limits.in_flight_bytes - self.in_flight_bytes
        budget = min(self._limits.batch_bytes, room)
        # A value larger than the bound goes alone.
        room_bytes = room if self.in_flight else None
        pieces = sum(self._pieces) < self._limits.batch_bytes
        for step in range(len(subscriptions)):
            index = (self._turn + step) % len(subscriptions)
            name, subscription = subscriptions[index]
            if not subscription.has_news:
                continue
            batch: StateBatch | EventBatch | None = subscription.feed.collect(subscription.cursor, budget, room_bytes, pieces)
            if batch is not None:
                self._turn = index + 1
                if batch.conflated:
                    self.session.count(Cause.CONFLATED_EVENTS, name, batch.conflated)
                if batch.missed:
                    self.session.count(Cause.MISSED_EVENTS, name, batch.missed)
                return batch
        return None

    def say(self, message: dict[str, Any]) -> None:
        """Queue a control message and have it sent."""
        self.control.append(encode(message))
        self.on_news()
