"""Reads the log of a publisher, whoever wrote it, as far as it is intact. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from visdom_transport.client.disk.batches import Batch, decode_batch
from visdom_transport.client.disk.log import SUFFIX
from visdom_transport.writing.framing import Damage, find_frame, read_frame


class Reader:
    """Goes through the batches of a log, and goes on where it was when there are more.

    Attributes:
        damaged: files that something in the middle of cannot be read of.
    """

    def __init__(self, folder: Path) -> None:
        self.damaged: set[Path] = set()
        self._folder = folder
        self.path: Path | None = None
        self._at = 0
        self._data = b""
        self._data_at = 0

    def rewind(self) -> None:
        """Begin again with the first file that is there."""
        self.path, self._at, self._data, self._data_at = None, 0, b"", 0

    def next(self) -> Batch | None:
        """The next batch. None when there is none yet.

        Raises:
            OSError: a file cannot be read.
        """
        while True:
            if self.path is None and not self._advance():
                return None
            batch = self._next_here()
            if batch is not None:
                return batch
            if not self._advance():
                return None

    # --- inside ---

    def _advance(self) -> bool:
        """Go to the next file. Returns whether there is one."""
        following = [path for path in log_files(self._folder) if self.path is None or path.name > self.path.name]
        if not following:
            return False
        if self.path is not None and self._rest():
            self.damaged.add(self.path)
        self.path, self._at, self._data, self._data_at = following[0], 0, b"", 0
        return True

    def _next_here(self) -> Batch | None:
        data = self._rest()
        at = self._at - self._data_at
        while at < len(data):
            found = read_frame(data, at)
            if not isinstance(found, Damage):
                content, at = found
                self._at = self._data_at + at
                try:
                    return decode_batch(content)
                except ValueError:
                    self._note_damage()
                    continue
            following = find_frame(data, at)
            if following is None:
                return None
            self._note_damage()
            at = following
        return None

    def _note_damage(self) -> None:
        assert self.path is not None
        self.damaged.add(self.path)

    def _rest(self) -> bytes:
        """What there is from here to the end of the file; nothing if the file is gone."""
        assert self.path is not None
        at = self._at - self._data_at
        if at < len(self._data) and not isinstance(read_frame(self._data, at), Damage):
            return self._data
        try:
            with self.path.open("rb") as file:
                file.seek(self._at)
                self._data, self._data_at = file.read(), self._at
        except FileNotFoundError:
            self._data, self._data_at = b"", self._at
        return self._data


@dataclass(slots=True)
class Survey:
    """What is in a log."""

    first: int | None = None
    """The number of the first message that is there, if there is any."""
    last: int = 0
    confirmed: int = 0
    """How far the server was when the log was written last."""
    messages: int = 0
    """Those above it."""
    size_bytes: int = 0
    newest_s: float = 0.0
    environments: dict[str, None] = field(default_factory=dict)
    saves: dict[str, None] = field(default_factory=dict)
    damaged: set[Path] = field(default_factory=set)
    files: dict[Path, int] = field(default_factory=dict)
    """The last number in each."""


def survey(folder: Path) -> Survey:
    """Look through a log.

    Raises:
        OSError: it cannot be read.
    """
    found = Survey(size_bytes=sum(path.stat().st_size for path in log_files(folder)))
    reader = Reader(folder)
    ranges: list[tuple[int, int]] = []
    while (batch := reader.next()) is not None:
        if batch.messages:
            found.first = batch.first if found.first is None else min(found.first, batch.first)
            if ranges and ranges[-1][1] == batch.first - 1:
                ranges[-1] = ranges[-1][0], batch.last
            else:
                ranges.append((batch.first, batch.last))
        found.last = max(found.last, batch.last)
        if reader.path is not None:
            found.files[reader.path] = found.last
        found.confirmed = max(found.confirmed, batch.confirmed)
        found.newest_s = max(found.newest_s, batch.time_s)
        found.environments |= dict.fromkeys(batch.environments)
        found.saves |= dict.fromkeys(batch.saves)
    found.messages = sum(max(0, last - max(first - 1, found.confirmed)) for first, last in ranges)
    found.damaged = reader.damaged
    return found


def log_files(folder: Path) -> list[Path]:
    """The files of a log, the oldest first."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:
        return []
