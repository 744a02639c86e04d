"""Links: one live connection of a session, as the core sees it.

A link decides what fits its credit. What there is to send is its reader's business, how messages look its dialect's.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from typing import Any, Protocol

from visdom_transport.core.counts import Sent, Traffic
from visdom_transport.core.dialect import Dialect
from visdom_transport.core.encoding import encode
from visdom_transport.core.errors import CloseCode
from visdom_transport.core.feed import Allowance, Batch
from visdom_transport.core.limits import Limits
from visdom_transport.core.packing import Outgoing


def nothing(*arguments: Any) -> None:
    """Takes the place of a callback that is not needed any more."""


class Reader(Protocol):
    """Whom a link serves: a session."""

    id: str
    seen_at: float
    since: float
    """When the oldest change in the newest batch happened."""
    traffic: Traffic | None
    """Where that batch is counted, if it is."""

    @property
    def has_news(self) -> bool:
        """Whether there is something that was not collected yet."""

    def next_batch(self, allowance: Allowance) -> Batch | None:
        """The next batch to be sent, or None when nothing is to be sent, or may be."""


class Link:
    """Credit, heartbeat and outgoing control messages of one connection.

    ``kind`` is "websocket" or "poll".
    """

    # Thousands of clients are idle most of the time. An empty deque alone takes 600 bytes.
    __slots__ = (
        *("address", "control", "credit", "dialect", "drawn_at", "heard_at", "held_back", "id", "in_flight", "in_flight_bytes"),
        *("kind", "on_close", "on_news", "on_ping", "pinged_at", "reader"),
        *("_acknowledged", "_limits", "_piece_bytes", "_sent"),
    )

    def __init__(self, kind: str, dialect: Dialect, limits: Limits, now: float, address: str = "") -> None:
        self.id = secrets.token_urlsafe(12)
        self.kind = kind
        self.address = address
        self.dialect = dialect
        self.reader: Reader | None = None
        """The session that it belongs to, from the hello on."""
        self.credit = limits.window_batches
        """Batches that may be in flight. The wire calls it a window."""
        self.heard_at = now
        self.pinged_at = now
        self.drawn_at: float | None = None
        """When the peer last drew a batch, as far as it has said."""
        self.on_news: Callable[[], None] = nothing
        self.on_close: Callable[[CloseCode], None] = nothing
        self.on_ping: Callable[[], None] = self._queue_ping
        self.control: list[bytes] = []
        self.in_flight: list[int] = []
        self.in_flight_bytes = 0
        self.held_back = False
        """The last batches were held back for want of credit: an acknowledgement makes room for them."""
        self._limits = limits
        self._acknowledged = 0
        self._sent: list[Sent] = []
        """The batches in flight."""
        self._piece_bytes = 0
        """What all of them have of large values."""

    def connect(
        self, on_news: Callable[[], None], on_close: Callable[[CloseCode], None], on_ping: Callable[[], None] | None = None
    ) -> None:
        """Give it to the owner of the connection.

        Args:
            on_news: called when there may be something to send.
            on_close: called when the core ends the link.
            on_ping: asks the peer for a sign of life. By default a message does, which is queued.
        """
        self.on_news, self.on_close, self.on_ping = on_news, on_close, on_ping or self.on_ping

    def hear(self, now: float) -> None:
        """The peer gave a sign of life."""
        self.heard_at = now
        if self.reader is not None:
            self.reader.seen_at = now

    def excuse(self, lost_s: float, now: float) -> None:
        """So much of the peer's silence was the server's own."""
        self.heard_at = min(now, self.heard_at + lost_s)
        self.pinged_at = min(now, self.pinged_at + lost_s)

    def let_go(self) -> Callable[[CloseCode], None]:
        """The link is over: let go of the connection's owner, so that neither keeps the other. Returns the last ``on_close``."""
        on_close = self.on_close
        self.on_news = self.on_close = self.on_ping = nothing
        return on_close

    def acknowledge(self, batches: int) -> list[Sent]:
        """The peer has applied and drawn ``batches`` batches of this link in all. A number that goes back is old news; one that
        exceeds what was sent counts as all. Returns those that were in flight."""
        count = min(batches - self._acknowledged, len(self.in_flight))
        if count <= 0:
            return []
        self.in_flight_bytes -= sum(self.in_flight[:count])
        gone = self._sent[:count]
        if self._piece_bytes:
            self._piece_bytes -= sum(pieces for pieces, _ in gone)
        del self.in_flight[:count], self._sent[:count]
        self._acknowledged += count
        return gone

    def acknowledge_all(self) -> list[Sent]:
        """Everything that was sent has arrived. Returns what was in flight."""
        self._acknowledged += len(self.in_flight)
        self.in_flight.clear()
        gone, self._sent = self._sent, []
        self.in_flight_bytes = self._piece_bytes = 0
        return gone

    @property
    def oldest_in_flight(self) -> float:
        """When the oldest change happened that was sent and is not acknowledged; infinity when there is none."""
        return min((since for _, since in self._sent), default=math.inf)

    @property
    def has_credit(self) -> bool:
        return len(self.in_flight) < self.credit and self.in_flight_bytes < self._limits.in_flight_bytes

    def take_messages(self, now: float = 0.0) -> list[Outgoing]:
        """Take everything the link may send ``now``: control messages first, then batches as far as the credit goes.

        Only a dialect that compresses has anything but bytes among them.
        """
        messages: list[Outgoing] = list(self.control)
        self.control.clear()
        reader = self.reader
        while reader is not None and reader.has_news:
            batch = reader.next_batch(self._allowance()) if self.has_credit else None
            if batch is None:
                # There is no credit, or news is a value larger than what is left of the in-flight bound.
                self.held_back = bool(self.in_flight)
                break
            encoded = self.dialect.batch(batch)
            size = sum(map(len, encoded))
            self.in_flight.append(size)
            since, traffic = reader.since, reader.traffic
            self._sent.append((batch.piece_bytes, since))
            if traffic is not None:
                traffic.new.append((size, now - since))
            self._piece_bytes += batch.piece_bytes
            self.in_flight_bytes += size
            messages += encoded
        else:
            self.held_back = False
        return messages

    def _allowance(self) -> Allowance:
        """A value larger than the bound goes alone. Pieces of large values in flight are bounded by the size of a batch: what
        changes meanwhile must not wait for long behind them, however slow the way is."""
        limits = self._limits
        room = limits.in_flight_bytes - self.in_flight_bytes
        return Allowance(
            min(limits.batch_bytes, room),
            room if self.in_flight else None,
            self._piece_bytes < limits.batch_bytes,
            self.dialect.values_only,
        )

    def _queue_ping(self) -> None:
        self.control.append(b'{"type":"ping"}')

    def say(self, message: dict[str, Any]) -> None:
        """Queue a control message and have it sent."""
        self.control.append(encode(message))
        self.on_news()
