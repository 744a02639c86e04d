"""The bytes of a journal: blocks, each of which counts as a whole or not at all.

A block is a line with checksum and length, and then that many bytes: lines of JSON, the first an object (its head), the others
arrays (its records).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any
from zlib import crc32

from visdom_transport.core.delta import fold
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


@dataclass(frozen=True, slots=True)
class Record:
    """A record on its way: an array in JSON without its end, and what is to stand last in it, encoded in pieces."""

    start: bytes
    last: tuple[bytes, ...] = ()
    are_deltas: bool = False
    """These are an update's deltas instead, which are folded when the record is written."""

    @property
    def size_bytes(self) -> int:
        return len(self.start) + sum(map(len, self.last))

    def chunks(self) -> tuple[bytes, ...]:
        """The record in pieces, of which no large one is copied."""
        last = self.last if len(self.last) < 2 or not self.are_deltas else (encode(fold(map(decode, self.last))),)
        return (self.start, *last, b"]")


COPIED_BYTES = 65_536
"""Smaller pieces are put together for writing."""


def write_block(head: dict[str, Any], records: Iterable[Iterable[bytes]]) -> list[bytes]:
    """The bytes of a block, in pieces, of records in pieces."""
    pieces = [encode(head), *_joined(chunk for record in records for chunk in (b"\n", *record))]
    checksum = 0
    for piece in pieces:
        checksum = crc32(piece, checksum)
    return list(_joined([b"%08x %d\n" % (checksum, sum(map(len, pieces))), *pieces, b"\n"]))


def _joined(chunks: Iterable[bytes]) -> Iterator[bytes]:
    small = bytearray()
    for chunk in chunks:
        is_large = len(chunk) >= COPIED_BYTES
        if small and (is_large or len(small) >= COPIED_BYTES):
            yield bytes(small)
            small.clear()
        if is_large:
            yield chunk
        else:
            small += chunk
    if small:
        yield bytes(small)


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
