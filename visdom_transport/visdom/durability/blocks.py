"""The bytes of a journal: blocks, each of which counts as a whole or not at all.

A block is a frame of lines of JSON, the first an object (its head), the others arrays (its records).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from visdom_transport.core.delta import fold
from visdom_transport.core.encoding import decode, encode
from visdom_transport.writing.framing import Damage, first_line, read_frame


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
    return list(_joined([first_line(pieces), *pieces, b"\n"]))


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
        found = read_frame(data, at)
        if isinstance(found, Damage):
            return blocks, found
        body, at = found
        try:
            head, *records = map(decode, body.split(b"\n"))
        except ValueError:
            return blocks, Damage.CORRUPT
        blocks.append(Block(head, records))
    return blocks, None
