"""Making a failing schedule small: what can be left out without its passing is left out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.faults.schedule import Schedule

T = TypeVar("T")
Fails = Callable[[Schedule], Awaitable[bool]]


async def shrink(schedule: Schedule, fails: Fails, seconds: float) -> Schedule:
    """The smallest schedule found within the time that still fails. `fails` plays one."""
    deadline = time.monotonic() + seconds
    while True:
        before = (len(schedule.steps), len(schedule.cast))
        schedule = await _without(schedule, schedule.steps, lambda s, steps: s.only(steps), fails, deadline)
        schedule = await _without(schedule, schedule.cast, lambda s, cast: s.only(s.steps, cast), fails, deadline)
        if (len(schedule.steps), len(schedule.cast)) == before or time.monotonic() >= deadline:
            return schedule


async def _without(
    schedule: Schedule,
    items: tuple[T, ...],
    take: Callable[[Schedule, list[T]], Schedule],
    fails: Fails,
    deadline: float,
) -> Schedule:
    """Leave out as many items as possible: first halves, then ever smaller parts."""
    kept = list(items)
    size = max(1, len(kept) // 2)
    while kept:
        at = 0
        while at < len(kept):
            if time.monotonic() >= deadline:
                return take(schedule, kept)
            fewer = kept[:at] + kept[at + size :]
            if await fails(take(schedule, fewer)):
                kept = fewer
            else:
                at += size
        if size == 1:
            break
        size = max(1, size // 2)
    return take(schedule, kept)
