"""What earlier processes left in an outbox directory for the same server: sent before what this process publishes."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Final

from visdom_transport.client.asking.connection import Connection
from visdom_transport.client.disk.delivery import Delivery
from visdom_transport.client.disk.folders import Folder, base_name, folders, is_taken, take_over, unusable
from visdom_transport.client.disk.owner import Owners
from visdom_transport.writing.unwritable import cause

logger = logging.getLogger("visdom_transport.client")

LOOK_EVERY_S: Final = 0.2
AGAIN_AFTER_S: Final = 30.0
"""Processes may end while this one lives, such as workers."""


class Inheritance:
    """Finds folders of processes that have ended, and sends what is in them. Used by one thread.

    Those that are there when a process begins come first, whoever sends them: what this process publishes may belong behind it.
    """

    def __init__(self, directory: Path, server: str, connection: Connection, max_age_s: float | None) -> None:
        self._directory = directory
        self._server = server
        self._connection = connection
        self._max_age_s = max_age_s
        self._owners = Owners()
        self._before: set[str] | None = None
        self._delivery: Delivery | None = None
        self._looked_at = float("-inf")
        self._is_over = False
        self._unreadable: set[Path] = set()

    @property
    def is_due(self) -> bool:
        """Whether there may be something to send, which comes first."""
        return not self._is_over or time.monotonic() - self._looked_at > AGAIN_AFTER_S

    @property
    def is_behind(self) -> bool:
        """Whether something that comes first has not arrived yet, as far as is known."""
        return not self._is_over

    def step(self) -> float | None:
        """Send a part. Returns how long to wait before the next step, or None if nothing is left.

        Raises:
            Away: the server cannot be reached.
        """
        delivery = self._delivery
        if delivery is None:
            return self._look()
        try:
            if delivery.step():
                logger.warning(self._summary(delivery))
                self._delivery = None
        except OSError as error:
            self._delivery = None
            if delivery.folder.path.exists():
                self._cannot(delivery.folder.path, cause(error))
        return LOOK_EVERY_S if self._delivery is not None and delivery.waits else 0.0

    # --- inside ---

    def _look(self) -> float | None:
        self._looked_at = time.monotonic()
        there = self._folders()
        if self._before is None:
            self._say_what_is_unusable()
            self._before = {base_name(each) for each in there}
        waits = False
        for folder in there:
            lives = self._owners.lives(folder.path)
            if lives is False and self._take(folder):
                return 0.0
            if folder.path in self._unreadable:
                continue
            # One that lives sends its own; or what it has taken over, which is waited for. So is what another has just taken.
            waits |= base_name(folder) in self._before and (not lives or is_taken(folder))
        self._is_over = not waits
        return LOOK_EVERY_S if waits else None

    def _folders(self) -> list[Folder]:
        try:
            there = folders(self._directory)
        except OSError as error:
            self._cannot(self._directory, cause(error))
            return []
        return [each for each in there if each.server == self._server and each.path not in self._unreadable]

    def _say_what_is_unusable(self) -> None:
        with contextlib.suppress(OSError):
            for path, why in unusable(self._directory).items():
                # Those of other users are not ours to read.
                if os.access(path, os.R_OK):
                    self._cannot(path, why)

    def _take(self, folder: Folder) -> bool:
        try:
            taken = take_over(folder, self._owners)
            if taken is not None:
                self._delivery = Delivery(*taken, self._connection, self._max_age_s)
                self._is_over = False
        except OSError as error:
            self._cannot(folder.path, cause(error))
            return False
        return taken is not None

    def _cannot(self, path: Path, why: str) -> None:
        if path not in self._unreadable:
            logger.error("what is left in %s cannot be sent (%s); it stays there", path, why)
        self._unreadable.add(path)

    def _summary(self, delivery: Delivery) -> str:
        return (
            f"what a process left in {self._directory} has arrived at {self._server}: {delivery.course.sent} messages, "
            f"{delivery.refused} of them refused, {delivery.dropped} calls too old"
        )
