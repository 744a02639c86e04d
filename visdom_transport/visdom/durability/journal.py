"""Keeps environments on disk while they change: records changes, writes them in the background, folds them into files."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado.ioloop import IOLoop

from visdom_transport.core.delta import Delta
from visdom_transport.settings import Settings
from visdom_transport.visdom.durability.condition import Condition, Facts, try_folder
from visdom_transport.visdom.durability.ending import End
from visdom_transport.visdom.durability.environments import Environments, environments_of
from visdom_transport.visdom.durability.files import FOLDER, JournalFiles
from visdom_transport.visdom.durability.folding import Folding
from visdom_transport.visdom.durability.history import History
from visdom_transport.visdom.durability.measured import Measured
from visdom_transport.visdom.durability.origin import Origin, origin_of
from visdom_transport.visdom.durability.pace import Pace
from visdom_transport.visdom.durability.publishers import Publishers
from visdom_transport.visdom.durability.recovery import recover
from visdom_transport.visdom.durability.saves import Saves, take_over
from visdom_transport.visdom.durability.threads import in_thread
from visdom_transport.visdom.durability.tracking import Tracked, Tracking
from visdom_transport.visdom.durability.writer import Writer
from visdom_transport.visdom.observed import is_lazy
from visdom_transport.writing import unwritable

logger = logging.getLogger("visdom_transport.durability")

SAVE_TIMEOUT_S = 120.0

RETRY_FACTOR = 20
"""After an attempt to write that failed, the next one comes later than it took by this factor."""


class Journal:
    """The durable side of one application's state.

    ``on`` says whether anything is kept. What changes is recorded by the methods of the second section, which cost nothing for
    environments that are not journaled. Everything else happens in one task on the event loop; files are written by a thread.

    Args:
        app: the application; its ``state`` is what is kept.
        write: like os.write, for tests.
    """

    def __init__(
        self,
        app: Any,
        settings: Settings,
        publishers: Publishers,
        write: Callable[[int, bytes | memoryview], int] = os.write,
    ) -> None:
        self._app = app
        self._mode = settings.journal
        self._interval_s = self._retry_s = settings.journal_interval_s
        self._publishers = publishers
        self._origin = Origin()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked = False
        """Somebody wants everything saved as it is at the end."""
        self.error: str | None = None
        """Why nothing can be written now."""
        self._never_could = False
        """Nothing could be written when this began, for a reason that lasts, nor since."""
        self.measured = Measured()
        self._has_folder = app.env_path is not None  # without one, nothing of this is used
        self._environments = environments_of(app) if self._has_folder else Environments(Path())
        self._files = JournalFiles(self._environments.folder / FOLDER, write)
        self._tracking = Tracking(
            app, self._environments if self._has_folder else None, everything=self._mode == "all", changed=self._schedule
        )
        self._tracking.on = self._has_folder and self._mode != "off"
        self.condition = Condition(self._facts, try_folder(self._environments.folder))
        self._writer = Writer(self._files, self._tracking, publishers, Pace(settings.journal_bytes_per_s, self._interval_s))
        self._folding = Folding(app, self._environments, self._files, self._tracking, self._writer, lambda: self.is_closed)
        self.saves = Saves(
            app,
            self._tracking,
            self._folding,
            is_open=lambda: self._has_folder and not self.is_closed,
            can_write=self._can_write,
            save_now=self.save,
        )

    @property
    def on(self) -> bool:
        """Whether anything is kept while it changes."""
        return self._tracking.on

    @property
    def is_closed(self) -> bool:
        """Whether everything is being written for the last time, or is written: what changes now is not kept."""
        return self._tracking.is_closed

    @property
    def keeps(self) -> bool:
        """Whether what publishers send is kept on disk, now or when a disk that is full has room again."""
        return self.on and not unwritable.is_lasting(self._environments.folder)

    def status(self) -> dict[str, Any]:
        """For people."""
        return {
            "journal": self._mode if self.on else "off",
            "environments": sorted(self._tracking.tracked),
            "journal_bytes": self.size_bytes,
            "on_disk": self.on and self.error is None and not self._writer.has_work() and not self._files.is_behind,
            "last_error": self.error or self._folding.error,
        }

    def _facts(self) -> Facts:
        return Facts(self._mode if self._has_folder else "off", self.on, self.error, self._never_could)

    @property
    def size_bytes(self) -> int:
        """Of the journal's files."""
        return self._files.size_bytes if self.on else 0

    def lag_s(self, now: float) -> float:
        """The age of the oldest change that is not on disk, by the monotonic clock."""
        since = [each for each in (self.measured.since, self._writer.oldest_waiting) if each is not None]
        return max(0.0, now - min(since)) if since and self.on else 0.0

    def restored(self, eid: str) -> dict[str, Any]:
        """For clients: what this server began the environment with (docs/protocol.md, section 3)."""
        return {"state": self._writer.journal_id if self.on else None, "age_s": self._origin.age_s(eid, time.time())}

    # --- at the start ---

    def load(self, state: dict[str, Any]) -> None:
        """Bring ``state`` to where the journal ends. Before anybody has seen it."""
        if not self._has_folder:
            return
        self.error = unwritable.reason(self._environments.folder)
        self._never_could = unwritable.is_lasting(self._environments.folder)
        try:
            if not self._files.exists():
                return
            if unwritable.is_lasting(self._environments.folder):
                # What is there is shown. When something can be written, everything is written afresh.
                self._take_up(state, *self._files.load())
                self._writer.give_up()
            elif self._files.acquire():
                self._environments.remove_temporary()
                self._take_up(state, *self._files.load())
                if not self.on:
                    self._fold_for_good(state)
            else:
                self._in_use()
        except OSError as error:
            self._tracking.on = False
            self.error = str(error)
            logger.error("the journal in %s cannot be used, so nothing is kept but what is saved: %s", self._files.folder, error)

    def start(self) -> None:
        """Go on with what `load` has found, as soon as the event loop runs."""
        if self.on and self._writer.has_work():
            IOLoop.current().add_callback(self._schedule)

    def _in_use(self) -> None:
        self._tracking.stop()
        self._files.release()
        logger.warning("another server uses %s: what changes is not kept on disk by this one", self._files.folder.parent)

    def _take_up(self, state: dict[str, Any], generations: list[Any], whole: bool) -> None:
        history = History(generations)
        if history.id is None:
            return
        self._writer.go_on(history.id, history.last)
        for eid, recovered in recover(history, self._environments, self._files.folder).items():
            if recovered.content is None:
                self._tracking.changes.end(eid)
                continue
            state[eid] = recovered.content
            if recovered.is_stranger or not self._environments.can_hold(eid):
                self._tracking.began(eid)
            if recovered.file is None:
                self._tracking.unsaved.add(eid)
            self._tracking.tracked[eid] = Tracked(*recovered.file or ())
            self._tracking.changes.set_last(eid, history.logs[eid].last)
            for win in recovered.besides:
                self._tracking.changes.replaced((eid, "window", win))
        if whole and history.whole:
            self._publishers.restore(history.publishers)
            saved = None if self._mode == "all" else {eid: self._environments.written_at(eid) for eid in state}
            self._origin = origin_of(history, self._tracking.tracked, saved)
        else:
            # It is not known what the files contain of what is missing: publishers start over.
            self._writer.begin_another()

    def _fold_for_good(self, state: dict[str, Any]) -> None:
        for eid in self._tracking.tracked:
            self._environments.save_somewhere(eid, state[eid], asked=False)
        self._files.remove(list(self._files.old))
        self._tracking.tracked.clear()
        self._tracking.changes.clear()

    # --- what changes ---

    def track(self, eid: str) -> None:
        """A publisher feeds this environment, and waits until what it sends is on disk."""
        self._tracking.track(eid)

    def untrack_missing(self, eid: str) -> None:
        """What was meant for this environment has been carried out, or refused."""
        self._tracking.untrack_missing(eid)

    def environment_replaced(self, eid: str, *, begins: bool) -> None:
        """All of the environment is new, or it is gone. ``begins``: there was none of that name, or none that was read."""
        self._tracking.environment_replaced(eid, begins=begins)

    def part_replaced(self, eid: str, kind: str, name: str) -> None:
        """A window or member is new, replaced or gone."""
        self._tracking.part_replaced(eid, kind, name)

    def window_updated(self, eid: str, win: str, delta: Delta) -> None:
        """``delta`` has been applied to the window."""
        self._tracking.window_updated(eid, win, delta)

    def touch(self) -> None:
        """A publisher has come further."""
        if self.on:
            self._schedule()

    # --- the task ---

    def _schedule(self) -> None:
        """Write after an interval. A timer waits, not a task: a host may end its loop at any time."""
        if self._timer is not None or self._task is not None or self.is_closed or not self.on:
            return
        self.measured.changed()
        with contextlib.suppress(RuntimeError):  # no loop yet: the next change schedules it
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(self._interval_s if self.error is None else self._retry_s, self._begin_work)

    def _begin_work(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            await self.write()
        finally:
            self._task = None
        if self._writer.has_work():
            self._schedule()

    async def write(self, *, everything: bool = False) -> None:
        """Make durable what has changed, and fold the journal when it is due. Of large values ``everything``, or some."""
        if not self.on:
            return
        began = time.monotonic()
        try:
            if not (self._files.is_acquired or await in_thread(self._acquired)):
                self._in_use()
                return
            await self._writer.flush(everything=everything)
            if self._folding.is_due():
                await self._folding.fold()
        except OSError as error:
            self._failed(error)
        except Exception as error:
            logger.exception("writing the journal failed")
            self._failed(error)
        else:
            self._succeeded()
        took_s = self.measured.wrote(began, failed=self.error is not None, all_of_it=not self._writer.has_work())
        self._retry_s = max(self._interval_s, RETRY_FACTOR * took_s)

    def _acquired(self) -> bool:
        """Whether the journal is this process's; for threads, since it takes some seconds where there are no locks."""
        return not self._files.is_lost() and self._files.acquire()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, OSError):
            unwritable.failed(self._environments.folder, error)
        self.error = str(getattr(error, "strerror", None) or error)
        self._writer.give_up()

    def _succeeded(self) -> None:
        self.error, self._never_could = None, False
        unwritable.succeeded(self._environments.folder)

    # --- saving ---

    def refusal(self, eid: str) -> str | None:
        """Why an environment of this id is not saved to a file; None if it is, or if there is no directory."""
        return self._environments.refusal(eid) if self._has_folder else None

    def save(self, eid: str, environment: Any) -> None:
        """Visdom saves an environment: write it now.

        Raises:
            OSError: it cannot be written. Its old file is as it was.
        """
        content = environment._raw_dict if is_lazy(environment) else environment
        if self.saves.takes(eid, content):
            return
        if self.is_closed and self._mode != "off":
            return  # saved already, and nothing can have changed since
        if self.is_closed:
            # Visdom 0.3.0 saves everything at its end.
            self._environments.save_somewhere(eid, content, asked=self._asked)
            return
        if eid not in self._tracking.tracked or not self._can_write():
            self._save_plainly(eid, content)
            return
        take_over(self._app.state[eid], environment)
        if self._loop is not None and self._loop.is_running() and not self._on_loop():
            asyncio.run_coroutine_threadsafe(self._folding.fold_environment(eid, asked=True), self._loop).result(SAVE_TIMEOUT_S)
        else:
            self._save_now(eid)

    def _on_loop(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def _can_write(self) -> bool:
        try:
            if self._acquired():
                return True
            self._in_use()
        except OSError:
            pass  # the next attempt to write tells
        return False

    def _save_plainly(self, eid: str, content: Any) -> None:
        self._environments.save(eid, content)
        self._tracking.saved(eid, content)

    def _save_now(self, eid: str) -> None:
        try:
            self._writer.write_now()
        except OSError as error:
            try:
                if eid in self._tracking.published:
                    raise  # its file must not be ahead of what publishers are told
                self._save_plainly(eid, self._app.state[eid])
            finally:
                self._failed(error)
            return
        self._folding.fold_now(eid)

    # --- at the end ---

    async def close(self, *, asked: bool = False) -> bool:
        """Write everything for the last time. Returns whether it is on disk. What changes from now on is not kept.

        Args:
            asked: somebody wants it saved as it is. Otherwise what was saved before stays in the files.
        """
        self._tracking.is_closed, self._asked = True, asked
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await self._task
        complete = True
        if self._has_folder and self._mode != "off":
            end = End(self._app.state, self._environments, self._files, self._tracking, self._writer, self._folding, asked=asked)
            complete = await end.write(self._write_journal, self._failed)
        self._files.release()
        return complete

    async def _write_journal(self) -> bool:
        """Write what is recorded. Returns whether that worked."""
        await self.write(everything=True)
        return self.on and self.error is None
