"""What a state feed remembers of its keys: when each changed last, and by which deltas. Never the values themselves.

A delta is kept with the offset it leads to and its *base*: it is all that happened to the key after the base. Where a feed
numbers its own changes, that is the offset before. A feed that follows another may be given several changes of a key as one
delta, say from 110 to 118: a reader that has the key up to 115 has a part of it already, and nobody can tell which.

So a reader is served by deltas from a *boundary* only. Offsets are shared by all keys: between the offset of one delta and the
base of the next nothing has happened to the key, so each offset from the one to the other, both included, is a boundary. Only
what is strictly between the base and the offset of one delta is none. From there, as from before the oldest delta, a reader is
sent the value.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from visdom_transport.core.change_times import ChangeTimes
from visdom_transport.core.delta import Delta
from visdom_transport.core.encoding import encode
from visdom_transport.core.packing import Fragment

UNKNOWN_VALUE_BYTES = 65_536
"""What a key's deltas may cost while the size of its value is not known because nobody has read it yet."""


@dataclass(slots=True)
class Change:
    """What is known of one key that changed in this epoch."""

    offset: int
    floor: int
    """A reader of this key at ``floor`` or later can be served by the deltas, from a boundary."""
    deleted: bool = False
    deltas: deque[tuple[int, int, bytes]] = field(default_factory=deque)
    """The base, the offset and the encoded delta of each."""
    deltas_bytes: int = 0
    joined: int = 0
    """The offset of the newest delta that is more than one change of the feed: all offsets after it are boundaries."""
    value: bytes | None = None
    """The encoded value at ``offset``, if somebody asked for it."""
    whole: Fragment | None = None
    """What carries it, likewise."""
    pieces: list[Fragment] | None = None
    """The same in pieces, likewise."""
    value_bytes: int | None = None
    """The size of the value, as far as it is known."""
    last_bytes: int = 0
    """The size of the last value that was measured: a guess at the one that replaced it."""
    shrunk: bool = False
    """The value may have become smaller than ``value_bytes``."""
    folded: tuple[int, Fragment] | None = None
    """The base of the newest folded delta, and its fragment."""

    def serves(self, at: int) -> bool:
        """Whether a reader that has the key up to offset ``at`` can be served by the deltas."""
        if not self.deltas or at < self.floor:
            return False
        return at >= self.joined or self._is_boundary(at)

    def deltas_after(self, at: int) -> list[bytes]:
        """The deltas that such a reader lacks, the oldest first."""
        # From the newest: most readers are near, and the run may be long.
        found = []
        for _, offset, encoded in reversed(self.deltas):
            if offset <= at:
                break
            found.append(encoded)
        found.reverse()
        return found

    def _is_boundary(self, at: int) -> bool:
        for base, offset, _ in reversed(self.deltas):
            if at >= offset:
                return True
            if at > base:
                return False
        return True


