"""How often something may be done."""

from __future__ import annotations

BURST_S = 10.0
"""What was not done in so many seconds may be done at once."""


class Rate:
    """A token bucket: ``per_s`` times a second, and as often at once as in `BURST_S` seconds."""

    __slots__ = ("_at", "_tokens", "per_s")

    def __init__(self, per_s: float, now: float) -> None:
        self.per_s = per_s
        self._tokens = per_s * BURST_S
        self._at = now

    def take(self, now: float) -> bool:
        """Do it once. Returns False when it may not be done now."""
        self._tokens = min(self.per_s * BURST_S, self._tokens + (now - self._at) * self.per_s)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
