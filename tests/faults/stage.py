"""What all who take part in one schedule share."""

from __future__ import annotations

import contextlib
import random
import time
import traceback
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.wire import LinkLost, Refused

SETTINGS: dict[str, Any] = {
    "heartbeat_s": 0.6,
    "dead_after_s": 2.0,
    "poll_wait_s": 1.0,
    "grace_s": 6.0,
    "window_batches": 6,
    "flush_interval_ms": 50,
    "batch_bytes": 4_000,
    "in_flight_bytes": 60_000,
    "history_bytes": 200_000,
    "event_count": 200,
    "max_tombstones": 8,
    "journal": "all",
    "journal_interval_s": 0.1,
}
"""Silence is noticed soon, a catch-up goes in parts, and every bound is so near that schedules reach it."""

BACKOFF_S = (0.08, 0.5)
"""How long clients wait before they connect again, at first and at most."""
MAX_DETAIL = 1_000
MAX_TOLD = 4
"""Violations of one invariant that are told of; what goes wrong once often goes wrong many times."""
ANSWER_MARGIN_S = 2.0
"""So late an answer may come from a server that is dead by then: proxies delay, and clients give up."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant of design that did not hold, and what was seen."""

    invariant: str
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.detail}"


@dataclass
class Stage:
    """One schedule under way."""

    env: str
    rng: random.Random
    server_port: int
    network_ports: list[int]
    stock: bool = False
    plant: str | None = None
    """A mistake of the clients."""
    life: int = 0
    """How often the server has been killed."""
    lost_state: bool = False
    """Whether a server has been started without the state of the one before."""
    on_disk_until: float = 0.0
    """The server has said that what it had acknowledged until then is on its disk."""
    fragile: list[tuple[float, float]] = field(default_factory=list)
    """From when to when what was acknowledged need not have been on disk when the server was killed."""
    spoiled_at: list[float] = field(default_factory=list)
    """When bytes were last lost silently, for each network: connections opened before may be dead and not know it."""
    unsure: set[tuple[str, int]] = field(default_factory=set)
    """Clicks whose session was forgotten before they were answered: they may be carried out twice."""
    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def port(self, network: int | None) -> int:
        return self.server_port if network is None else self.network_ports[network]

    def violated(self, invariant: str, detail: object) -> None:
        self.counts[f"violations of {invariant}"] += 1
        if self.counts[f"violations of {invariant}"] <= MAX_TOLD:
            self.violations.append(Violation(invariant, str(detail)[:MAX_DETAIL]))

    def killed(self, *, lost_state: bool) -> None:
        now = self.now()
        self.life += 1
        self.lost_state |= lost_state
        self.fragile.append((0.0 if lost_state else self.on_disk_until, now + ANSWER_MARGIN_S))

    def is_firm(self, acknowledged_at: float) -> bool:
        """Whether what was acknowledged then must have survived everything since."""
        return not any(begin <= acknowledged_at <= end for begin, end in self.fragile)

    def was_spoiled(self, network: int | None, since: float) -> bool:
        """Whether a connection opened at `since` may have lost bytes without being told."""
        return network is not None and self.spoiled_at[network] >= since

    @staticmethod
    def now() -> float:
        return time.monotonic()

    async def watched(self, running: Coroutine[Any, Any, None], who: str) -> None:
        """A client that fails by itself is a finding too."""
        with self.watching(who):
            await running

    @contextlib.contextmanager
    def watching(self, who: str) -> Iterator[None]:
        try:
            yield
        except (LinkLost, Refused):
            raise
        except Exception:
            self.violated("suite", f"{who} failed: {traceback.format_exc(limit=-4)}")
