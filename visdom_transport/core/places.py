"""How many clients there may be."""

from __future__ import annotations

from collections import Counter

from .errors import CloseCode, LinkClosed
from .limits import Limits


class Places:
    """One place for each session, and for each link that has not said hello yet: so many in all, so many of one address."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken: Counter[str] = Counter()

    def take(self, address: str) -> None:
        """Take one more place. Raises `LinkClosed` (LIMIT) when there is none."""
        limits = self._limits
        if self._taken.total() >= limits.max_sessions:
            raise LinkClosed(CloseCode.LIMIT, f"more than max_sessions={limits.max_sessions}")
        if self._taken[address] >= limits.max_address_sessions:
            raise LinkClosed(CloseCode.LIMIT, f"more than max_address_sessions={limits.max_address_sessions}")
        self._taken[address] += 1

    def give_up(self, address: str) -> None:
        """Give back a place that was taken."""
        self._taken[address] -= 1
        if not self._taken[address]:
            del self._taken[address]
