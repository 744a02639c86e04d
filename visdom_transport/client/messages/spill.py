"""A file for the messages that do not fit in memory: first in, first out."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Any

_HEADER = struct.Struct("<QII?")
"""Sequence number, lengths of endpoint and body, whether it is alone."""


class Spill:
    """Messages on disk, in order. The file has no name, so it is gone when the process is, whatever ends it.

    Args:
        directory: where; the system's directory for temporary files by default.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._file: Any = None
        self._read_at = self._write_at = 0
        self._first: int | None = None

    def __bool__(self) -> bool:
        return self._read_at < self._write_at

    @property
    def size_bytes(self) -> int:
        """What is on disk and was not read yet."""
        return self._write_at - self._read_at

    @property
    def first_sequence(self) -> int | None:
        """The number that the oldest message was given, if there is one."""
        return self._first

    def put(self, sequence: int, endpoint: str, body: bytes, alone: bool) -> None:
        """Add a message.

        Raises:
            OSError: the disk is full or cannot be written. Nothing was added.
        """
        name = endpoint.encode()
        record = _HEADER.pack(sequence, len(name), len(body), alone) + name + body
        if self._file is None:
            # Without a buffer: one would be written a second time by a process forked with it.
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 (it is open while anything is in it)
                buffering=0, prefix="visdom-publisher-", dir=self._directory
            )
        self._file.seek(self._write_at)
        written = 0
        while written < len(record):
            written += self._file.write(record[written:])
        if not self:
            self._first = sequence
        self._write_at += len(record)

    def take(self) -> tuple[int, str, bytes, bool]:
        """Remove the oldest message, and return what was put.

        Raises:
            IndexError: there is none.
        """
        if not self or self._file is None:
            raise IndexError("nothing is spilled")
        sequence, name_length, body_length, alone = self._header()
        start = self._read_at + _HEADER.size
        content = self._read(start, name_length + body_length)
        self._read_at = start + len(content)
        self._first = None
        if self:
            self._first = self._header()[0]
        else:
            self.close()
        return sequence, content[:name_length].decode(), content[name_length:], alone

    def close(self) -> None:
        """Give the file back, with what is in it."""
        if self._file is not None:
            self._file.close()
        self._file, self._first = None, None
        self._read_at = self._write_at = 0

    def _header(self) -> tuple[int, int, int, bool]:
        return _HEADER.unpack(self._read(self._read_at, _HEADER.size))

    def _read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        parts = []
        while length and (part := self._file.read(length)):
            parts.append(part)
            length -= len(part)
        return b"".join(parts)
