"""Writes what a publisher's calls left behind, in a thread of its own: a call never waits for a disk."""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from visdom_transport.client.disk.folders import Folder, make
from visdom_transport.client.disk.inheritance import Inheritance
from visdom_transport.client.disk.loader import Loader
from visdom_transport.client.disk.log import Log
from visdom_transport.client.disk.outbox import DiskOutbox, Sealed
from visdom_transport.client.disk.owner import BEAT_S, Ownership
from visdom_transport.client.disk.policy import Policy
from visdom_transport.writing.unwritable import cause

logger = logging.getLogger("visdom_transport.client")

INTERVAL_S: Final = 0.1
"""Writes follow each other at this distance, so that each has much in it; at once while there is too much for one."""
STUCK_S: Final = 10.0
"""A write that lasts longer does not come back, as far as callers that need room are concerned."""
RETRY_S: Final = 5.0
"""How often a disk that cannot be written is tried again."""


class Store:
    """The part of an outbox that is on disk: made when there is something to write, removed when all of it has arrived.

    Args:
        changed: guards the outbox, and is told when something is written.
        server: where the messages go, as others may read it.
        inheritance: what is sent first.
    """

    def __init__(
        self,
        outbox: DiskOutbox,
        log_id: str,
        changed: threading.Condition,
        policy: Policy,
        server: str,
        inheritance: Inheritance,
    ) -> None:
        self._outbox = outbox
        self._log_id = log_id
        self._changed = changed
        self._policy = policy
        self._server = server
        self._inheritance = inheritance
        self._news = threading.Condition(changed._lock)  # type: ignore[attr-defined]
        self._thread: threading.Thread | None = None
        self._idle = False
        self._hurry = 0
        self._asked: tuple[dict[str, None], dict[str, None]] = ({}, {})
        """Environments to be made and to be saved, which are to be written."""
        self._folder: Folder | None = None
        self._ownership: Ownership | None = None
        self._log: Log | None = None
        self._loader: Loader | None = None
        self._noted_offset = 0
        self._writing_since: float | None = None
        self._is_over = False
        self._failed_at: float | None = None
        self._said: str | None = None

    @property
    def path(self) -> Path | None:
        """The folder of this publisher, if there is one."""
        return self._folder.path if self._folder is not None else None

    @property
    def is_due(self) -> bool:
        """Whether earlier processes may have left something."""
        return self._inheritance.is_due

    @property
    def is_behind(self) -> bool:
        """Whether what was there when this process began has not arrived yet."""
        return self._inheritance.is_behind

    # --- for callers, under the lock ---

    def wake(self) -> None:
        """There is something to write."""
        self._is_over = False
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="visdom-publisher-disk", daemon=True)
            self._thread.start()
        elif self._idle:
            self._news.notify_all()

    def note(self, environments: Mapping[str, object], saves: Mapping[str, object]) -> None:
        """Environments are to be made, or saved, by whoever sends this."""
        self._asked[0].update(dict.fromkeys(environments))
        self._asked[1].update(dict.fromkeys(saves))
        self.wake()

    def look(self) -> None:
        """Somebody waits for room. A disk that hangs is as good as none."""
        since = self._writing_since
        self._outbox.is_stuck = since is not None and time.monotonic() - since > STUCK_S

    def wait_until_written(self, timeout_s: float) -> bool:
        """Wait until everything put so far is on disk, or cannot be written. Returns whether it is."""
        self._hurry += 1
        try:
            self._news.notify_all()
            self._changed.wait_for(lambda: not self._has_work or self._outbox.is_failing, timeout_s)
            return not self._has_work
        finally:
            self._hurry -= 1

    def forked(self) -> None:
        """This is a forked process: the files are the other one's."""
        if self._log is not None:
            self._log.close()

    # --- for the thread that sends ---

    def earlier(self) -> float | None:
        """Send a part of what earlier processes left. Returns how long to wait before the next, or None if nothing is left.

        Raises:
            Away: the server cannot be reached.
        """
        return self._inheritance.step() if self._inheritance.is_due else None

    def prepare(self) -> None:
        """Have what is to be sent next in memory."""
        outbox = self._outbox
        while True:
            with self._changed:
                number = outbox.load_held()
                loader, folder, offset = self._loader, self._folder, outbox.course.offset
            if folder is not None and offset != self._noted_offset:
                with contextlib.suppress(OSError):
                    folder.note_course(offset, offset)
                self._noted_offset = offset
            if number is None:
                return
            try:
                loaded = loader.load(number) if loader is not None else None
            except OSError as error:
                logger.warning("the outbox in %s cannot be read (%s): it is tried again", self.path, cause(error))
                return
            with self._changed:
                self._lose(loader)
                if loaded is not None and loaded.items:
                    outbox.course.load(loaded.items)
                elif not self._pass_over(loaded.gap_to if loaded is not None else None):
                    return

    def settle(self) -> None:
        """Remove what the server has for good."""
        log = self._log
        if log is not None:
            log.forget(self._outbox.course.confirmed)

    def finish(self) -> None:
        """If everything has arrived, remove the folder and end the thread. Publishing again makes others."""
        with self._changed:
            # A file is closed by nobody else while it is written: its number may be another file's then.
            if not self._changed.wait_for(lambda: self._writing_since is None, STUCK_S) or not self._outbox.finish():
                return
            for asked in self._asked:
                asked.clear()
            self._is_over = True
            self._news.notify_all()
            folder, log = self._folder, self._log
            self._folder = self._log = self._loader = self._ownership = None
        if log is not None:
            log.close()
        if folder is not None:
            folder.remove()

    def _pass_over(self, gap_to: int | None) -> bool:
        """Go on behind a gap, if all before it has arrived. Returns whether it is so."""
        course = self._outbox.course
        if course.confirmed != course.applied or course.wanted != course.applied + 1:
            return False
        self._outbox.pass_over(course.end + 1 if gap_to is None else gap_to)
        return True

    def _lose(self, loader: Loader | None) -> None:
        if loader is not None and loader.dropped:
            self._outbox.lose(loader.dropped)
            loader.dropped = 0

    # --- the thread that writes ---

    def _run(self) -> None:
        last = float("-inf")
        while True:
            self._beat()
            with self._changed:
                if not self._has_work:
                    if self._is_over:
                        self._thread = None
                        return
                    self._wait(BEAT_S)
                    continue
                left = last + INTERVAL_S - time.monotonic()
                if left > 0 and not self._hurry:
                    self._news.wait(left)
                    continue
                sealed = self._seal()
                last = float("-inf") if self._outbox.has_waiting else time.monotonic()
            if sealed is None:
                continue
            try:
                self._write(sealed)
            except Exception as error:
                # Whatever it is, a thread that ended would keep nothing of what follows.
                self._cannot(error)

    def _seal(self) -> Sealed | None:
        sealed = self._outbox.seal(*self._asked, now_s=time.time())
        if sealed is not None:
            for asked, done in zip(self._asked, (sealed.environments, sealed.saves), strict=True):
                for eid in done:
                    asked.pop(eid, None)
        return sealed

    @property
    def _has_work(self) -> bool:
        return self._outbox.has_unwritten or any(self._asked)

    def _wait(self, seconds: float) -> None:
        self._idle = True
        self._news.wait(seconds)
        self._idle = False

    def _beat(self) -> None:
        """Say that this process lives; and when nothing is left, that nothing has to be sent."""
        try:
            if self._ownership is not None:
                self._ownership.renew()
        except FileNotFoundError:
            self._gone()
        except OSError:
            pass  # if it goes on failing, the next write says it
        log, outbox = self._log, self._outbox
        if log is not None and not outbox.has_unwritten and outbox.course.is_done:
            log.settle(outbox.course.confirmed)
            outbox.size_on_disk_bytes = log.size_bytes

    def _write(self, sealed: Sealed) -> None:
        now = time.monotonic()
        if self._failed_at is not None and now - self._failed_at < RETRY_S:
            self._hold()
            return
        try:
            if not self._append(sealed):
                return
        except OSError as error:
            if self._folder is not None and not self._folder.path.exists():
                self._gone()
            self._failed_at = now
            self._cannot(error)
            return
        if self._said is not None:
            logger.warning("the outbox in %s can be written again", self._policy.directory)
        self._failed_at = self._said = None
        with self._changed:
            self._outbox.written(sealed)
            self._outbox.size_on_disk_bytes = self._log.size_bytes if self._log is not None else 0
            self._changed.notify_all()

    def _append(self, sealed: Sealed) -> bool:
        """Have it on disk. Returns whether that is so; if not, the server has everything by now."""
        with self._changed:
            if not self._outbox.is_next(sealed):
                return False
            self._writing_since = time.monotonic()
        try:
            self._append_now(sealed)
        finally:
            with self._changed:
                self._writing_since = None
                self._outbox.is_stuck = False
                self._changed.notify_all()
        return True

    def _append_now(self, sealed: Sealed) -> None:
        if self._folder is None or self._log is None:
            folder, self._ownership = make(self._policy.directory, self._server, self._log_id)
            self._log, self._loader = Log(folder.path), Loader(folder.path, self._policy.max_age_s)
            self._folder = folder
            self._noted_offset = 0
        batch = sealed.batch()
        size = sum(len(body) for _, body in batch.messages)
        if self._log.size_bytes + size > self._policy.max_bytes:
            self._make_room(self._log, size)
        self._log.append(batch)

    def _make_room(self, log: Log, size: int) -> None:
        """Remove the oldest files, if that was asked for.

        Raises:
            OSError: there is no room.
        """
        while self._policy.drops_oldest and log.size_bytes + size > self._policy.max_bytes:
            segment = log.drop_oldest()
            if segment is None:
                break
            with self._changed:
                if segment.last > self._outbox.course.applied:
                    self._outbox.lose(segment.calls)
        if log.size_bytes + size > self._policy.max_bytes:
            raise OSError(errno.EFBIG, f"it holds {log.size_bytes:,} bytes, and may hold {self._policy.max_bytes:,}")

    def _cannot(self, error: Exception) -> None:
        said = cause(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        if said != self._said:
            self._said = said
            logger.error(
                "the outbox in %s cannot be written (%s): what is published is held in memory until it can. Next try in %g s.",
                self._policy.directory,
                said,
                RETRY_S,
            )
        self._failed_at = time.monotonic()
        self._hold()

    def _hold(self) -> None:
        """Have what cannot be written sent from memory."""
        with self._changed:
            self._outbox.failed()
            self._changed.notify_all()
            self._news.wait(INTERVAL_S)

    def _gone(self) -> None:
        """Another process took this one for dead, and sends what is on disk; or somebody removed it. Go on in another folder."""
        with self._changed:
            folder, log = self._folder, self._log
            if folder is None:
                return  # everything has arrived just now
            self._folder = self._log = self._loader = self._ownership = None
        logger.warning("the outbox %s was taken over or removed: this process goes on in another one", folder.path)
        if log is not None:
            log.close()
