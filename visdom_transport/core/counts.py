"""What a hub counts for those who run it. All of it is bounded: by roles, kinds of feeds and of links, and reasons."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from visdom_transport.core.histogram import Histogram

FRESHNESS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
RETURNED_BYTES = (1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)

LAZY_S = 0.2
"""For so long a client may keep an acknowledgement (docs/protocol.md, section 5)."""

Sent: TypeAlias = tuple[int, float]
"""What a batch in flight has of large values, in bytes, and when the oldest change in it happened."""


LINKS = ("websocket", "poll")


class Counted(Protocol):
    """A feed, as far as its changes are counted."""

    name: str
    counted: int
    """The offset up to which they are."""

    @property
    def offset(self) -> int:
        """The head."""


class Traffic(Histogram):
    """The batches of one kind of feed over one kind of link: how long each took from its oldest change until it was sent."""

    __slots__ = ("sent_bytes",)

    def __init__(self) -> None:
        super().__init__(FRESHNESS_S)
        self.sent_bytes = 0

    def sent(self, size_bytes: int, age_s: float) -> None:
        """A batch of this size is handed to its link, and the oldest change in it is so old."""
        self.sent_bytes += size_bytes
        # As `observe` does. A call costs as much as all of this, and there is one for each delivery.
        if age_s < 0.0:
            age_s = 0.0
        self.counts[bisect_left(FRESHNESS_S, age_s)] += 1
        self.sum += age_s


class Counts:
    """The counts of one hub. ``kind_of`` tells the kind of a feed by its name; there are few of them."""

    def __init__(self, kind_of: Callable[[str], str]) -> None:
        self.kind_of = kind_of
        self.opened: Counter[str] = Counter()
        """Sessions by role."""
        self.resumed: Counter[str] = Counter()
        """Returns to a session that was known, by role."""
        self.verdicts: Counter[tuple[str, str]] = Counter()
        """By kind and reason."""
        self.returned_bytes: dict[str, Histogram] = {}
        """What it cost to bring a client from its position to now, by the reason of the verdict."""
        self.changes: Counter[str] = Counter()
        self.conflated: Counter[str] = Counter()
        """States that were replaced by newer ones before they were sent, by kind."""
        self.acknowledgements = 0
        self.traffic: dict[tuple[str, str], Traffic] = {}
        """By the kind of the link and of the feed."""
        self.drawn = {kind: Histogram(FRESHNESS_S) for kind in LINKS}
        """From the oldest change in a batch until it was drawn, by the kind of the link; one for each acknowledgement."""

    def traffic_of(self, link: str, feed: str) -> Traffic:
        """What is sent of a feed over a kind of link."""
        return self.traffic.setdefault((link, self.kind_of(feed)), Traffic())

    def changed(self, feed: Counted) -> None:
        """Count what has changed since the last time. A head that went back belongs to another life."""
        self.changes[self.kind_of(feed.name)] += max(0, feed.offset - feed.counted)
        feed.counted = feed.offset

    def verdict(self, feed: str, reason: str) -> None:
        self.verdicts[self.kind_of(feed), reason] += 1

    def returned(self, reason: str, size_bytes: int) -> None:
        """A client has been sent all that it lacked at the verdict."""
        self.returned_bytes.setdefault(reason, Histogram(RETURNED_BYTES)).observe(size_bytes)

    def drew(self, link: str, sent: Sequence[Sent], drawn_at: float, now: float) -> None:
        """A client has acknowledged these batches, and drew the last of them then.

        Those before it were drawn earlier, by as much as a client may collect acknowledgements.
        """
        self.acknowledgements += 1
        if sent:
            last, first = drawn_at - sent[-1][1], now - LAZY_S - sent[0][1]
            self.drawn[link].observe(last if last > first else first)
