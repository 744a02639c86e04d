"""The files that a publisher appends to, and removes when the server has what is in them.

Files are numbered, and each is complete before the next one begins. Nothing in a file is ever changed.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from visdom_transport.client.disk.batches import Batch
from visdom_transport.writing import sync_file, sync_folder

SEGMENT_BYTES: Final = 4_000_000
"""A file that has reached this size is complete."""
SUFFIX: Final = ".log"
MODE: Final = 0o600


@dataclass(slots=True)
class Segment:
    """One file."""

    path: Path
    last: int
    """The number of the last message in it."""
    size_bytes: int = 0
    calls: int = 0


class Log:
    """The log of a publisher that lives. One thread may append while another one forgets.

    Args:
        folder: there already, and nobody else's.
        segment_bytes: when a file is complete, if not at `SEGMENT_BYTES`.
    """

    def __init__(self, folder: Path, segment_bytes: int | None = None) -> None:
        self.folder = folder
        self._segment_bytes = SEGMENT_BYTES if segment_bytes is None else segment_bytes
        self._segments: deque[Segment] = deque()
        self._changing = threading.Lock()
        self._file: int | None = None
        self._index = 0

    @property
    def size_bytes(self) -> int:
        """What is on disk."""
        with self._changing:
            return sum(segment.size_bytes for segment in self._segments)

    def append(self, batch: Batch) -> None:
        """Add a batch, for good.

        Raises:
            OSError: it could not be written. What was written before is as it was, and the next batch begins another file.
        """
        content = batch.encoded()
        try:
            if self._file is None:
                self._begin(batch.first - 1)
            assert self._file is not None
            segment = self._segments[-1]
            written = 0
            while written < len(content):
                written += os.write(self._file, content[written:] if written else content)
            sync_file(self._file, self.folder)
        except OSError:
            self._give_up_segment()
            raise
        with self._changing:
            segment.size_bytes += len(content)
            segment.last = batch.last
            segment.calls += batch.calls
        if segment.size_bytes >= self._segment_bytes:
            self._end_segment()

    def forget(self, number: int) -> None:
        """Remove the files that hold nothing above a number, but the one that is being written."""
        self._remove_while(lambda segment: segment.last <= number and not self._is_open(segment))

    def settle(self, number: int) -> None:
        """Remove also the file that is being written, if it holds nothing above a number. Only for the thread that appends."""
        with self._changing:
            is_settled = bool(self._segments) and self._segments[-1].last <= number
        if is_settled:
            self._end_segment()
            self.forget(number)

    def drop_oldest(self) -> Segment | None:
        """Remove the oldest file that is complete. Returns what it was."""
        with self._changing:
            if len(self._segments) < 2:
                return None
            segment = self._segments.popleft()
        _remove(segment.path)
        return segment

    def close(self) -> None:
        """Leave the files as they are."""
        self._end_segment()

    # --- inside ---

    def _is_open(self, segment: Segment) -> bool:
        return self._file is not None and segment is self._segments[-1]

    def _remove_while(self, condition: object) -> None:
        assert callable(condition)
        while True:
            with self._changing:
                if not self._segments or not condition(self._segments[0]):
                    return
                segment = self._segments.popleft()
            _remove(segment.path)

    def _begin(self, last: int) -> None:
        path = self.folder / f"{self._index:012d}{SUFFIX}"
        self._index += 1
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._file = os.open(path, flags, MODE)
        with self._changing:
            self._segments.append(Segment(path, last))
        sync_folder(self.folder)

    def _end_segment(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.close(file)

    def _give_up_segment(self) -> None:
        """What was not written completely is taken back as far as possible: a reader skips it otherwise."""
        if self._file is None:
            return
        segment = self._segments[-1]
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, segment.size_bytes)
        self._end_segment()
        if segment.size_bytes == 0:
            # A disk that stays full is tried again and again.
            with self._changing, contextlib.suppress(ValueError):
                self._segments.remove(segment)  # if the other thread has not forgotten it
            _remove(segment.path)


def _remove(path: Path) -> None:
    # It may be gone: whoever has taken over the folder removes what has arrived.
    with contextlib.suppress(OSError):
        path.unlink()
