"""What has changed since the last block: values by name, which are read when the block is made, and deltas.

Like a feed, it conflates: of a window that was replaced ten times, the last value is recorded. Records are numbered when they
are sealed. A value read right after its part was sealed is what the records up to that number lead to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from visdom_transport.core.delta import Delta
from visdom_transport.core.encoding import encode
from visdom_transport.visdom.durability.blocks import Record
from visdom_transport.visdom.durability.sizes import estimated_bytes
from visdom_transport.visdom.durability.steps import encoding

logger = logging.getLogger("visdom_transport.durability")

Part: TypeAlias = tuple[str, str, str]
"""Environment id; "window" or "member"; window id or name of the member."""

BEGINNING = "beginning"
"""The kind of the part that stands for the record with which an environment begins."""

MANY_DELTAS_BYTES = 65_536
"""Deltas of one part that have grown beyond this, and beyond the part itself, are given up for its value."""


@dataclass(slots=True)
class _Deltas:
    """What was done to a part, in order."""

    encoded: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    checked_bytes: int = MANY_DELTAS_BYTES
    """At this size they are compared with the part."""


@dataclass(slots=True)
class _Unsealed:
    """What has changed in one environment."""

    parts: dict[Part, _Deltas | None] = field(default_factory=dict)
    """None: the part is new, replaced or gone."""
    beginning: bytes | None = None
    """The record that has to come first."""
    whole: bool = False
    """All parts must be in one block with the beginning: it takes the place of what is on disk."""


class Changes:
    """Collects the records of the next block.

    Args:
        read: returns the value of a part now. Raises KeyError when it does not exist.
        number: of the last record sealed so far.
    """

    def __init__(self, read: Callable[[Part], Any], number: int = 0) -> None:
        self.number = number
        self.records: list[Record] = []
        self.sealed_bytes = 0
        self._read = read
        self._last: dict[str, int] = {}
        self._unsealed: dict[str, _Unsealed] = {}
        self._open: set[str] = set()
        """Environments that have begun as a whole in the block that is being made."""
        self._lost: set[Part] = set()
        """What could not be encoded: deltas would have nothing to change."""

    def last(self, eid: str) -> int:
        """The number of the environment's last sealed record."""
        return self._last.get(eid, 0)

    def set_last(self, eid: str, number: int) -> None:
        """Records of the environment up to this number were sealed before."""
        self._last[eid] = number

    def __bool__(self) -> bool:
        return bool(self.records or self._unsealed)

    def has_unsealed(self, eid: str) -> bool:
        """Whether something has changed in the environment that is in no record."""
        return eid in self._unsealed

    def is_replaced(self, part: Part) -> bool:
        """Whether the value of the part has to be recorded, or that it is gone."""
        unsealed = self._unsealed.get(part[0])
        return unsealed is not None and part in unsealed.parts and unsealed.parts[part] is None

    def is_to_begin(self, eid: str) -> bool:
        """Whether the record with which the environment begins is still to be made."""
        return eid in self._unsealed and self._unsealed[eid].beginning is not None

    def must_be_whole(self, eid: str) -> bool:
        """Whether the next block has to contain everything that has changed in the environment."""
        return eid in self._open or (eid in self._unsealed and self._unsealed[eid].whole)

    def unsealed(self) -> Iterator[Part]:
        """What is in no record. It may change while this is read."""
        for eid in list(self._unsealed):
            yield from self._parts(eid)

    def _parts(self, eid: str) -> list[Part]:
        unsealed = self._unsealed.get(eid)
        if unsealed is None:
            return []
        beginning: list[Part] = [(eid, BEGINNING, "")] if unsealed.beginning is not None else []
        return [*beginning, *unsealed.parts]

    def size(self, part: Part) -> int:
        """About how many bytes the record of an unsealed part will take."""
        unsealed = self._unsealed.get(part[0])
        if unsealed is None or part not in unsealed.parts:
            return 0
        deltas = unsealed.parts[part]
        return deltas.size_bytes if deltas is not None else self.value_bytes(part)

    def value_bytes(self, part: Part) -> int:
        """About how many bytes the part takes. 0 when it does not exist."""
        try:
            return estimated_bytes(self._read(part))
        except KeyError:
            return 0

    # --- what changes ---

    def replaced(self, part: Part) -> None:
        """The part is new, replaced or gone."""
        self._of(part[0]).parts[part] = None

    def updated(self, part: Part, delta: Delta) -> None:
        """``delta`` has been applied to the part."""
        if part in self._lost:
            self.replaced(part)
            return
        parts = self._of(part[0]).parts
        if part not in parts:
            parts[part] = _Deltas()
        deltas = parts[part]
        if deltas is None:
            return
        # Encoded now: it shares lists with the state, and would grow with it.
        encoded = encode(delta)
        deltas.encoded.append(encoded)
        deltas.size_bytes += len(encoded)
        if deltas.size_bytes > deltas.checked_bytes:
            if deltas.size_bytes > self.value_bytes(part):
                parts[part] = None
            else:
                deltas.checked_bytes = 2 * deltas.size_bytes

    def begin(self, eid: str, file: list[int] | None, *, whole: bool = True) -> None:
        """From here on the records say all there is in the environment; ``file`` tells what was on disk.

        ``whole`` unless there was nothing before: without all of its parts it must not take the place of that.
        """
        self._unsealed[eid] = _Unsealed(beginning=encode(["begin", eid, file])[:-1], whole=whole)

    def go_on(self, eid: str, file: list[int]) -> None:
        """From here on the records say what changes in the environment, which is what ``file`` holds."""
        self._unsealed[eid] = _Unsealed(beginning=encode(["base", eid, file])[:-1])

    def end(self, eid: str) -> None:
        """The environment is gone."""
        self._unsealed.pop(eid, None)
        self._open.discard(eid)
        self._seal(eid, Record(encode(["end", eid])[:-1]))
        self._last.pop(eid, None)

    def forget(self, eid: str) -> None:
        """What has changed in the environment need not be recorded: its file says so."""
        self._unsealed.pop(eid, None)

    def _of(self, eid: str) -> _Unsealed:
        unsealed = self._unsealed.get(eid)
        if unsealed is None:
            unsealed = self._unsealed[eid] = _Unsealed()
        return unsealed

    # --- making records ---

    def seal(self, part: Part, value: list[bytes] | None = None) -> None:
        """Make a record of what has changed in the part, if anything. ``value`` is that of the part now in pieces, if known."""
        eid, kind, name = part
        unsealed = self._unsealed.get(eid)
        if unsealed is None:
            return
        self._seal_beginning(eid, unsealed)
        exists = part in unsealed.parts
        deltas = unsealed.parts.pop(part, None)
        if not unsealed.parts:
            del self._unsealed[eid]
        if not exists:
            return
        if deltas is not None:
            self._seal(eid, Record(b'["update",%b,%b,' % (encode(eid), encode(name)), tuple(deltas.encoded), are_deltas=True))
            return
        if value is None:
            encoded = self.encoded(part)
            value = None if encoded is None else [encoded]
        if value is not None:
            self._seal(eid, Record(b"[%b,%b,%b," % (encode(kind), encode(eid), encode(name)), tuple(value)))
        elif kind == "window":
            self._seal(eid, Record(encode(["closed", eid, name])[:-1]))

    def _seal_beginning(self, eid: str, unsealed: _Unsealed) -> None:
        if unsealed.beginning is not None:
            if unsealed.whole:
                self._open.add(eid)
            self._seal(eid, Record(unsealed.beginning))
            unsealed.beginning, unsealed.whole = None, False

    def encoded(self, part: Part) -> bytes | None:
        """The part's value now, or None when there is none, or none that can be kept."""
        self._lost.discard(part)
        try:
            return encode(self._read(part))
        except (KeyError, TypeError) as error:
            self._note_missing(part, error)
            return None

    def encoding(self, part: Part) -> Generator[None, None, list[bytes] | None]:
        """The same in steps, and in pieces. The part must not change meanwhile."""
        self._lost.discard(part)
        try:
            return (yield from encoding(self._read(part)))
        except (KeyError, TypeError) as error:
            self._note_missing(part, error)
            return None

    def _note_missing(self, part: Part, error: KeyError | TypeError) -> None:
        """The part is gone, or it cannot be encoded."""
        if isinstance(error, TypeError):
            self._lost.add(part)
            logger.error("%s %r of environment %s cannot be saved: %s", part[1], part[2], part[0], error)

    def take(self, owed: Callable[[str], bool]) -> tuple[int, list[Record]]:
        """Everything that is sealed, with the number of the first record. What comes now belongs to the next block.

        Of environments that are ``owed``, or have to be whole, everything is sealed.
        """
        for eid in list(self._unsealed):
            if eid in self._open or owed(eid):
                for part in self._parts(eid):
                    self.seal(part)
        self._open.clear()
        records, self.records = self.records, []
        self.sealed_bytes = 0
        return self.number - len(records) + 1, records

    def clear(self) -> None:
        """Forget everything that was not taken."""
        self.records.clear()
        self.sealed_bytes = 0
        self._unsealed.clear()
        self._open.clear()
        self._last.clear()

    def _seal(self, eid: str, record: Record) -> None:
        self.number += 1
        self._last[eid] = self.number
        self.records.append(record)
        self.sealed_bytes += record.size_bytes
