"""How many clients there may be, and how often each may do something."""

from __future__ import annotations

from collections import Counter

from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.core.limits import Limits

BURST_S = 10.0
"""What was not done in this many seconds may be done at once."""


class SessionQuota:
    """One slot for each session, and for each link that has not said hello yet: limited in all, and for each address."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken: Counter[str] = Counter()

    def acquire(self, address: str) -> None:
        """Take one more slot. Raises `LinkClosed` (LIMIT) when there is none."""
        limits = self._limits
        if self._taken.total() >= limits.max_sessions:
            raise LinkClosed(CloseCode.LIMIT, f"more than max_sessions={limits.max_sessions}")
        if self._taken[address] >= limits.max_address_sessions:
            raise LinkClosed(CloseCode.LIMIT, f"more than max_address_sessions={limits.max_address_sessions}")
        self._taken[address] += 1

    def release(self, address: str) -> None:
        """Give back a slot that was taken."""
        self._taken[address] -= 1
        if not self._taken[address]:
            del self._taken[address]


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
