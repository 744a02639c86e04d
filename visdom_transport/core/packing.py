"""Compression of what is sent to many: each part once, for all of them (docs/protocol.md, section 1).

A part is compressed by itself, so that it fits into every message that carries it: raw deflate data (RFC 1951) that ends at a
byte and refers to nothing before it can be put together like text.
"""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

LEAST_BYTES: Final = 1_000
"""Smaller messages, and smaller parts of one, are not worth it."""

STEP_BYTES: Final = 4_096
"""A part is compressed in steps. Lists of numbers have nothing that repeats, and are smaller if nothing is looked for: a plot is
both, its x and its y."""

POOR: Final = 0.4
"""Where something repeats, less than this is left."""

LEVEL: Final = 1
MEMORY_LEVEL: Final = 6
"""What a compressor begins with has to be cleared for each step: 9 makes the same of a step in 1.7 times as long."""

EMPTY: Final = b"\0\0\xff\xff"
"""What ends each piece of deflate data here: a stored block without content, but for its head."""

MOST_STORED: Final = 65_535
ADLER: Final = 65_521


@dataclass(frozen=True, slots=True)
class Packed:
    """Deflate data that can be put together with other such data."""

    data: bytes
    checksum: int
    """Adler-32 of the content."""
    size: int
    """Of the content."""


def is_worth_it(size: int) -> bool:
    """Whether something of so many bytes is compressed."""
    return size >= LEAST_BYTES


def pack(content: bytes) -> Packed:
    """``content``, compressed if that makes it smaller."""
    steps = (content[start : start + STEP_BYTES] for start in range(0, len(content), STEP_BYTES))
    return Packed(b"".join(map(_smallest, steps)), zlib.adler32(content), len(content))


def store(content: bytes) -> Packed:
    """``content`` as it is."""
    return Packed(_stored(content), zlib.adler32(content), len(content))


def _smallest(content: bytes) -> bytes:
    found = _deflated(content, zlib.Z_DEFAULT_STRATEGY)
    if len(found) > POOR * len(content):
        found = min(found, _deflated(content, zlib.Z_HUFFMAN_ONLY), _stored(content), key=len)
    return found


def _deflated(content: bytes, strategy: int) -> bytes:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, MEMORY_LEVEL, strategy)
    return compressor.compress(content) + compressor.flush(zlib.Z_SYNC_FLUSH)


def _stored(content: bytes) -> bytes:
    blocks: list[bytes] = []
    for start in range(0, len(content), MOST_STORED):
        block = content[start : start + MOST_STORED]
        size = len(block).to_bytes(2, "little")
        blocks += (b"\0", size, bytes(byte ^ 0xFF for byte in size), block)
    return b"".join(blocks)


def raw(parts: Iterable[Packed]) -> list[bytes]:
    """The content as the payload of a WebSocket message (RFC 7692, section 7.2.1), in parts."""
    return [*(part.data for part in parts), b"\0"]


def as_zlib(parts: Sequence[Packed]) -> bytes:
    """The content as HTTP's coding ``deflate`` has it (RFC 1950)."""
    low, high = 1, 0
    for part in parts:
        high = (high + (part.checksum >> 16) + part.size * (low - 1)) % ADLER
        low = (low + (part.checksum & 0xFFFF) - 1) % ADLER
    end = b"\1" + EMPTY + (high << 16 | low).to_bytes(4, "big")
    return b"".join((b"\x78\x01", *(part.data for part in parts), end))


class Keeper(Protocol):
    """Keeps fragments, and counts what that costs."""

    def count(self, size_bytes: int) -> None:
        """So many bytes more are kept."""


def nobody() -> None:
    """In the place of a reference to a keeper."""


class Fragment:
    """A part of messages, plain and, once somebody has wanted that, compressed."""

    __slots__ = ("_keeper", "_parts", "packed", "size")

    def __init__(self, *parts: bytes, keeper: Keeper | None = None) -> None:
        self.packed: Packed | None = None
        self.size = sum(map(len, parts))
        self._parts = parts
        # Weakly: a keeper has its fragments, and what is gone must not wait for the garbage collector.
        self._keeper = weakref.ref(keeper) if keeper is not None else nobody

    def __len__(self) -> int:
        return self.size

    @property
    def parts(self) -> tuple[bytes, ...]:
        """The content, in parts."""
        return self._parts

    @property
    def content(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    @property
    def packed_bytes(self) -> int:
        """What the compressed form costs."""
        return len(self.packed.data) if self.packed is not None else 0

    def pack(self) -> Packed:
        """Compress it. Changes nothing, and so may be called in any thread; `keep` what it returns."""
        return pack(self.content) if is_worth_it(self.size) else store(self.content)

    def keep(self, packed: Packed) -> None:
        """What `pack` has made."""
        if self.packed is None:
            self.packed = packed
            keeper = self._keeper()
            if keeper is not None:
                keeper.count(len(packed.data))

    def let_go(self, keeper: Keeper) -> None:
        """``keeper`` does not keep it any more. Who is just sending it still has it."""
        if self._keeper() is keeper:
            self._keeper = nobody


class Plain(Fragment):
    """A part that is never compressed, whatever its size: what is in it is for one reader, and may be secret."""

    __slots__ = ()

    def pack(self) -> Packed:
        return store(self.content)


COMMA: Final = Plain(b",")
"""What is between the large parts of a message, made once for all."""
COMMA.keep(COMMA.pack())


class Message:
    """One message in fragments, for a link that compresses."""

    __slots__ = ("fragments", "size")

    def __init__(self, fragments: Sequence[Fragment]) -> None:
        self.fragments = fragments
        self.size = sum(map(len, fragments))

    def __len__(self) -> int:
        """Bytes of the plain text."""
        return self.size

    @property
    def plain(self) -> bytes:
        return b"".join(part for fragment in self.fragments for part in fragment.parts)

    @property
    def packed(self) -> list[Packed]:
        """Compressed, now if it has not been before."""
        return [fragment.packed or fragment.pack() for fragment in self.fragments]


Outgoing: TypeAlias = bytes | Message
"""What a link sends: a message that goes as it is, or one that goes compressed."""


def fragments_of(parts: Iterable[Fragment | bytes], keeper: Keeper | None = None) -> list[Fragment]:
    """``parts`` with what is too small to be compressed by itself put together."""
    found: list[Fragment] = []
    small: list[bytes] = []
    for part in parts:
        if isinstance(part, bytes):
            small.append(part)
        elif not is_worth_it(part.size):
            small += part.parts
        else:
            if small:
                found.append(COMMA if small == [b","] else Fragment(*small, keeper=keeper))
                small = []
            found.append(part)
    if small:
        found.append(Fragment(*small, keeper=keeper))
    return found
