"""What of a log is to be sent next, as messages."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from visdom_transport.client.disk.batches import Batch
from visdom_transport.client.disk.reader import Reader
from visdom_transport.client.messages.calls import Message
from visdom_transport.client.messages.request import Item
from visdom_transport.core.encoding import decode


@dataclass(frozen=True, slots=True)
class Loaded:
    """Messages that follow each other.

    Attributes:
        items: those from the number that was asked for on. Their `sequence` is the number.
        gap_to: if there are none, the number of the next one that is there; None if there is no other.
    """

    items: list[Item]
    gap_to: int | None = None


class Loader:
    """Goes through a log from any number on.

    Args:
        max_age_s: what was written longer ago is passed over. None passes over nothing.

    Attributes:
        dropped: calls that were passed over for their age.
    """

    def __init__(self, folder: Path, max_age_s: float | None = None, now: Callable[[], float] = time.time) -> None:
        self.reader = Reader(folder)
        self.dropped = 0
        self._max_age_s = max_age_s
        self._now = now
        self._ahead: Batch | None = None
        self._position = 0
        self._passed_over = 0

    def load(self, number: int) -> Loaded:
        """The messages from this number on, as many as were written at once.

        Raises:
            OSError: the log cannot be read.
        """
        if number < self._position:
            self.reader.rewind()
            self._ahead = None
        self._position = number
        while (batch := self._next()) is not None:
            if not batch.messages or batch.last < number or self._is_too_old(batch):
                continue
            if batch.first > number:
                self._ahead = batch
                return Loaded([], batch.first)
            self._position = batch.last + 1
            numbered = enumerate(batch.messages, batch.first)
            return Loaded([_item(each, *message) for each, message in numbered if each >= number])
        return Loaded([])

    # --- inside ---

    def _next(self) -> Batch | None:
        batch, self._ahead = self._ahead, None
        return batch if batch is not None else self.reader.next()

    def _is_too_old(self, batch: Batch) -> bool:
        if self._max_age_s is None or self._now() - batch.time_s <= self._max_age_s:
            return False
        if batch.last > self._passed_over:
            self._passed_over = batch.last
            self.dropped += batch.calls
        return True


def _item(number: int, endpoint: str, body: bytes) -> Item:
    return Item(Message(endpoint, decode(body), body), number)
