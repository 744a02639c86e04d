"""Event feeds: ordered, not conflated, a bounded ring. Every loss is announced with its count."""

from __future__ import annotations

import secrets
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visdom_transport.core.change_times import ChangeTimes
from visdom_transport.core.encoding import encode
from visdom_transport.core.feed import Allowance, Batch, Verdict


class SharedMember:
    """A member that several events carry, such as what a window held when each of them happened: encoded once, kept once."""

    __slots__ = ("__weakref__", "name", "value")

    def __init__(self, name: str, value: Any) -> None:
        self.name = encode(name)
        self.value = encode(value)


class Event:
    """An event as it is kept: encoded, and not joined with what it shares with others."""

    __slots__ = ("parts", "shared")

    def __init__(self, event: Any, shared: SharedMember | None) -> None:
        encoded = encode(event)
        self.shared = shared
        self.parts: tuple[bytes, ...] = (encoded,)
        """Its JSON."""
        if shared is not None:
            comma = b"," if encoded != b"{}" else b""
            self.parts = (b"%b%b%b:" % (encoded[:-1], comma, shared.name), shared.value, b"}")

    def __len__(self) -> int:
        """Bytes of its JSON."""
        return sum(map(len, self.parts))

    @property
    def data(self) -> bytes:
        """Its JSON."""
        return b"".join(self.parts)

    @property
    def own_bytes(self) -> int:
        """What is kept for this event alone."""
        return len(self) - (len(self.shared.value) if self.shared is not None else 0)


@dataclass(slots=True)
class EventCursor:
    """The server's copy of the offset that one reader has been sent."""

    offset: int

    def position(self, epoch: str) -> dict[str, Any]:
        """What the reader would present, once it has taken everything that it was sent."""
        return {"epoch": epoch, "offset": self.offset}


class EventBatch(Batch):
    """Events of an event feed; the first ``missed`` of the range are lost."""

    __slots__ = ("events", "missed")

    def __init__(self, feed: str, epoch: str, start: int, end: int, complete: bool, missed: int, events: list[Event]) -> None:
        super().__init__(feed, epoch, start, end, complete)
        self.missed = missed
        self.events = events

    @property
    def data(self) -> bytes:
        content = [self._head({"missed": self.missed}), b'"events":[']
        for number, event in enumerate(self.events):
            content += (b",", *event.parts) if number else event.parts
        content.append(b"]}")
        return b"".join(content)


class EventFeed:
    """One life of an ordered feed. Keeps the newest events: at most ``max_count`` of them, and ``max_bytes`` besides the largest
    of the shared members.

    That one is not counted because it may be larger than the bound by itself: a few events about a large window, and those about
    others in between, must not push each other out.
    """

    is_ready = True
    """Whether it can give verdicts."""

    def __init__(self, name: str, *, max_count: int = 10_000, max_bytes: int = 64_000_000) -> None:
        self.name = name
        self.counted = 0
        """The offset up to which its events are counted (`counts.py`)."""
        self.epoch = secrets.token_hex(8)
        self.offset = 0
        self.times = ChangeTimes()
        self.retained_bytes = 0
        """Of all events that are kept; what they share counts once."""
        self._ring: deque[Event] = deque()
        self._carried: Counter[SharedMember] = Counter()
        """How many events in the ring carry each shared member."""
        self._largest_bytes = 0
        """The size of the largest of those."""
        self._max_count = max_count
        self._max_bytes = max_bytes

    def publish(self, event: Any, shared: SharedMember | None = None) -> None:
        """Append ``event``, an object when it also has a ``shared`` member. The oldest events go when the ring is full; the
        newest always stays."""
        added = Event(event, shared)
        self.offset += 1
        self._ring.append(added)
        self.retained_bytes += added.own_bytes
        if shared is not None:
            self._carried[shared] += 1
            if self._carried[shared] == 1:
                self.retained_bytes += len(shared.value)
                self._largest_bytes = max(self._largest_bytes, len(shared.value))
        while len(self._ring) > 1 and self._is_full:
            self._drop(self._ring.popleft())

    @property
    def _is_full(self) -> bool:
        return len(self._ring) > self._max_count or self.retained_bytes - self._largest_bytes > self._max_bytes

    def forget(self) -> None:
        """Keep no event."""
        while self._ring:
            self._drop(self._ring.popleft())

    def _drop(self, event: Event) -> None:
        self.retained_bytes -= event.own_bytes
        shared = event.shared
        if shared is None:
            return
        self._carried[shared] -= 1
        if not self._carried[shared]:
            del self._carried[shared]
            self.retained_bytes -= len(shared.value)
            if len(shared.value) == self._largest_bytes:
                self._largest_bytes = max((len(each.value) for each in self._carried), default=0)

    def awaits(self, position: Mapping[str, Any] | None) -> bool:
        """Whether a reader at ``position`` must wait for its verdict."""
        return False

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
        return max(0, self.offset - cursor.offset)

    def collect(self, cursor: EventCursor, allowance: Allowance) -> EventBatch | None:
        """Return the next events for ``cursor`` and move it, or None when it is up to date, or there is no room for the next one.

        Events go whole. At least one is taken, whatever its size.
        """
        if not self.has_news(cursor):
            return None
        oldest = self.offset - len(self._ring)
        missed = max(0, oldest - cursor.offset)
        first = cursor.offset + missed - oldest
        events: list[Event] = []
        size = 0
        # By index, which a deque finds from the nearer end: most readers are at the newest.
        for index in range(first, len(self._ring)):
            event = self._ring[index]
            if not events and not allowance.has_room(len(event)):
                return None
            if events and size + len(event) > allowance.budget_bytes:
                break
            events.append(event)
            size += len(event)
        start = cursor.offset
        cursor.offset = start + missed + len(events)
        batch = EventBatch(self.name, self.epoch, start, cursor.offset, cursor.offset == self.offset, missed, events)
        batch.since = self.times.since(start)
        return batch
