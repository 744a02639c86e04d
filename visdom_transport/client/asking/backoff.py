"""How long to wait before the next attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

# The shared generator belongs to the program, which may have seeded it.
_chance = SystemRandom()


def _uniform(low: float, high: float) -> float:
    # A function, and not the generator's method: who has a `Backoff` can be pickled, and the generator cannot.
    return _chance.uniform(low, high)


@dataclass(slots=True)
class Backoff:
    """Anything up to a bound that doubles (full jitter)."""

    first_s: float = 0.5
    most_s: float = 10.0
    uniform: Callable[[float, float], float] = _uniform
    failures: int = 0

    def failed(self) -> float:
        """Seconds to wait after one more failure."""
        bound_s = min(self.most_s, self.first_s * 2 ** min(self.failures, 30))
        self.failures += 1
        return self.uniform(0.0, bound_s)

    def succeeded(self) -> None:
        self.failures = 0


def chance() -> float:
    """Anything from 0 to 1."""
    return _chance.random()
