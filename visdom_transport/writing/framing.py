"""Frames: what a file is made of that is only ever appended to. Each counts as a whole or not at all.

A frame is a line with checksum and length, then that many bytes, and a line's end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from zlib import crc32

_FIRST_LINE = re.compile(rb"([0-9a-f]{8}) ([0-9]{1,15})\n")
_MAX_FIRST_LINE_BYTES = 25


class Damage(Enum):
    """Why a file cannot be read to its end."""

    TORN = "its end was not written completely"
    CORRUPT = "it was changed after it was written"


def first_line(content: Iterable[bytes]) -> bytes:
    """What stands before the content of a frame, which is given in pieces. Behind it stands a line's end."""
    checksum = size = 0
    for piece in content:
        checksum = crc32(piece, checksum)
        size += len(piece)
    return b"%08x %d\n" % (checksum, size)


def frame(content: Sequence[bytes]) -> bytes:
    """A frame with this content."""
    return b"".join((first_line(content), *content, b"\n"))


def read_frame(data: bytes, at: int) -> tuple[bytes, int] | Damage:
    """The content of the frame that begins at this place, and where the next one does; or why there is none."""
    line = _FIRST_LINE.match(data, at)
    if line is None:
        return Damage.TORN if len(data) - at < _MAX_FIRST_LINE_BYTES or not data[at:].strip(b"\0") else Damage.CORRUPT
    start, end = line.end(), line.end() + int(line[2])
    if end >= len(data):
        return Damage.TORN
    content = data[start:end]
    if crc32(content) != int(line[1], 16) or data[end : end + 1] != b"\n":
        # A file system may have made the file longer before it wrote what is in it.
        return Damage.TORN if end + 1 == len(data) else Damage.CORRUPT
    return content, end + 1


def find_frame(data: bytes, at: int) -> int | None:
    """Where the next intact frame begins behind a damaged one at this place. None if there is none."""
    for line in _FIRST_LINE.finditer(data, at + 1):
        if not isinstance(read_frame(data, line.start()), Damage):
            return line.start()
    return None
