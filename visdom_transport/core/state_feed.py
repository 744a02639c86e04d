"""State feeds: keyed, conflating. They remember what changed and when, not the values themselves.

Values are read from the `Source` when a batch is collected, and encoded once per version for all readers. Of every key the
feed knows the offset of its last change and a short run of deltas; a reader that stands inside the run gets those folded, any
other gets the value.
"""

from __future__ import annotations

import secrets
import sys
from collections import OrderedDict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .delta import Delta, fold
from .encoding import decode, encode

NOTHING = -1
"""The offset of a reader that holds nothing."""

UNKNOWN_VALUE_BYTES = 65_536
"""What a key's deltas may cost while the size of its value is not known because nobody has read it yet."""

SMALL_DELTA_BYTES = 1_024
"""Up to this size a delta is not compared with a value whose size would have to be measured first."""

PIECES = 4
"""A piece of a large value has the size of a batch divided by so many."""

CACHED_BATCHES = 8
"""Readers of one feed stand at few different offsets: so many encoded batches are kept until the next change."""


class Source(Protocol):
    """Where a state feed reads values: the host's own state."""

    def keys(self) -> Collection[str]:
        """The keys that exist, in creation order."""

    def value(self, key: str) -> Any:
        """The value of ``key`` now. Raises KeyError when it does not exist."""

    def content_id(self, key: str) -> str | None:
        """An id that changes with the value of ``key``, or None when there is no such id."""

    def header(self) -> Any:
        """What a reader that starts anew must know besides the values, or None."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a subscription: where the reader starts and whether its gap can be filled completely."""

    epoch: str
    offset: int
    recovered: bool
    reason: str
    header: Any = None


@dataclass(slots=True)
class Pieces:
    """A large value that one reader is being sent."""

    key: str
    reached: int
    """The offset up to which the reader has the key once all pieces have arrived."""
    entries: list[bytes]
    """All pieces, shared by whoever is being sent the same version."""
    sent: int = 0


