"""Counts of values by size, of which the sums over several servers mean something."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable


class Histogram:
    """How many values there were up to each of ``bounds``, which rise, and above.

    ``counts`` has one count more than there are bounds, and each value in one of them.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value. One below 0 is 0: a clock that was asked a little early."""
        if value < 0.0:
            value = 0.0
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def observe_all(self, values: Iterable[float]) -> None:
        """Count many at once, at a fraction of the cost."""
        ordered = sorted(values)
        before = 0
        for number, bound in enumerate(self.bounds):
            up_to = bisect_right(ordered, bound, before)
            self.counts[number] += up_to - before
            before = up_to
        self.counts[-1] += len(ordered) - before
        self.sum += sum(ordered[bisect_left(ordered, 0.0) :])

    def add(self, other: Histogram) -> None:
        """Count what another one of the same bounds has counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum

    @property
    def count(self) -> int:
        """All values."""
        return sum(self.counts)