class Changes:
    """The changes of one feed, by key. The feed says which offset each has, and moves ``offset`` itself.

    A key's deltas never cost more bytes than its value: past that the value is cheaper to send. Deletions leave tombstones, at
    most ``max_tombstones`` of them.
    """

    def __init__(self, max_tombstones: int) -> None:
        self.offset = 0
        """All changes up to here are known: the head of the feed."""
        self.newest = 0
        """The newest offset of a key. It is above ``offset`` while a feed that follows another is given a catch-up in parts."""
        self.times = ChangeTimes()
        self.retained_bytes = 0
        """Deltas, and the encoded values, pieces and folded deltas that `Entries` keeps here."""
        self.tombstone_floor = 0
        """A reader below this offset may hold keys whose tombstone is gone."""
        self._by_key: OrderedDict[str, Change] = OrderedDict()  # by offset of the last change, when in order
        self._is_in_order = True
        self._tombstones: OrderedDict[str, int] = OrderedDict()
        self._max_tombstones = max_tombstones

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    @property
    def tombstones(self) -> int:
        return len(self._tombstones)

    def get(self, key: str) -> Change | None:
        return self._by_key.get(key)

    def unchanged(self, key: str) -> Change:
        """The record of a key that has not changed since the feed began; only a reader that holds nothing asks for one."""
        change = self._by_key[key] = Change(0, floor=0)
        self._by_key.move_to_end(key, last=False)
        return change

    def count(self, size_bytes: int) -> None:
        """So much more is kept for readers."""
        self.retained_bytes += size_bytes

    def forget_value(self, change: Change) -> None:
        """Keep the encoded value no longer."""
        self.retained_bytes -= len(change.value or b"")
        if change.whole is not None:
            # What carries the value is the value, but for a few bytes.
            self._let_go(change.whole)
        change.value = change.whole = None

    def fold(self, change: Change, base: int, fragment: Fragment) -> None:
        """Keep a folded delta in the place of the one before."""
        if change.folded is not None:
            self._forget(change.folded[1])
        change.folded = (base, fragment)
        self.count(len(fragment))

    def forget_cached(self, change: Change) -> None:
        """Keep nothing of the encoded change itself."""
        self.forget_value(change)
        for piece in change.pieces or ():
            self._forget(piece)
        if change.folded is not None:
            self._forget(change.folded[1])
        change.pieces = change.folded = None

    def _forget(self, fragment: Fragment) -> None:
        self.retained_bytes -= len(fragment)
        self._let_go(fragment)

    def _let_go(self, fragment: Fragment) -> None:
        self.retained_bytes -= fragment.packed_bytes
        fragment.let_go(self)

    def existing(self) -> Iterator[tuple[str, Change]]:
        """The keys that are known and not deleted."""
        return ((key, change) for key, change in self._by_key.items() if not change.deleted)

    def reached(self, key: str) -> int:
        """The offset up to which ``key`` is known: the head's, or its own if that is ahead."""
        change = self._by_key.get(key)
        return self.offset if change is None else max(self.offset, change.offset)

    def since(self, offset: int) -> list[str]:
        """The keys that changed after ``offset``, the oldest change first."""
        if not self._is_in_order:
            self._by_key = OrderedDict(sorted(self._by_key.items(), key=lambda item: item[1].offset))
            self._is_in_order = True
        found = []
        for key, change in reversed(self._by_key.items()):
            if change.offset <= offset:
                break
            found.append(key)
        found.reverse()
        return found

    # --- what changes ---

    def set(self, key: str, offset: int) -> None:
        """The value of ``key`` is new, or replaced as a whole."""
        change = self._advance(key, offset)
        change.deleted = False
        change.last_bytes = change.value_bytes or change.last_bytes
        change.value_bytes = None
        self._forget_deltas(change)
        self._tombstones.pop(key, None)

    def update(self, key: str, offset: int, base: int, delta: Delta) -> None:
        """``delta``, which is all that happened to ``key`` after ``base``, has been applied to its value."""
        try:
            encoded = encode(delta)
        except TypeError:
            self.set(key, offset)
            return
        change = self._advance(key, offset)
        change.deltas.append((base, offset, encoded))
        if base < offset - 1:
            change.joined = offset
        change.deltas_bytes += len(encoded)
        self.retained_bytes += len(encoded)
        added, removed = _items(delta)
        if change.value_bytes is not None and not removed and added:
            change.value_bytes += len(encoded)
        # A sliding window removes what it adds and is taken as neutral: an estimate that only ever grew would let the history
        # of such a key grow with time.
        change.shrunk |= removed > added
        allowed = UNKNOWN_VALUE_BYTES if change.value_bytes is None else change.value_bytes
        while change.deltas_bytes > allowed:
            self._drop_oldest_delta(change)

    def delete(self, key: str, offset: int) -> int:
        """``key`` is gone. Returns how many older tombstones had to be given up for its own."""
        change = self._advance(key, offset)
        change.deleted = True
        change.value_bytes = None
        self._forget_deltas(change)
        self._tombstones[key] = offset
        self._tombstones.move_to_end(key)
        excess = max(0, len(self._tombstones) - self._max_tombstones)
        for _ in range(excess):
            oldest, trimmed = self._tombstones.popitem(last=False)
            self.tombstone_floor = max(self.tombstone_floor, trimmed)
            del self._by_key[oldest]
        return excess

    def keep_only(self, keys: Collection[str], offset: int) -> None:
        """At ``offset`` these are all keys that exist; what became of others is not known."""
        for key in [key for key, _ in self.existing() if key not in keys]:
            change = self._by_key.pop(key)
            self.forget_cached(change)
            self._forget_deltas(change)
        self.tombstone_floor = max(self.tombstone_floor, offset)

    def shed(self) -> int:
        """Give up what is kept for the key that has not changed for the longest time. Returns the bytes freed: 0 is all."""
        for change in self._by_key.values():
            before = self.retained_bytes
            if change.deltas:
                self._forget_deltas(change)
            self.forget_cached(change)
            if self.retained_bytes < before:
                return before - self.retained_bytes
        return 0

    # --- inside ---

    def _advance(self, key: str, offset: int) -> Change:
        if offset >= self.newest:
            self.newest = offset
        else:
            # A catch-up in parts: what is small came before.
            self._is_in_order = False
        change = self._by_key.get(key)
        if change is None:
            change = self._by_key[key] = Change(offset, floor=0)
        else:
            self._by_key.move_to_end(key)
            self.forget_cached(change)
            change.offset = offset
        return change

    def _forget_deltas(self, change: Change) -> None:
        self.retained_bytes -= change.deltas_bytes
        change.deltas.clear()
        change.deltas_bytes = 0
        change.floor = change.offset

    def _drop_oldest_delta(self, change: Change) -> None:
        _, offset, encoded = change.deltas.popleft()
        change.deltas_bytes -= len(encoded)
        self.retained_bytes -= len(encoded)
        change.floor = offset


def _items(delta: Delta) -> tuple[int, int]:
    """How many items (or characters) a delta adds and removes. A deletion counts as more than anything added."""
    added = removed = 0
    for name, _, *arguments in delta:
        if name in ("extend", "append"):
            added += len(arguments[0])
        elif name == "insert":
            added += 1
        elif name == "drop":
            removed += arguments[0]
        elif name == "delete":
            removed = sys.maxsize
    return added, removed
