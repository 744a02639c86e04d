"""Event feeds: ordered, not conflated, a bounded ring. Every loss is announced with its count."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from visdom_transport.core.encoding import encode
from visdom_transport.core.feed import Allowance, Batch, Verdict


@dataclass(slots=True)
class EventCursor:
    """The server's copy of the offset that one reader has been sent."""

    offset: int


class EventBatch(Batch):
    """Events of an event feed; the first ``missed`` of the range are lost."""

    __slots__ = ("events", "missed")

    def __init__(self, feed: str, epoch: str, start: int, end: int, complete: bool, missed: int, events: list[bytes]) -> None:
        super().__init__(feed, epoch, start, end, complete)
        self.missed = missed
        self.events = events

    @property
    def data(self) -> bytes:
        return self._message({"missed": self.missed}, b'"events":[%b]' % b",".join(self.events))


class EventFeed:
    """One life of an ordered feed. Keeps the newest events, at most ``max_count`` and ``max_bytes`` of them."""

    def __init__(self, name: str, *, max_count: int = 10_000, max_bytes: int = 16_000_000) -> None:
        self.name = name
        self.epoch = secrets.token_hex(8)
        self.offset = 0
        self.retained_bytes = 0
        self._ring: deque[bytes] = deque()
        self._max_count = max_count
        self._max_bytes = max_bytes

    def publish(self, event: Any) -> None:
        """Append ``event``. The oldest events go when the ring is full; the newest always stays."""
        encoded = encode(event)
        self.offset += 1
        self._ring.append(encoded)
        self.retained_bytes += len(encoded)
        while len(self._ring) > 1 and (len(self._ring) > self._max_count or self.retained_bytes > self._max_bytes):
            self.retained_bytes -= len(self._ring.popleft())

    def begin(self, position: Mapping[str, Any] | None, *, live_only: bool = False) -> tuple[EventCursor, Verdict]:
        """Start a reader at ``position``; without one at the head, ``live_only`` or not; from another life of the feed at the
        oldest event there is."""
        if position is None:
            return EventCursor(self.offset), Verdict(self.epoch, self.offset, False, "new")
        if position["epoch"] != self.epoch or not 0 <= position["offset"] <= self.offset:
            return EventCursor(0), Verdict(self.epoch, 0, False, "epoch")
        offset = position["offset"]
        recovered = offset >= self.offset - len(self._ring)
        return EventCursor(offset), Verdict(self.epoch, offset, recovered, "resumed" if recovered else "trimmed")

    def has_news(self, cursor: EventCursor) -> bool:
        return cursor.offset < self.offset

    def behind(self, cursor: EventCursor) -> int:
        """How many events the reader has not been sent."""
        return self.offset - cursor.offset

    def collect(self, cursor: EventCursor, allowance: Allowance) -> EventBatch | None:
        """Return the next events for ``cursor`` and move it, or None when it is up to date, or there is no room for the next one.

        Events go whole. At least one is taken, whatever its size.
        """
        if not self.has_news(cursor):
            return None
        oldest = self.offset - len(self._ring)
        missed = max(0, oldest - cursor.offset)
        first = cursor.offset + missed - oldest
        events: list[bytes] = []
        size = 0
        for event in islice(self._ring, first, None):
            if not events and not allowance.has_room(len(event)):
                return None
            if events and size + len(event) > allowance.budget_bytes:
                break
            events.append(event)
            size += len(event)
        start = cursor.offset
        cursor.offset = start + missed + len(events)
        return EventBatch(self.name, self.epoch, start, cursor.offset, cursor.offset == self.offset, missed, events)
