"""The bytes of a journal: blocks, each of which counts as a whole or not at all.

A block is a line with checksum and length, and then that many bytes: lines of JSON, the first an object (its head), the others
arrays (its records).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any
from zlib import crc32

from visdom_transport.core.encoding import decode, encode

_FIRST_LINE = re.compile(rb"([0-9a-f]{8}) ([0-9]{1,15})\n")
_MAX_FIRST_LINE_BYTES = 25


class Damage(Enum):
    """Why a journal cannot be read to its end."""

    TORN = "its end was not written completely"
    CORRUPT = "it was changed after it was written"


@dataclass(frozen=True, slots=True)
class Block:
    head: dict[str, Any]
    records: list[list[Any]]


def write_block(head: dict[str, Any], records: Iterable[bytes]) -> bytes:
    """The bytes of a block; ``records`` are encoded already."""
    body = b"\n".join((encode(head), *records))
    return b"%08x %d\n%b\n" % (crc32(body), len(body), body)


def read_blocks(data: bytes) -> tuple[list[Block], Damage | None]:
    """The blocks of a journal up to its end, or up to where it is damaged."""
    blocks: list[Block] = []
    at = 0
    while at < len(data):
        first_line = _FIRST_LINE.match(data, at)
        if first_line is None:
            return blocks, Damage.TORN if len(data) - at < _MAX_FIRST_LINE_BYTES or not data[at:].strip(b"\0") else Damage.CORRUPT
        start, end = first_line.end(), first_line.end() + int(first_line[2])
        if end >= len(data):
            return blocks, Damage.TORN
        body = data[start:end]
        if crc32(body) != int(first_line[1], 16) or data[end : end + 1] != b"\n":
            # A file system may have made the file longer before it wrote what is in it.
            return blocks, Damage.TORN if end + 1 == len(data) else Damage.CORRUPT
        try:
            head, *records = map(decode, body.split(b"\n"))
        except ValueError:
            return blocks, Damage.CORRUPT
        blocks.append(Block(head, records))
        at = end + 1
    return blocks, None
