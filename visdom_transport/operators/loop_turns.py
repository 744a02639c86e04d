"""Whether the event loop has its turns in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from visdom_transport.core.link import nothing
from visdom_transport.links.flusher import clock
from visdom_transport.operators.health import GOOD, Check, Health, Verdict

INTERVAL_S: Final = 0.5
"""How often it is looked at."""
LATE_S: Final = 1.0
"""A turn that comes so much too late has held up whoever looks at a page."""
REMEMBERED_S: Final = 5.0
"""While the loop is blocked nobody is answered, so it counts for a while longer."""


class LoopTurns:
    """Judges the turns of a loop, which is to have one each `INTERVAL_S` seconds. Times are the links' clock's."""

    def __init__(self, now: float) -> None:
        self._turned_at = now
        self._late_at = float("-inf")
        self._late_s = 0.0

    def turn(self, now: float) -> float:
        """The loop has its turn. Returns by how many seconds it is late."""
        late_s = now - self._turned_at - INTERVAL_S
        if late_s >= LATE_S:
            self._late_at, self._late_s = now, late_s
        self._turned_at = now
        return late_s

    def verdict(self, now: float) -> Verdict:
        """A request may come before the turn that is late."""
        overdue_s = now - self._turned_at - INTERVAL_S
        if overdue_s >= LATE_S:
            return Verdict(False, f"the event loop has been blocked for {overdue_s:.1f} s")
        if now - self._late_at < REMEMBERED_S:
            return Verdict(False, f"the event loop was blocked for {self._late_s:.1f} s, {now - self._late_at:.1f} s ago")
        return GOOD


class LoopWatch:
    """Looks at the running loop's turns. Does nothing until it is started. ``on_turn`` is told how late each is, in seconds."""

    def __init__(self, on_turn: Callable[[float], None] = nothing) -> None:
        self._on_turn = on_turn
        self._turns: LoopTurns | None = None

    def start(self) -> None:
        """Begin, on the running event loop."""
        if self._turns is None:
            self._turns = LoopTurns(clock())
            self._wait()

    def verdict(self, now: float) -> Verdict:
        return GOOD if self._turns is None else self._turns.verdict(now)

    def _wait(self) -> None:
        asyncio.get_running_loop().call_later(INTERVAL_S, self._turn)

    def _turn(self) -> None:
        assert self._turns is not None
        self._on_turn(self._turns.turn(clock()))
        self._wait()


def watched(checks: Mapping[str, Check], on_turn: Callable[[float], None] = nothing) -> tuple[Health, LoopWatch]:
    """The health of a process by these checks and by its loop, and what is to be started on that loop."""
    watch = LoopWatch(on_turn)
    return Health({"loop": watch.verdict, **checks}), watch