@dataclass(slots=True)
class StateCursor:
    """The server's copy of where one reader stands."""

    offset: int
    ahead: dict[str, int] = field(default_factory=dict)
    """Keys that are brought further than ``offset``, by a catch-up that goes in parts."""
    boundary: int | None = None
    """The offset that the catch-up under way ends at."""
    sent: int = 0
    """The entries that the catch-up under way has sent."""
    whole: bool = False
    """The catch-up is a snapshot: it must end with the list of all keys."""
    values_only: bool = False
    """The reader understands neither deltas nor pieces."""
    pieces: Pieces | None = None

    def at_least(self, key: str) -> int:
        """The offset up to which the reader has ``key``."""
        return max(self.offset, self.ahead.get(key, NOTHING))


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a batch.

    ``fragment`` is its JSON on the wire, ``value`` that of the whole value (None for deltas, pieces and tombstones).
    """

    key: str
    offset: int
    fragment: bytes
    value: bytes | None = None
    deleted: bool = False


class StateBatch:
    """What moves a reader from ``start`` to ``end`` (when ``complete``), or part of it."""

    __slots__ = ("_data", "complete", "conflated", "end", "entries", "epoch", "feed", "keys", "piece_bytes", "start")

    missed = 0

    def __init__(
        self,
        feed: str,
        epoch: str,
        start: int,
        end: int,
        complete: bool,
        entries: list[Entry],
        keys: list[str] | None,
        conflated: int = 0,
        piece_bytes: int = 0,
    ) -> None:
        self.feed = feed
        self.epoch = epoch
        self.start = start
        self.end = end
        self.complete = complete
        self.entries = entries
        self.keys = keys
        self.conflated = conflated
        """How many changes of the range were not sent one by one; told when the range is complete."""
        self.piece_bytes = piece_bytes
        """How much of it is a piece of a large value."""
        self._data: bytes | None = None

    @property
    def data(self) -> bytes:
        """The batch as one message, encoded once."""
        if self._data is None:
            head = {
                "type": "batch",
                "feed": self.feed,
                "epoch": self.epoch,
                "from": self.start,
                "to": self.end,
                "complete": self.complete,
            }
            if self.keys is not None:
                head["keys"] = self.keys
            self._data = b'%b,"entries":[%b]}' % (encode(head)[:-1], b",".join(e.fragment for e in self.entries))
        return self._data


@dataclass(slots=True)
class _Change:
    """What the feed knows of one key that changed in this epoch."""

    offset: int
    floor: int
    """A reader of this key at ``floor`` or later can be served by the deltas."""
    deleted: bool = False
    deltas: deque[tuple[int, bytes]] = field(default_factory=deque)
    deltas_bytes: int = 0
    value: bytes | None = None
    """The encoded value at ``offset``, if somebody asked for it."""
    pieces: list[bytes] | None = None
    """The same in pieces, likewise."""
    value_bytes: int | None = None
    """The size of the value, as far as it is known."""
    last_bytes: int = 0
    """The size of the last value that was measured: a guess at the one that replaced it."""
    shrunk: bool = False
    """The value may have become smaller than ``value_bytes``."""
    folded: tuple[int, bytes] | None = None
    """The base of the newest folded delta, and its fragment."""

    @property
    def cached_bytes(self) -> int:
        """What is kept of the encoded change itself."""
        return len(self.value or b"") + sum(map(len, self.pieces or ())) + (len(self.folded[1]) if self.folded else 0)

    def forget_cached(self) -> int:
        """Returns the bytes freed."""
        freed = self.cached_bytes
        self.value = self.pieces = self.folded = None
        return freed


class StateFeed:
    """One life of a keyed feed. ``offset`` counts its changes, ``epoch`` names this life.

    A value of more than ``large_bytes`` is sent in pieces.
    """

    def __init__(self, name: str, source: Source, *, max_tombstones: int = 10_000, large_bytes: int = 1_000_000) -> None:
        self.name = name
        self.epoch = secrets.token_hex(8)
        self.offset = 0
        self.retained_bytes = 0
        self._source = source
        self._changes: OrderedDict[str, _Change] = OrderedDict()  # by offset of the last change
        self._tombstones: OrderedDict[str, int] = OrderedDict()
        self._max_tombstones = max_tombstones
        self._large_bytes = large_bytes
        self._tombstone_floor = 0
        self._batches: OrderedDict[tuple[int, bool, bool, int], StateBatch] = OrderedDict()
        self._batches_bytes = 0

    # --- what changes ---

    def set(self, key: str) -> None:
        """The value of ``key`` is new, or replaced as a whole."""
        change = self._advance(key)
        change.deleted = False
        change.last_bytes = change.value_bytes or change.last_bytes
        change.value_bytes = None
        self._forget_deltas(change)
        self._tombstones.pop(key, None)

    def update(self, key: str, delta: Delta) -> None:
        """``delta`` has been applied to the value of ``key``."""
        try:
            encoded = encode(delta)
        except TypeError:
            self.set(key)
            return
        change = self._advance(key)
        change.deltas.append((change.offset, encoded))
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

    def delete(self, key: str) -> int:
        """``key`` is gone. Returns how many older tombstones had to be given up for its own."""
        change = self._advance(key)
        change.deleted = True
        change.value_bytes = None
        self._forget_deltas(change)
        self._tombstones[key] = change.offset
        self._tombstones.move_to_end(key)
        excess = max(0, len(self._tombstones) - self._max_tombstones)
        for _ in range(excess):
            oldest, offset = self._tombstones.popitem(last=False)
            self._tombstone_floor = offset
            del self._changes[oldest]
        return excess

    def _advance(self, key: str) -> _Change:
        self.offset += 1
        self._forget_batches()
        change = self._changes.get(key)
        if change is None:
            change = self._changes[key] = _Change(self.offset, floor=0)
        else:
            self._changes.move_to_end(key)
            self.retained_bytes -= change.forget_cached()
            change.offset = self.offset
        return change

    def _forget_deltas(self, change: _Change) -> None:
        self.retained_bytes -= change.deltas_bytes
        change.deltas.clear()
        change.deltas_bytes = 0
        change.floor = change.offset

    def _drop_oldest_delta(self, change: _Change) -> None:
        offset, encoded = change.deltas.popleft()
        change.deltas_bytes -= len(encoded)
        self.retained_bytes -= len(encoded)
        change.floor = offset

    def _forget_batches(self) -> int:
        freed = self._batches_bytes
        self._batches.clear()
        self._batches_bytes = 0
        self.retained_bytes -= freed
        return freed

    def shed(self) -> int:
        """Give up what is kept for the key that has not changed for the longest time. Returns the bytes freed: 0 is all."""
        if self._batches_bytes:
            return self._forget_batches()
        for change in self._changes.values():
            freed = change.deltas_bytes + change.cached_bytes
            if freed:
                self._forget_deltas(change)
                self.retained_bytes -= change.forget_cached()
                return freed
        return 0

    # --- readers ---

    def begin(
        self, position: Mapping[str, Any] | None, *, values_only: bool = False, live_only: bool = False
    ) -> tuple[StateCursor, Verdict]:
        """Start a reader at ``position`` (checked by the caller: docs/protocol.md, section 3), or at nothing.

        ``live_only`` starts a reader without a position at the head: it sees only what changes from now on.
        """
        if position is None and live_only:
            return StateCursor(self.offset, values_only=values_only), Verdict(self.epoch, self.offset, True, "resumed")
        cursor, reason = self._place(position)
        cursor.values_only = values_only
        header = self._source.header() if cursor.whole else None
        return cursor, Verdict(self.epoch, self.offset, reason == "resumed", reason, header)

    def _place(self, position: Mapping[str, Any] | None) -> tuple[StateCursor, str]:
        """The cursor for ``position``, and the reason of the verdict."""
        if position is None:
            return StateCursor(NOTHING, whole=True), "new"
        offset: int = position["offset"]
        known = position["epoch"] == self.epoch and offset <= self.offset
        ahead: dict[str, int] = {}
        if known:
            given = (position.get("ahead") or {}).items()
            # Of keys that it was never sent a reader cannot be ahead: what it makes up is not kept for it.
            ahead = {key: at for key, at in given if offset < at <= self.offset and key in self._changes}
        if known and offset >= self._tombstone_floor:
            return StateCursor(offset, ahead), "resumed"
        if known and offset != NOTHING:
            return StateCursor(offset, ahead, whole=True), "trimmed"
        have = position.get("have") or {}
        ahead |= {key: self.offset for key, content_id in have.items() if self._holds(key, content_id)}
        # At nothing, but in this epoch: a snapshot that goes on where it was cut.
        return StateCursor(NOTHING, ahead, whole=True), "resumed" if known else "epoch"

    def _holds(self, key: str, content_id: Any) -> bool:
        try:
            return content_id is not None and self._source.content_id(key) == content_id
        except KeyError:
            return False

    def has_news(self, cursor: StateCursor) -> bool:
        return cursor.whole or cursor.offset < self.offset

    def behind(self, cursor: StateCursor) -> int:
        """How many changes the reader has not been sent."""
        return self.offset - max(cursor.offset, 0)

    def collect(
        self, cursor: StateCursor, budget_bytes: int, room_bytes: int | None = None, pieces: bool = True
    ) -> StateBatch | None:
        """Return the next batch for ``cursor`` and move it, or None when there is nothing to be sent now.

        A batch is at most ``budget_bytes`` large unless a single entry is larger. Nor is an entry larger than ``room_bytes``
        begun. A large value goes in pieces, one in a batch and behind what else is to be sent; none unless ``pieces``.
        """
        if not self.has_news(cursor):
            return None
        if cursor.offset < self._tombstone_floor:
            cursor.whole = True
        fresh = not cursor.ahead and cursor.pieces is None
        shared = (cursor.offset, cursor.whole, cursor.values_only, budget_bytes) if fresh else None
        batch = self._batches.get(shared) if shared is not None else None
        if batch is not None:
            if room_bytes is not None and len(batch.data) > room_bytes:
                return None
            self._move(cursor, batch.end)
            return batch
        start, end = cursor.offset, self.offset if cursor.boundary is None else cursor.boundary
        entries: list[Entry] = []
        piece = self._next_piece(cursor, room_bytes) if pieces else None
        size = len(piece or b"")
        complete = True
        for key in self._outdated(cursor, end, budget_bytes):
            # The estimate comes first: a reader without room must not have every version of a large value encoded.
            estimate = self._estimate(key, cursor)
            if self._is_large(estimate, cursor) and (cursor.pieces is not None or not pieces):
                complete = False
                continue
            if not size and room_bytes is not None and min(estimate, self._large_bytes) > room_bytes:
                return None
            entry = self._entry(key, cursor)
            if entry is None:
                complete = False
                if cursor.pieces is None:
                    cursor.pieces = Pieces(key, self.offset, self._pieces(key, self._changes[key]))
                continue
            if not size and room_bytes is not None and len(entry.fragment) > room_bytes:
                return None
            if size and size + len(entry.fragment) > budget_bytes:
                complete = False
                break
            entries.append(entry)
            size += len(entry.fragment)
            cursor.ahead[key] = self.offset
        if piece is None and pieces and (begun := self._next_piece(cursor, room_bytes)):
            piece = begun if not size or size + len(begun) <= budget_bytes else None
        if piece is not None:
            entries.append(self._take_piece(cursor))
        complete &= cursor.pieces is None
        cursor.boundary = end
        if not entries and not complete:
            return None
        cursor.sent += len(entries)
        keys = list(self._source.keys()) if cursor.whole and complete else None
        conflated = max(0, end - start - cursor.sent) if complete and keys is None else 0
        batch = StateBatch(self.name, self.epoch, start, end, complete, entries, keys, conflated, len(piece or b""))
        if complete:
            self._move(cursor, end)
            if shared is not None and piece is None:
                if len(self._batches) >= CACHED_BATCHES:
                    self._forget_batches()
                self._batches[shared] = batch
                self._batches_bytes += size
                self.retained_bytes += size
        return batch

    @staticmethod
    def _next_piece(cursor: StateCursor, room_bytes: int | None) -> bytes | None:
        """The piece that ``cursor`` is to be sent next, if there is room for it."""
        if cursor.pieces is None:
            return None
        piece = cursor.pieces.entries[cursor.pieces.sent]
        return piece if room_bytes is None or len(piece) <= room_bytes else None

    @staticmethod
    def _take_piece(cursor: StateCursor) -> Entry:
        pieces = cursor.pieces
        assert pieces is not None
        entry = Entry(pieces.key, pieces.reached, pieces.entries[pieces.sent])
        pieces.sent += 1
        if pieces.sent == len(pieces.entries):
            cursor.ahead[pieces.key] = pieces.reached
            cursor.pieces = None
        return entry

    def _is_large(self, size: int, cursor: StateCursor) -> bool:
        return size > self._large_bytes and not cursor.values_only

    @staticmethod
    def _move(cursor: StateCursor, end: int) -> None:
        cursor.offset = end
        cursor.boundary = None
        cursor.sent = 0
        cursor.whole = False
        if cursor.ahead:
            cursor.ahead = {key: at for key, at in cursor.ahead.items() if at > end}

    def _outdated(self, cursor: StateCursor, boundary: int, budget_bytes: int) -> list[str]:
        """The keys this catch-up still owes the reader: in creation order for a snapshot; else the oldest change first, but small
        before large when one batch cannot hold them all.

        In both, a key that was brought ahead by an earlier part comes last, the one brought least far first: keys that change
        all the time must not keep the others from a reader whose every part is a new beginning (a poll).
        """
        if cursor.offset == NOTHING:
            found = [key for key in list(self._source.keys()) if self._owes(cursor, key, boundary)]
        else:
            found = []
            for key, change in reversed(self._changes.items()):
                if change.offset <= cursor.offset:
                    break
                if self._owes(cursor, key, boundary):
                    found.append(key)
            found.reverse()
            costs = {key: self._estimate(key, cursor) for key in found}
            if sum(costs.values()) > budget_bytes:
                found.sort(key=costs.__getitem__)
        if cursor.ahead:
            found.sort(key=lambda key: cursor.ahead.get(key, NOTHING))
        return found

    def _owes(self, cursor: StateCursor, key: str, boundary: int) -> bool:
        if cursor.pieces is not None:
            if cursor.pieces.key == key:
                return False
            # Small values are sent as they change while a large one is under way. Others of its size have an end: the boundary.
            if not self._is_large(self._estimate(key, cursor), cursor):
                boundary = self.offset
        at = cursor.ahead.get(key)
        if at is None:
            return True
        change = self._changes.get(key)
        return at < boundary and change is not None and change.offset > at

    def _estimate(self, key: str, cursor: StateCursor) -> int:
        """The size of the entry for ``key``, as far as it is known."""
        change = self._changes.get(key)
        if change is None:
            return 0
        if change.deltas and cursor.at_least(key) >= change.floor:
            return change.deltas_bytes
        return change.last_bytes if change.value_bytes is None else change.value_bytes

    def _entry(self, key: str, cursor: StateCursor) -> Entry | None:
        """What ``cursor`` is to be sent of ``key``; None for a value that goes in pieces."""
        change = self._changes.get(key)
        base = cursor.at_least(key)
        if change is None:
            # Unchanged since the feed began; only a reader that holds nothing asks for it.
            change = self._changes[key] = _Change(0, floor=0)
            self._changes.move_to_end(key, last=False)
        if change.deleted:
            fragment = encode({"key": key, "offset": change.offset, "deleted": True})
            return Entry(key, change.offset, fragment, deleted=True)
        if change.deltas and base >= change.floor and not cursor.values_only:
            fragment = self._delta_fragment(key, change, base)
            if self._is_worthwhile(fragment, key, change):
                return Entry(key, change.offset, fragment)
        value = self._value(key, change)
        if self._is_large(len(value), cursor):
            return None
        fragment = b'%b,"value":%b}' % (encode({"key": key, "offset": change.offset})[:-1], value)
        return Entry(key, change.offset, fragment, value)

    def _is_worthwhile(self, fragment: bytes, key: str, change: _Change) -> bool:
        """Whether a delta is smaller than the value it replaces."""
        size = change.value_bytes
        if size is None or change.shrunk:
            if len(fragment) <= SMALL_DELTA_BYTES:
                return True
            size = len(self._value(key, change))
        return len(fragment) <= size + 64

    def _value(self, key: str, change: _Change) -> bytes:
        if change.value is None:
            try:
                change.value = encode(self._source.value(key))
            except TypeError:
                # Hundreds of levels deep: parsed, but not to be written. It must not keep the other keys from anybody.
                change.value = b"null"
            change.value_bytes = len(change.value)
            change.shrunk = False
            self.retained_bytes += len(change.value)
        return change.value

    def _pieces(self, key: str, change: _Change) -> list[bytes]:
        """The value as the entries that carry its pieces."""
        if change.pieces is None:
            text, size = self._value(key, change).decode(), max(1, self._large_bytes // PIECES)
            self.retained_bytes -= len(change.value or b"")
            change.value = None  # the same once more
            starts = range(0, len(text), size)
            entry = {"key": key, "offset": change.offset}
            change.pieces = [
                encode({**entry, "piece": number, "text": text[start : start + size], "last": start == starts[-1]})
                for number, start in enumerate(starts)
            ]
            self.retained_bytes += sum(map(len, change.pieces))
        return change.pieces

    def _delta_fragment(self, key: str, change: _Change, base: int) -> bytes:
        if change.folded is not None and change.folded[0] == base:
            return change.folded[1]
        run = [encoded for offset, encoded in change.deltas if offset > base]
        delta = run[0] if len(run) == 1 else encode(fold(decode(encoded) for encoded in run))
        fragment = b'%b,"delta":%b}' % (encode({"key": key, "offset": change.offset, "base": base})[:-1], delta)
        if change.folded is not None:
            self.retained_bytes -= len(change.folded[1])
        change.folded = (base, fragment)
        self.retained_bytes += len(fragment)
        return fragment


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
