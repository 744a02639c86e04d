"""When what of a feed changed, so that the age of what a reader sees can be told."""

from __future__ import annotations

import math
from bisect import bisect_right

MAX_TIMES = 256
"""Times that are kept of one feed. They reach back for years at a hundred a second, because older ones are kept more coarsely."""

ERROR = 0.1
"""An age that is told is at most this part too large, besides what passes between two flushes."""


class ChangeTimes:
    """Of a feed, the offsets at which something was heard after a time of silence, and when.

    There is one entry for each flush in which the feed has changed, not for each change. What changes between two flushes counts
    as old as the first of it.
    """

    __slots__ = ("_after", "_at")

    def __init__(self) -> None:
        self._after: list[int] = []
        self._at: list[float] = []

    def __len__(self) -> int:
        return len(self._after)

    def add(self, after: int, now: float) -> None:
        """What comes after the offset ``after`` happens now, or later."""
        if self._after and after <= self._after[-1]:
            return
        self._after.append(after)
        self._at.append(now)
        if len(self._after) > MAX_TIMES:
            self._thin(now)

    def since(self, offset: int) -> float:
        """When the first change after ``offset`` happened; infinity when there is nothing to tell it by."""
        if not self._at:
            return math.inf
        return self._at[max(0, bisect_right(self._after, offset) - 1)]

    def _thin(self, now: float) -> None:
        """Drop every time that says little more than the one before it does."""
        kept, times = [0], self._at
        for number in range(1, len(times) - 1):
            following = times[number + 1]
            if following - times[kept[-1]] > ERROR * (now - following):
                kept.append(number)
        kept.append(len(times) - 1)
        self._after = [self._after[number] for number in kept]
        self._at = [times[number] for number in kept]
