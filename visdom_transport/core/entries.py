"""What a reader is sent of one key: a delta, the value, its pieces, or a tombstone. Encoded once per version for all readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from visdom_transport.core.changes import Change, Changes
from visdom_transport.core.delta import fold
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.packing import Fragment

SMALL_DELTA_BYTES = 1_024
"""Up to this size a delta is not compared with a value whose size would have to be measured first."""

PIECES = 4
"""Large values are split into pieces of ``large_bytes / PIECES`` bytes."""


class Values(Protocol):
    """Where a state feed reads values: the host's own state."""

    def keys(self) -> Collection[str]:
        """The keys that exist, in creation order."""

    def value(self, key: str) -> Any:
        """The value of ``key`` now. Raises KeyError when it does not exist."""

    def content_id(self, key: str) -> str | None:
        """An id that changes with the value of ``key``, or None when there is no such id."""

    def header(self) -> Any:
        """What a reader that starts over must know besides the values, or None."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a batch.

    ``fragment`` is its JSON on the wire, ``value`` that of the whole value (None for deltas, pieces and tombstones).
    """

    key: str
    offset: int
    fragment: Fragment
    value: bytes | None = None
    deleted: bool = False


class Entries:
    """Encodes the entries of one feed. A value of more than ``large_bytes`` goes in pieces. ``encoded`` counts the bytes of each
    sort.
    """

    def __init__(self, changes: Changes, values: Values, large_bytes: int, encoded: Counter[str]) -> None:
        self.large_bytes = large_bytes
        self._encoded = encoded
        self._changes = changes
        self._values = values

    def estimate(self, key: str, base: int) -> int:
        """The size of the entry of ``key`` for a reader that has it up to offset ``base``, as far as it is known."""
        change = self._changes.get(key)
        if change is None:
            return 0
        if change.serves(base):
            return change.deltas_bytes
        return change.last_bytes if change.value_bytes is None else change.value_bytes

    def entry(self, key: str, base: int, values_only: bool) -> Entry | None:
        """What a reader that has ``key`` up to ``base`` is sent of it; None for a value that goes in pieces."""
        change = self._changes.get(key) or self._changes.unchanged(key)
        if change.deleted:
            tombstone = Fragment(encode({"key": key, "offset": change.offset, "deleted": True}))
            return Entry(key, change.offset, tombstone, deleted=True)
        if not values_only and change.serves(base):
            fragment = self._delta(key, change, base)
            if self._is_worthwhile(fragment, key, change):
                return Entry(key, change.offset, fragment)
        value = self._value(key, change)
        if len(value) > self.large_bytes and not values_only:
            return None
        if change.whole is None:
            head = b'%b,"value":' % encode({"key": key, "offset": change.offset})[:-1]
            change.whole = Fragment(head, value, b"}", keeper=self._changes)
        return Entry(key, change.offset, change.whole, value)

    def pieces(self, key: str) -> list[Fragment]:
        """The value of ``key`` as the entries that carry its pieces."""
        change = self._changes.get(key)
        assert change is not None
        if change.pieces is None:
            text, size = self._value(key, change).decode(), max(1, self.large_bytes // PIECES)
            self._changes.forget_value(change)  # the same once more
            starts = range(0, len(text), size)
            texts = (
                {"piece": number, "text": text[at : at + size], "last": at == starts[-1]} for number, at in enumerate(starts)
            )
            entry = {"key": key, "offset": change.offset}
            change.pieces = [Fragment(encode({**entry, **piece}), keeper=self._changes) for piece in texts]
            size = sum(map(len, change.pieces))
            self._encoded["piece"] += size
            self._changes.count(size)
        return change.pieces

    def _is_worthwhile(self, fragment: Fragment, key: str, change: Change) -> bool:
        """Whether a delta is smaller than the value it replaces."""
        size = change.value_bytes
        if size is None or change.shrunk:
            if len(fragment) <= SMALL_DELTA_BYTES:
                return True
            size = len(self._value(key, change))
        return len(fragment) <= size + 64

    def _value(self, key: str, change: Change) -> bytes:
        if change.value is None:
            try:
                change.value = encode(self._values.value(key))
            except TypeError:
                # Hundreds of levels deep: parsed, but not to be written. It must not keep the other keys from anybody.
                change.value = b"null"
            change.value_bytes = len(change.value)
            change.shrunk = False
            self._encoded["value"] += len(change.value)
            self._changes.count(len(change.value))
        return change.value

    def _delta(self, key: str, change: Change, base: int) -> Fragment:
        if change.folded is not None and change.folded[0] == base:
            return change.folded[1]
        run = change.deltas_after(base)
        delta = run[0] if len(run) == 1 else encode(fold(decode(encoded) for encoded in run))
        head = encode({"key": key, "offset": change.offset, "base": base})[:-1]
        fragment = Fragment(b'%b,"delta":%b}' % (head, delta), keeper=self._changes)
        self._encoded["delta"] += len(fragment)
        self._changes.fold(change, base, fragment)
        return fragment
