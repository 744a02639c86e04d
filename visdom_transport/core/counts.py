"""What a hub counts for those who run it. All of it is bounded: by roles, kinds of feeds and of links, and reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

from visdom_transport.core.histogram import Histogram

FRESHNESS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
RETURNED_BYTES = (1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)

LAZY_S = 0.2
"""For so long a client may keep an acknowledgement (docs/protocol.md, section 5)."""

Sent: TypeAlias = tuple[int, float]
"""What a batch in flight has of large values, in bytes, and when the oldest change in it happened."""


MANY = 1_000
"""So much is not kept uncounted."""

LINKS = ("websocket", "poll")


class Counted(Protocol):
    """A feed, as far as its changes are counted."""

    name: str
    counted: int
    """The offset up to which they are."""

    @property
    def offset(self) -> int:
        """The head."""


class Traffic:
    """The batches of one kind of feed over one kind of link."""

    __slots__ = ("fresh", "new", "sent_bytes")

    def __init__(self) -> None:
        self.new: list[tuple[int, float]] = []
        """The size of each batch, and how old the oldest change in it was when it was sent; not counted yet. Whoever sends one
        only appends to this: there is nothing cheaper, and it happens for each delivery."""
        self.fresh = Histogram(FRESHNESS_S)
        """The ages of those that are counted."""
        self.sent_bytes = 0
        """Their size."""

    def count(self) -> None:
        """Count what is new."""
        self.sent_bytes += sum(size_bytes for size_bytes, _ in self.new)
        self.fresh.observe_all(age_s for _, age_s in self.new)
        self.new.clear()


class Drawn:
    """The acknowledgements of one kind of link."""

    __slots__ = ("fresh", "new")

    def __init__(self) -> None:
        self.new: list[float] = []
        """From the oldest change until it was drawn; not counted yet."""
        self.fresh = Histogram(FRESHNESS_S)
        """Those that are counted."""

    def acknowledged(self, sent: Sequence[Sent], drawn_at: float, now: float) -> None:
        """A client has acknowledged these batches, and drew the last of them then.

        Those before it were drawn earlier, by as much as a client may collect acknowledgements.
        """
        age_s = drawn_at - sent[-1][1]
        self.new.append(age_s if len(sent) == 1 else max(age_s, now - LAZY_S - sent[0][1]))

    def count(self) -> None:
        """Count what is new."""
        self.fresh.observe_all(self.new)
        self.new.clear()


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
        self.encoded: Counter[str] = Counter()
        """What was encoded for readers of feeds that are gone, in bytes: values, deltas, and pieces of values."""
        self.traffic: dict[tuple[str, str], Traffic] = {}
        """By the kind of the link and of the feed."""
        self.drawn = {kind: Drawn() for kind in LINKS}
        """By the kind of the link."""

    def traffic_of(self, link: str, feed: str) -> Traffic:
        """What is sent of a feed over a kind of link."""
        return self.traffic.setdefault((link, self.kind_of(feed)), Traffic())

    def changed(self, feed: Counted) -> None:
        """Count what has changed since the last time. A head that went back belongs to another life."""
        self.changes[self.kind_of(feed.name)] += max(0, feed.offset - feed.counted)
        feed.counted = feed.offset

    def note(self, feeds: Mapping[str, Counted], changed: Iterable[str]) -> None:
        """Count what has changed in these, and what was sent and acknowledged if that is much."""
        for name in changed:
            if name in feeds:
                self.changed(feeds[name])
        self.count(MANY)

    def count(self, at_least: int = 0) -> None:
        """Count what was sent and acknowledged, where there is so much of it."""
        kept: tuple[Traffic | Drawn, ...] = (*self.traffic.values(), *self.drawn.values())
        for each in kept:
            if len(each.new) > at_least:
                each.count()

    def verdict(self, feed: str, reason: str) -> None:
        self.verdicts[self.kind_of(feed), reason] += 1

    def returned(self, reason: str, size_bytes: int) -> None:
        """A client has been sent all that it lacked at the verdict."""
        self.returned_bytes.setdefault(reason, Histogram(RETURNED_BYTES)).observe(size_bytes)
