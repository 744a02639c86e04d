"""Sends what a process that has ended left on disk."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Final

from visdom_transport.client.asking.connection import Connection
from visdom_transport.client.asking.errors import TooLarge
from visdom_transport.client.asking.exchange import REPLY_TIMEOUT_S
from visdom_transport.client.asking.report import Report
from visdom_transport.client.disk.course import Course
from visdom_transport.client.disk.folders import Folder
from visdom_transport.client.disk.loader import Loader
from visdom_transport.client.disk.owner import Ownership
from visdom_transport.client.disk.reader import Survey, survey
from visdom_transport.client.messages.request_size import RequestSize

logger = logging.getLogger("visdom_transport.client")

NOTED_EVERY_S: Final = 1.0
BATCH_BYTES: Final = 500_000


class Delivery:
    """One folder on its way to the server. Used by one thread.

    Raises:
        OSError: the folder cannot be read.
    """

    def __init__(self, folder: Folder, ownership: Ownership, connection: Connection, max_age_s: float | None = None) -> None:
        self.folder = folder
        self.batch_bytes = BATCH_BYTES
        self.refused = 0
        self.survey: Survey = survey(folder.path)
        confirmed, offset = folder.course()
        first = self.survey.first if self.survey.first is not None else self.survey.last + 1
        self.course = Course(folder.log_id, max(confirmed, self.survey.confirmed, first - 1), offset, asks_first=True)
        self.course.end = max(self.survey.last, self.course.confirmed)
        self._ownership = ownership
        self._connection = connection
        self._loader = Loader(folder.path, max_age_s)
        self._size = RequestSize(self)
        self._report = Report(connection.address.shown, 0)
        self._environments = dict(self.survey.environments)
        self._noted_at = 0.0
        self._say_what_is_damaged()

    @property
    def dropped(self) -> int:
        """Calls that were too old to be sent."""
        return self._loader.dropped

    @property
    def waits(self) -> bool:
        """Whether there is nothing to send: the server writes what it has applied."""
        return not self.course.has_news

    def step(self) -> bool:
        """One request, with its reply. Returns whether the server has everything for good, and the folder is gone.

        Raises:
            Away: the server cannot be reached.
            OSError: the folder cannot be read or written, or another process has taken it.
        """
        self._ownership.renew()
        self._make_environments()
        if self.course.is_done:
            return self._finish()
        if self._load():
            self._exchange()
        self._note()
        return False

    def stay(self) -> None:
        """Remain the owner while the server is away.

        Raises:
            OSError: another process has taken the folder.
        """
        self._ownership.renew()

    # --- inside ---

    def _make_environments(self) -> None:
        for eid in list(self._environments):
            self._connection.make_environment(eid)
            del self._environments[eid]

    def _load(self) -> bool:
        """Hold what is to be sent next. Returns whether anything is to be asked or sent."""
        course = self.course
        while not course.asks and (number := course.wanted) is not None:
            loaded = self._loader.load(number)
            if loaded.items:
                course.load(loaded.items)
            elif course.applied == course.confirmed and number == course.applied + 1:
                self._begin_again(course.end if loaded.gap_to is None else loaded.gap_to - 1)
                if course.is_done:
                    return False
            else:
                break  # what is before the gap has to arrive first
        return True

    def _exchange(self) -> None:
        request = self.course.request(self.batch_bytes)
        # The process that has ended may have sent anything.
        self._connection.expect_any(request.publisher_id)
        try:
            reply = self._connection.publish(request)
        except TooLarge:
            given_up = self._size.refused(request.items)
            if given_up is not None:
                item, size = given_up
                self._report.refused(
                    item, {"code": "too_large", "message": f"no message of {size} bytes is taken", "field": None}
                )
                self.refused += 1
                self.course.give_up(item)
            return
        self._size.taken()
        receipt = self.course.receive(reply)
        self.refused += len(receipt.refused)
        for item, error in receipt.refused:
            self._report.refused(item, error)
        if not receipt.known:
            self._begin_again(self.course.confirmed)

    def _begin_again(self, number: int) -> None:
        # Known to whoever comes later before anything is sent under the new id.
        self.folder.note_course(number, number)
        self.course.begin_again(number)

    def _note(self) -> None:
        """Remember how far the server is, and remove files that it has for good."""
        now = time.monotonic()
        if now - self._noted_at < NOTED_EVERY_S:
            return
        self._noted_at = now
        # Not on a full disk, where what is removed here makes room. Whoever comes later asks the server anyway.
        with contextlib.suppress(OSError):
            self.folder.note_course(self.course.confirmed, self.course.offset)
        for path in [path for path, last in self.survey.files.items() if last <= self.course.confirmed]:
            del self.survey.files[path]
            with contextlib.suppress(OSError):
                path.unlink()

    def _finish(self) -> bool:
        if self.survey.saves:
            self._connection.save(list(self.survey.saves), REPLY_TIMEOUT_S)
        self.folder.remove()
        return True

    def _say_what_is_damaged(self) -> None:
        for path in sorted(self.survey.damaged):
            logger.error("%s is damaged: what can be read in it is sent, the rest is lost", path)
