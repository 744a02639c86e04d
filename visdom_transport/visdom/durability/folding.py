"""Writes journaled environments into Visdom's files, so that the journal can start over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from visdom_transport.core.encoding import encode
from visdom_transport.visdom.durability.changes import Part
from visdom_transport.visdom.durability.environments import STAMP, EnvironmentFile, Environments, Refused
from visdom_transport.visdom.durability.files import JournalFiles
from visdom_transport.visdom.durability.history import Stamp
from visdom_transport.visdom.durability.many import write_all
from visdom_transport.visdom.durability.steps import REST_S, taken
from visdom_transport.visdom.durability.threads import in_thread
from visdom_transport.visdom.durability.tracking import Tracked, Tracking
from visdom_transport.visdom.durability.writer import STEP_BYTES, Writer
from visdom_transport.writing import unwritable

logger = logging.getLogger("visdom_transport.durability")

MIN_FOLD_BYTES = 8_000_000
"""A smaller journal is not folded."""

FOLD_FACTOR = 2
"""A larger one is folded when it is larger, by this factor, than the files that folding would write."""

ATTEMPTS = 3
"""So often is a large value encoded in steps, if it changes meanwhile; then without a turn for others."""

FOLD_RETRY_S = 60.0
"""After a fold that failed, the next one comes so much later."""


class Folding:
    """Folds the journal, one window at a time. All methods are for the event loop.

    Args:
        app: the application; its ``state`` is what is written.
        ends: whether the server ends, which goes on where folding was.
    """

    def __init__(
        self,
        app: Any,
        environments: Environments,
        files: JournalFiles,
        tracking: Tracking,
        writer: Writer,
        ends: Callable[[], bool],
    ) -> None:
        self._app = app
        self._environments = environments
        self._files = files
        self._tracking = tracking
        self._changes = tracking.changes
        self._writer = writer
        self._ends = ends
        self._not_before = 0.0
        self._kept_bytes = 0
        """What the journal took after it was folded: environments that cannot have a file stay in it."""
        self.error: str | None = None
        """Why an environment's file could not be written the last time."""

    def is_due(self) -> bool:
        if self._ends() or asyncio.get_running_loop().time() < self._not_before:
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
        left = await write_all(self.dirty(), self.fold_environment, at_once=1, is_over=self._ends)
        if self._ends():
            return
        for eid in left:
            if eid in self._tracking.tracked:
                self._tracking.begin(eid)
        # One that was replaced meanwhile has started over: not its file but its record takes the place of the old ones.
        await self._writer.flush()
        await self.drop(old)
        self._tell(left)
        self._kept_bytes = self._files.size_bytes

    async def drop(self, old: list[Path]) -> None:
        """Remove generations of the journal of which everything is in files, or in later ones.

        Raises:
            OSError: that is not possible now.
        """
        await in_thread(self._environments.sync)
        await in_thread(self._files.remove, old)

    def _tell(self, left: Mapping[str, OSError | None]) -> None:
        # Why one is refused was told when it began.
        errors = {eid: error for eid, error in left.items() if error is not None and not isinstance(error, Refused)}
        failure = next((f"environment {eid}: {unwritable.cause(error)}" for eid, error in errors.items()), None)
        if failure is not None and failure != self.error:
            logger.error("the file of an environment cannot be written, so it stays in the journal: %s", failure)
        self.error = failure
        self._not_before = asyncio.get_running_loop().time() + FOLD_RETRY_S if failure is not None else 0.0

    async def fold_environment(self, eid: str, *, asked: bool = False) -> bool:
        """Write an environment as it is into its file, while it goes on changing. Nothing is done when it is replaced meanwhile.

        Args:
            asked: somebody wants it saved as it is. Otherwise what was saved before stays in the file.

        Returns:
            Whether that was done.

        Raises:
            OSError: it could not be written; its old file is as it was.
        """
        tracked = self._tracking.tracked.get(eid)
        if eid not in self._app.state or (tracked is None and not self._ends()):
            return False
        return await self._write(eid, tracked, asked=asked)

    async def save_untracked(self, eid: str) -> bool:
        """The same because somebody asks for it, for an environment that is not journaled: each window as it is when its turn
        comes.

        Raises:
            OSError: it could not be written; its old file is as it was.
        """
        was_unsaved, done = eid in self._tracking.unsaved, False
        self._tracking.unsaved.discard(eid)
        try:
            done = await self._write(eid, None, asked=True)
        finally:
            if not done and was_unsaved and eid in self._app.state:
                self._tracking.unsaved.add(eid)
        if done and eid in self._app.state and eid not in self._tracking.unsaved:
            self._tracking.saved(eid, self._app.state[eid])
        return done

    async def _write(self, eid: str, tracked: Tracked | None, *, asked: bool) -> bool:
        windows = self._app.state[eid]["jsons"]

        def is_the_same() -> bool:
            content = self._app.state.get(eid)
            return self._tracking.tracked.get(eid) is tracked and (content is None or content["jsons"] is windows)

        if self._changes.is_to_begin(eid):
            # What the file says must count as later than that.
            await self._writer.flush()
        if asked:
            self._environments.saved.set(eid, self._app.state[eid]["jsons"])
        with await in_thread(self._open, eid, asked) as file:
            stamp = Stamp(self._writer.journal_id, eid, self._changes.number, {}, {})
            for part in self._tracking.parts(eid):
                await self._add(file, part, stamp)
                if file.waiting_bytes > STEP_BYTES:
                    await in_thread(file.write)
                    if not self._ends():
                        await asyncio.sleep(REST_S)
                if not is_the_same():
                    return False
            if tracked is not None:
                file.add_member(STAMP, encode(stamp.as_json()))
                # The file may be ahead of the journal on disk. It must not get there first.
                await self._writer.flush()
                if not is_the_same():
                    return False
            # Otherwise what was begun later is there, which is no older.
            if await in_thread(self._commit, eid, file, asked):
                self._committed(eid, tracked, stamp.number, file)
        return True

    def fold_now(self, eid: str) -> None:
        """The same because somebody asks for it, without a turn for others.

        The journal must have been written right before (`Writer.write_now`).

        Raises:
            OSError: it could not be written; its old file is as it was.
        """
        tracked = self._tracking.tracked[eid]
        self._environments.saved.set(eid, self._app.state[eid]["jsons"])
        with self._open(eid, asked=True) as file:
            stamp = Stamp(self._writer.journal_id, eid, self._changes.number, {}, {})
            for part in self._tracking.parts(eid):
                encoded = self._changes.encoded(part)
                _put(file, part, None if encoded is None else [encoded])
            file.add_member(STAMP, encode(stamp.as_json()))
            self._commit(eid, file, asked=True)
        self._changes.forget(eid)
        self._committed(eid, tracked, stamp.number, file)

    def _open(self, eid: str, asked: bool) -> EnvironmentFile:
        """Begin to write the file; for threads."""
        try:
            return self._environments.open(eid, None if asked else self._environments.saved_windows(eid))
        except OSError:
            self._environments.saved.forget(eid)  # the old file can tell
            raise

    def _commit(self, eid: str, file: EnvironmentFile, asked: bool) -> bool:
        """Put the file in its place; for threads. Returns whether it is there, and not what was begun later."""
        try:
            if not asked:
                for win, window in self._environments.saved_besides(eid, file.windows).items():
                    file.add_window(win, encode(window))
            # Names are synced for all files together where many are written.
            return file.commit(sync_name=asked and not self._ends())
        except OSError:
            self._environments.saved.forget(eid)
            raise

    async def _add(self, file: EnvironmentFile, part: Part, stamp: Stamp) -> None:
        """Write a part as it is now, and say in the stamp which records that includes."""
        number, pieces = await self._pieces(part)
        numbers: Any = stamp.windows if part[1] == "window" else stamp.members
        if number > stamp.number:
            numbers[part[2]] = number
        _put(file, part, pieces)

    async def _pieces(self, part: Part) -> tuple[int, list[bytes] | None]:
        """The value of a part, and the number of the last record that it includes. A large value is encoded in steps, and once
        more if it changes meanwhile; one that changes again and again is encoded at once."""
        for attempt in range(ATTEMPTS):
            # The record of a part that was replaced may come later: it is that of the whole value.
            if not self._changes.is_replaced(part):
                self._changes.seal(part)
            number = self._changes.last(part[0])
            if attempt == ATTEMPTS - 1 or self._changes.value_bytes(part) <= STEP_BYTES:
                break
            with self._tracking.watch(part) as watch:
                pieces = await taken(self._changes.encoding(part))
            if not watch.changed:
                return number, pieces
        encoded = self._changes.encoded(part)
        return number, None if encoded is None else [encoded]

    def _committed(self, eid: str, tracked: Tracked | None, number: int, file: EnvironmentFile) -> None:
        if tracked is None:
            if self._ends():
                self._tracking.unsaved.discard(eid)
        elif self._tracking.tracked.get(eid) is tracked:
            tracked.base, tracked.file_bytes = number, file.written_bytes
            if not self._tracking.is_dirty(eid) and not self._changes.has_unsealed(eid):
                self._tracking.unsaved.discard(eid)
        elif eid not in self._app.state:
            # It was deleted while its file was on the way.
            self._environments.delete(eid)


def _put(file: EnvironmentFile, part: Part, pieces: list[bytes] | None) -> None:
    _, kind, name = part
    if pieces is not None and kind == "window":
        file.add_window(name, *pieces)
    elif pieces is not None:
        file.add_member(name, b"".join(pieces))
