"""When large values are written: within a budget of bytes per second, not each time they change."""

from __future__ import annotations

from collections.abc import Mapping

from visdom_transport.visdom.durability.changes import Part

SMALL_BYTES = 65_536
"""Up to this size, what has changed in a part is written without waiting for its turn."""

LONGEST_WAIT_S = 30.0
"""Nothing waits for longer."""

SAVED_S = 10.0
"""A quiet time saves the bytes of at most this many seconds for what comes after it."""


class Pace:
    """Chooses which of the large parts that have changed are written now: those that have waited for long, and small ones first.

    Args:
        bytes_per_s: how much of them is written, on average.
        interval_s: how often there is a choice.
    """

    def __init__(self, bytes_per_s: float, interval_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._allowed_bytes = bytes_per_s * SAVED_S
        self._at: float | None = None
        # One interval may have passed before a part is seen to wait, and another one passes before the next choice.
        self._longest_wait_s = LONGEST_WAIT_S - 2 * interval_s
        self._since: dict[Part, float] = {}

    @property
    def oldest(self) -> float | None:
        """Since when the part has waited that has waited for longest, if any does."""
        return min(self._since.values(), default=None)

    def due(self, waiting: Mapping[Part, int], now: float) -> list[Part]:
        """Those of the ``waiting`` parts, given with their sizes, that are to be written now."""
        self._earn(now)
        self._since = {part: self._since.get(part, now) for part in waiting}
        late = {part for part, since in self._since.items() if now - since >= self._longest_wait_s}
        due: list[Part] = []
        for part in sorted(waiting, key=lambda part: (part not in late, waiting[part])):
            if self._allowed_bytes <= 0 and part not in late:
                break
            # Beyond that, what is late would keep everything else waiting for as long.
            self._allowed_bytes = max(self._allowed_bytes - waiting[part], -self._bytes_per_s * LONGEST_WAIT_S)
            due.append(part)
            del self._since[part]
        return due

    def _earn(self, now: float) -> None:
        if self._at is not None:
            earned = (now - self._at) * self._bytes_per_s
            self._allowed_bytes = min(self._allowed_bytes + earned, self._bytes_per_s * SAVED_S)
        self._at = now
