"""The end of a server: everything is in the journal first, which is quick, and then in its files as far as there is time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from visdom_transport.visdom.durability.environments import Environments, Refused
from visdom_transport.visdom.durability.files import JournalFiles
from visdom_transport.visdom.durability.folding import Folding
from visdom_transport.visdom.durability.many import AT_ONCE, write_all
from visdom_transport.visdom.durability.threads import in_thread
from visdom_transport.visdom.durability.tracking import Tracking
from visdom_transport.visdom.durability.writer import Writer
from visdom_transport.visdom.observed import is_unread
from visdom_transport.writing import unwritable

logger = logging.getLogger("visdom_transport.durability")

END_S = 5.0
"""After this time no more files are begun, if the journal has everything. Container runtimes kill what takes 10 s."""

JOURNAL_STEP_BYTES = 8_000_000
"""Bytes of one block of the journal; a single larger environment goes alone."""


class End:
    """Writes everything for the last time. What changes in the state meanwhile is not recorded.

    Args:
        asked: somebody wants it saved as it is. Otherwise what was saved before stays in the files.
    """

    def __init__(
        self,
        state: Mapping[str, Any],
        environments: Environments,
        files: JournalFiles,
        tracking: Tracking,
        writer: Writer,
        folding: Folding,
        *,
        asked: bool,
    ) -> None:
        self._state = state
        self._environments = environments
        self._files = files
        self._tracking = tracking
        self._writer = writer
        self._folding = folding
        self._asked = asked
        self._owed: set[str] = set()
        """Environments that are not written, because the journal is not."""
        self._over = asyncio.get_running_loop().time() + END_S

    async def write(self, write_journal: Callable[[], Awaitable[bool]], failed: Callable[[Exception], None]) -> bool:
        """Returns whether everything is on disk.

        Args:
            write_journal: writes what is recorded, and returns whether that worked.
            failed: called when it turns out later that the journal cannot be written.
        """
        folder = self._environments.folder
        if unwritable.is_lasting(folder) and unwritable.probe(folder) is not None:
            return True  # it was said that nothing is kept
        try:
            journaled = not self._has_news() or (self._tracking.on and await write_journal() and await self._journal_rest())
        except OSError as error:
            failed(error)
            journaled = False
        if not journaled:
            self._give_up_journal()
        left = await self._write_files(journaled)
        try:
            await in_thread(self._environments.sync)
            if journaled and None not in left.values():
                await self._conclude(left)
        except OSError as error:
            failed(error)
            return False
        if not journaled:
            left = await self._save_elsewhere(left)
        self._tell(left)
        return journaled or not (left or self._owed)

    def _give_up_journal(self) -> None:
        """Go on without a journal: what it would have is in the files, all the same."""
        if not unwritable.is_lasting(self._environments.folder):
            # Publishers were told how far it is on disk. A file that is ahead of that would have twice what they send again.
            self._owed = self._tracking.published.intersection(self._tracking.unsaved)
        self._tracking.stop()

    def _has_news(self) -> bool:
        return bool(self._rest() or self._tracking.tracked) or self._writer.has_work()

    def _rest(self) -> list[str]:
        """What has changed and is not in the journal."""
        rest = self._tracking.unsaved.difference(self._tracking.tracked)
        return sorted(eid for eid in rest if eid in self._state and not is_unread(self._state[eid]))

    async def _journal_rest(self) -> bool:
        """Make everything durable in the journal: one file is written faster than many.

        Raises:
            OSError: it could not be written.
        """
        waiting = 0
        for eid in self._rest():
            self._tracking.begin(eid)
            waiting += self._tracking.tracked[eid].file_bytes
            if waiting > JOURNAL_STEP_BYTES:
                await self._writer.flush(everything=True)
                waiting = 0
        await self._writer.flush(everything=True)
        return True

    async def _write_files(self, journaled: bool) -> dict[str, OSError | None]:
        """Write what has changed: all, or as much as there is time for, if the journal has it. Returns what is not written."""
        loop = asyncio.get_running_loop()
        eids = dict.fromkeys([*self._folding.dirty(), *self._rest(), *self._closed_since()])
        return await write_all(
            [eid for eid in eids if eid not in self._owed],
            lambda eid: self._folding.fold_environment(eid, asked=self._asked),
            at_once=AT_ONCE,
            is_over=lambda: journaled and loop.time() > self._over,
        )

    def _closed_since(self) -> list[str]:
        """Environments in whose files are windows that are not to stay."""
        if not self._asked:
            return []
        read = {eid: environment["jsons"] for eid, environment in self._state.items() if not is_unread(environment)}
        saved = {eid: self._environments.saved.known(eid) or frozenset() for eid in read}
        return [eid for eid, windows in read.items() if not saved[eid] <= windows.keys()]

    async def _conclude(self, kept: Mapping[str, OSError | None]) -> None:
        """Leave nothing in the journal but how far the publishers have come, and what cannot have a file.

        Raises:
            OSError: that could not be written; nothing is lost.
        """
        if not self._has_news():
            return
        self._tracking.unsaved.difference_update(self._tracking.tracked)
        self._tracking.tracked.clear()
        for eid in kept:
            self._tracking.begin(eid)
        await self._writer.flush(everything=True, rotate=True)
        await self._folding.drop(list(self._files.old))

    async def _save_elsewhere(self, left: dict[str, OSError | None]) -> dict[str, OSError | None]:
        """Save what must not be written under its name, and is kept nowhere else. Returns the rest."""
        rest = dict(left)
        for eid in [eid for eid, error in left.items() if isinstance(error, Refused)]:
            try:
                await in_thread(self._environments.save_somewhere, eid, self._state[eid])
                del rest[eid]
            except OSError as error:
                rest[eid] = error
        return rest

    def _tell(self, left: Mapping[str, OSError | None]) -> None:
        failed = {eid: error for eid, error in left.items() if error is not None and not isinstance(error, Refused)}
        for cause, eid in {unwritable.cause(error): eid for eid, error in failed.items()}.items():
            others = f" and {len(failed) - 1} others" if len(failed) > 1 else ""
            logger.error("environment %.200r%s could not be saved: %s", eid, others, cause)
        late = sum(error is None for error in left.values())
        if late:
            text = "%d environments are in the journal in %s, not in their files yet: the next start writes them"
            logger.warning(text, late, self._environments.folder)
