"""Makes blocks of what has changed, and has a thread write them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from typing import Any

from visdom_transport.visdom.durability.changes import Part
from visdom_transport.visdom.durability.files import JournalFiles, PendingBlock
from visdom_transport.visdom.durability.pace import SMALL_BYTES, Pace
from visdom_transport.visdom.durability.publishers import Publishers
from visdom_transport.visdom.durability.steps import taken
from visdom_transport.visdom.durability.threads import in_thread
from visdom_transport.visdom.durability.tracking import Tracking

STEP_BYTES = 1_000_000
"""Bytes encoded before others have their turn; a larger window goes in steps."""

STEP_PARTS = 200
"""Parts looked at before others have their turn."""


class Writer:
    """Brings changes to the journal's files, in order. All methods are for the event loop; the files are written by a thread."""

    def __init__(self, files: JournalFiles, tracking: Tracking, publishers: Publishers, pace: Pace) -> None:
        self.journal_id = secrets.token_hex(8)
        self.is_fresh = True
        """Nothing in the journal counts: the next generation begins with everything."""
        self._files = files
        self._tracking = tracking
        self._changes = tracking.changes
        self._publishers = publishers
        self._pace = pace
        self._has_generation = False
        """This process has begun a generation."""

    @property
    def oldest_waiting(self) -> float | None:
        """Since when a large value has waited for its turn, if one does."""
        return self._pace.oldest

    def go_on(self, journal_id: str, number: int) -> None:
        """The journal that was read, up to record ``number``, counts."""
        self.journal_id = journal_id
        self.is_fresh = False
        self._changes.number = number

    def begin_another(self) -> None:
        """The journal that was read does not count: another begins, with all that was read. Its numbers are given again, so what
        files say of them means nothing any more."""
        self.journal_id = secrets.token_hex(8)
        self._tracking.forget_files()
        self.give_up()

    def has_work(self) -> bool:
        """Whether there is something that is not on disk, or not where it belongs."""
        return bool(self._changes) or self._publishers.has_news() or bool(self._files.old)

    def give_up(self) -> None:
        """Forget what is not written: all of it is in the state, which is written again when that is possible again."""
        self.is_fresh = True
        self._has_generation = False
        self._files.forget_waiting()
        self._tracking.begin_anew()

    async def flush(self, *, everything: bool = False, rotate: bool = False) -> None:
        """Make durable what has changed until the last moment before this returns to the loop for good.

        Of large values only those whose turn it is, unless ``everything``; in a block of their own, behind the small ones.

        Raises:
            OSError: it could not be written.
        """
        waiting = await self._seal_small(everything=everything)
        await self._write(rotate=rotate)
        due = self._pace.due(waiting, time.monotonic())
        if due:
            await self._seal(due)
            await self._write()

    async def _seal_small(self, *, everything: bool) -> dict[Part, int]:
        """Make records of all that does not wait. Returns the parts that may have to, with their sizes."""
        waiting: dict[Part, int] = {}
        step = _Step(self._changes.sealed_bytes)
        for part in self._changes.unsealed():
            at_once = everything or self._tracking.is_owed(part[0]) or self._changes.must_be_whole(part[0])
            size = 0 if at_once else self._changes.size(part)
            if size > SMALL_BYTES:
                waiting[part] = size
            else:
                await self._seal_part(part)
            if step.is_over(self._changes.sealed_bytes):
                await asyncio.sleep(0)
        return waiting

    async def _seal(self, parts: Iterable[Part]) -> None:
        step = _Step(self._changes.sealed_bytes)
        for part in parts:
            await self._seal_part(part)
            if step.is_over(self._changes.sealed_bytes):
                await asyncio.sleep(0)

    async def _seal_part(self, part: Part) -> None:
        """Make a record of a part, of a large value in steps unless it changes meanwhile."""
        if self._changes.is_replaced(part) and self._changes.value_bytes(part) > STEP_BYTES:
            with self._tracking.watch(part) as watch:
                pieces = await taken(self._changes.encoding(part))
            if pieces is not None and not watch.changed:
                self._changes.seal(part, pieces)
                return
        self._changes.seal(part)

    async def _write(self, *, rotate: bool = False) -> None:
        """Have what is sealed written."""
        was_fresh = self.is_fresh
        self._cut(rotate=rotate)
        if not self._files.is_behind:
            return
        try:
            await in_thread(self._files.drain)
        finally:
            self._settle()
        if was_fresh:
            await in_thread(self._files.remove, list(self._files.old))

    def write_now(self) -> None:
        """Have what is sealed and owed written, without a turn for others.

        Raises:
            OSError: it could not be written.
        """
        self._cut()
        try:
            self._files.drain()
        finally:
            self._settle()

    def _cut(self, *, rotate: bool = False) -> None:
        """Put a block with everything that is sealed, and all that is owed, on its way."""
        first, records = self._changes.take(self._is_owed)
        rotate = rotate or self.is_fresh or not self._has_generation
        publishers = self._publishers.numbers() if rotate else self._publishers.news()
        if not (records or publishers or rotate):
            return
        head: dict[str, Any] = {"first": first, "producers": publishers, "time": round(time.time(), 3)}
        if rotate:
            self._publishers.news()
            tracked = self._tracking.tracked
            clean = {eid: each.base for eid, each in tracked.items() if not self._tracking.is_dirty(eid)}
            head["journal"] = {"id": self.journal_id, "fresh": self.is_fresh, "bases": clean}
        self._has_generation, self.is_fresh = True, False
        self._files.put(PendingBlock(head, records, rotate, publishers))

    def _is_owed(self, eid: str) -> bool:
        """Whether this block has to have everything that has changed in the environment."""
        return self._tracking.is_owed(eid) or (self.is_fresh and self._changes.must_be_whole(eid))

    def _settle(self) -> None:
        """Take note of what has become durable."""
        for block in self._files.take_done():
            self._publishers.durable(block.publishers)


class _Step:
    """The work between two turns of the event loop."""

    def __init__(self, sealed_bytes: int) -> None:
        self._sealed_bytes = sealed_bytes
        self._parts = 0

    def is_over(self, sealed_bytes: int) -> bool:
        self._parts += 1
        if self._parts < STEP_PARTS and abs(sealed_bytes - self._sealed_bytes) <= STEP_BYTES:
            return False
        self._sealed_bytes, self._parts = sealed_bytes, 0
        return True
