"""Writing many files: several at a time, telling how far it is when that takes long."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Collection

logger = logging.getLogger("visdom_transport.durability")

AT_ONCE = 8
"""Files written at a time when nothing else is to be done: most of the time of each is waiting for the disk."""

REPORT_S = 2.0


async def write_all(
    eids: Collection[str],
    write: Callable[[str], Awaitable[object]],
    *,
    at_once: int,
    is_over: Callable[[], bool],
) -> dict[str, OSError | None]:
    """Write the file of each environment.

    Args:
        write: writes one. May raise OSError.
        at_once: how many are written at a time.
        is_over: asked before each: whether to begin no more.

    Returns:
        Those that are not written, each with what was wrong, or None if it was not begun.
    """
    left: dict[str, OSError | None] = dict.fromkeys(eids)
    waiting = iter(list(eids))
    report = asyncio.create_task(_report(len(left), left))

    async def worker() -> None:
        for eid in waiting:
            if is_over():
                return
            error = left[eid] = await _attempt(write, eid)
            if error is None:
                del left[eid]

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(left))):
                group.create_task(worker())
    finally:
        report.cancel()
    return left


async def _attempt(write: Callable[[str], Awaitable[object]], eid: str) -> OSError | None:
    """Write one. Returns what was wrong, if so."""
    try:
        await write(eid)
    except OSError as error:
        return error
    except Exception as error:  # of ours: the others are to be written all the same
        logger.exception("writing environment %.200r failed", eid)
        return OSError(errno.EINVAL, f"{type(error).__name__}: {error}")
    return None


async def _report(count: int, left: Collection[str]) -> None:
    while True:
        await asyncio.sleep(REPORT_S)
        logger.info("%d of %d environments are in their files", count - len(left), count)
