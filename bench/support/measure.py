"""How long things take, in rounds that alternate between contenders."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .servers import Server


@dataclass(slots=True)
class Bench:
    """What a benchmark is given: how thorough to be, and until when.

    ``budget_s`` bounds its time softly: no round begins that would end later.
    """

    name: str
    quick: bool
    budget_s: float
    began: float = field(default_factory=time.monotonic)

    def rounds(self, full: int, quick: int = 1) -> Iterator[int]:
        """Count rounds, at least one, as many as were asked for and there is time for."""
        wanted = quick if self.quick else full
        longest_s = 0.0
        for number in range(wanted):
            began = time.monotonic()
            if number and began - self.began + longest_s > self.budget_s:
                self.say(f"stopped after {number} of {wanted} rounds: the time is over")
                return
            self.say(f"round {number + 1} of {wanted}")
            yield number
            longest_s = max(longest_s, time.monotonic() - began)

    def say(self, text: str) -> None:
        """Show progress."""
        print(f"  [{time.monotonic() - self.began:5.1f} s] {self.name}: {text}", file=sys.stderr, flush=True)


class Samples:
    """Measurements by label; the median is what counts."""

    def __init__(self) -> None:
        self._samples: dict[tuple[object, ...], list[float]] = {}

    def add(self, value: float, *label: object) -> None:
        self._samples.setdefault(label, []).append(value)

    def median(self, *label: object) -> float:
        return statistics.median(self._samples[label])

    def all(self, *label: object) -> list[float]:
        return self._samples[label]

    def most(self, *label: object) -> float:
        return max(self._samples[label])

    def __contains__(self, label: tuple[object, ...]) -> bool:
        return label in self._samples


def cpu_per_call(server: Server, call: Callable[[], object], calls: int, at_most_s: float = 5.0) -> float:
    """CPU seconds of ``server`` for one call: the mean of up to ``calls`` calls, ended early after ``at_most_s``."""
    deadline = time.monotonic() + at_most_s
    began = server.cpu_s()
    done = 0
    while done < calls and (not done or time.monotonic() < deadline):
        call()
        done += 1
    return (server.cpu_s() - began) / done


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
