"""Writes journaled environments into Visdom's files, so that the journal can begin anew."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ...core.encoding import encode
from .changes import Part
from .environments import STAMP, EnvironmentFile, Environments, Refused
from .files import JournalFiles
from .history import Stamp
from .tracking import Tracked, Tracking
from .writer import STEP_BYTES, Writer

logger = logging.getLogger("visdom_transport.durability")

MIN_FOLD_BYTES = 8_000_000
"""A smaller journal is not folded."""

FOLD_FACTOR = 2
"""A larger one is when it is larger than the files that folding would write, so many times."""

FOLD_RETRY_S = 60.0
"""After a fold that failed, the next one comes so much later."""


class Folding:
    """Folds the journal, one window at a time. All methods are for the event loop."""

    def __init__(self, app: Any, environments: Environments, files: JournalFiles, tracking: Tracking, writer: Writer) -> None:
        self._app = app
        self._environments = environments
        self._files = files
        self._tracking = tracking
        self._changes = tracking.changes
        self._writer = writer
        self._not_before = 0.0
        self._kept_bytes = 0
        """What the journal took after it was folded: environments that cannot have a file stay in it."""
        self.error: str | None = None
        """Why an environment's file could not be written the last time."""

    def is_due(self) -> bool:
        if asyncio.get_running_loop().time() < self._not_before:
            return False
        if self._files.old:
            return True
        new_bytes = self._files.size_bytes - self._kept_bytes
        if new_bytes <= MIN_FOLD_BYTES:
            return False
        return new_bytes > FOLD_FACTOR * sum(self._tracking.tracked[eid].file_bytes for eid in self.dirty())

    def dirty(self) -> list[str]:
        """The environments whose files are behind the journal."""
        return [eid for eid in self._tracking.tracked if self._tracking.is_dirty(eid)]

    async def fold(self) -> None:
        """Write the environments that have changed into Visdom's files, and begin a new generation of the journal.

        An environment whose file cannot be written goes into the new generation as a whole.

        Raises:
            OSError: the journal could not be written; nothing is lost.
        """
        if not self._files.old:
            await self._writer.flush(rotate=True)
        old = list(self._files.old)
        failure: str | None = None
        for eid in self.dirty():
            failure = await self._fold_or_keep(eid) or failure
        # An environment that was replaced meanwhile has begun anew: not its file but its record takes the place of the old ones.
        await self._writer.flush()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._files.remove, old)
        if failure is not None and failure != self.error:
            logger.error("the file of an environment cannot be written, so it stays in the journal: %s", failure)
        self.error = failure
        self._not_before = loop.time() + FOLD_RETRY_S if failure is not None else 0.0
        self._kept_bytes = self._files.size_bytes

    async def _fold_or_keep(self, eid: str) -> str | None:
        """Write an environment into its file, or keep all of it in the journal. Returns what went wrong, if anything did."""
        failure = None
        try:
            await self.fold_environment(eid)
            return None
        except Refused:
            pass  # which was told when it began
        except OSError as error:
            failure = f"environment {eid}: {error.strerror or error}"
        if eid in self._tracking.tracked:
            self._tracking.begin(eid)
        return failure

    async def fold_environment(self, eid: str) -> None:
        """Write an environment as it is into its file, while it goes on changing. Nothing is done when it is replaced meanwhile.

        Raises:
            OSError: it could not be written; its old file is as it was.
        """
        tracked = self._tracking.tracked.get(eid)
        if tracked is None:
            return
        if self._changes.is_to_begin(eid):
            # What the file says must count as later than that.
            await self._writer.flush()
        run = asyncio.get_running_loop().run_in_executor
        with self._environments.open(eid) as file:
            stamp = Stamp(self._writer.journal_id, eid, self._changes.number, {}, {})
            for part in self._tracking.parts(eid):
                self._add(file, part, stamp)
                if file.waiting_bytes > STEP_BYTES:
                    await run(None, file.write)
                    if self._tracking.tracked.get(eid) is not tracked:
                        return
            file.add_member(STAMP, encode(stamp.as_json()))
            # The file may be ahead of the journal on disk. It must not get there first.
            await self._writer.flush()
            if self._tracking.tracked.get(eid) is not tracked:
                return
            await run(None, file.commit)
        self._committed(eid, tracked, stamp.number, file)

    def fold_now(self, eid: str) -> None:
        """The same, without a turn for others. The journal must have been written right before (`Writer.write_now`).

        Raises:
            OSError: it could not be written; its old file is as it was.
        """
        tracked = self._tracking.tracked[eid]
        with self._environments.open(eid) as file:
            stamp = Stamp(self._writer.journal_id, eid, self._changes.number, {}, {})
            for part in self._tracking.parts(eid):
                _put(file, part, self._changes.encoded(part))
            file.add_member(STAMP, encode(stamp.as_json()))
            file.commit()
        self._changes.forget(eid)
        self._committed(eid, tracked, stamp.number, file)

    def _add(self, file: EnvironmentFile, part: Part, stamp: Stamp) -> None:
        """Write a part as it is now, and say in the stamp which records that includes."""
        eid, kind, name = part
        # The record of a part that was replaced may come later: it is that of the whole value.
        if not self._changes.is_replaced(part):
            self._changes.seal(part)
        encoded = self._changes.encoded(part)
        numbers: Any = stamp.windows if kind == "window" else stamp.members
        if self._changes.last(eid) > stamp.number:
            numbers[name] = self._changes.last(eid)
        _put(file, part, encoded)

    def _committed(self, eid: str, tracked: Tracked, number: int, file: EnvironmentFile) -> None:
        if self._tracking.tracked.get(eid) is tracked:
            tracked.base, tracked.file_bytes = number, file.written_bytes
            if not self._tracking.is_dirty(eid) and not self._changes.has_unsealed(eid):
                self._tracking.unsaved.discard(eid)
        elif eid not in self._app.state:
            # It was deleted while its file was on the way.
            self._environments.delete(eid)


def _put(file: EnvironmentFile, part: Part, encoded: bytes | None) -> None:
    _, kind, name = part
    if encoded is not None and kind == "window":
        file.add_window(name, encoded)
    elif encoded is not None:
        file.add_member(name, encoded)
