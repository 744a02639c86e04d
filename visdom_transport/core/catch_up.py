"""Catching up: the smallest batch that brings one reader of a state feed from where it stands towards now."""

from __future__ import annotations

import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from visdom_transport.core.changes import Changes
from visdom_transport.core.entries import Entries, Entry, Values
from visdom_transport.core.feed import NOTHING, Allowance, Batch
from visdom_transport.core.packing import Fragment, Keeper, Message, Outgoing, fragments_of, is_worth_it, nobody

CACHED_BATCHES = 8
"""Encoded batches kept until the next change: readers of one feed stand at few different offsets."""


@dataclass(slots=True)
class Pieces:
    """A large value that one reader is being sent."""

    key: str
    reached: int
    """The offset up to which the reader has the key once all pieces have arrived."""
    entries: list[Fragment]
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
    in_order: bool = False
    """The reader holds nothing yet: what it is sent for the first time comes in the order of creation, whatever its size."""
    pieces: Pieces | None = None
    near: frozenset[str] = frozenset()
    """What a person sees of what the reader holds, or nearly: sent before the rest."""

    def at_least(self, key: str) -> int:
        """The offset up to which the reader has ``key``."""
        return max(self.offset, self.ahead.get(key, NOTHING))

    def position(self, epoch: str) -> dict[str, Any]:
        """What the reader would present, once it has taken everything that it was sent."""
        return {"epoch": epoch, "offset": self.offset, "ahead": dict(self.ahead), "part": self.sent, "near": list(self.near)}

    def move(self, end: int) -> None:
        """The reader has been sent everything up to ``end``."""
        self.offset = end
        self.boundary = None
        self.sent = 0
        self.whole = self.in_order = False
        if self.ahead:
            self.ahead = {key: at for key, at in self.ahead.items() if at > end}

    def take_piece(self) -> Entry:
        """The next piece of the large value under way, which is thereby sent."""
        pieces = self.pieces
        assert pieces is not None
        entry = Entry(pieces.key, pieces.reached, pieces.entries[pieces.sent])
        pieces.sent += 1
        if pieces.sent == len(pieces.entries):
            self.ahead[pieces.key] = pieces.reached
            self.pieces = None
        return entry


class StateBatch(Batch):
    """Entries of a state feed. ``keys``, with the batch that ends a snapshot, are all that exist."""

    __slots__ = ("_data", "_message", "_parts", "_size", "conflated", "entries", "keeper", "keys", "piece_bytes")

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
        super().__init__(feed, epoch, start, end, complete)
        self.entries = entries
        self.keys = keys
        self.conflated = conflated
        self.piece_bytes = piece_bytes
        self.keeper: Callable[[], Keeper | None] = nobody
        """A weak reference to who keeps it for other readers."""
        self._parts: list[bytes | Fragment] = []
        self._size: int | None = None
        self._data: bytes | None = None
        self._message: Message | None = None

    @property
    def parts(self) -> list[bytes | Fragment]:
        """What the message is put together from."""
        if not self._parts:
            self._parts.append(self._head({} if self.keys is None else {"keys": self.keys}) + b'"entries":[')
            for number, entry in enumerate(self.entries):
                if number:
                    self._parts.append(b",")
                self._parts.append(entry.fragment)
            self._parts.append(b"]}")
        return self._parts

    @property
    def size(self) -> int:
        """Bytes of the plain message."""
        # Asked for once for each reader of the batch.
        if self._size is None:
            self._size = sum(map(len, self.parts))
        return self._size

    @property
    def data(self) -> bytes:
        if self._data is None:
            self._data = b"".join(part if isinstance(part, bytes) else part.content for part in self.parts)
        return self._data

    @property
    def message(self) -> Outgoing:
        if not is_worth_it(self.size):
            return self.data
        if self._message is None:
            self._message = Message(fragments_of(self.parts, self.keeper()))
        return self._message

    def let_go(self) -> None:
        """It is not kept for other readers any more."""
        keeper, self.keeper = self.keeper(), nobody
        if keeper is not None and self._message is not None:
            for fragment in self._message.fragments:
                fragment.let_go(keeper)


@dataclass(slots=True)
class _Part:
    """A batch in the making."""

    size_bytes: int
    complete: bool = True
    blocked: bool = False
    """There is no room even for its first entry."""
    held_back: str | None = None
    """The first large value that may not go yet."""
    piece_bytes: int = 0
    entries: list[Entry] = field(default_factory=list)


_Shared: TypeAlias = tuple[int, bool, bool, int]
"""What readers have in common who can be sent the same batch."""


class CatchUp:
    """Collects batches for the readers of one life of a feed."""

    def __init__(self, name: str, epoch: str, changes: Changes, values: Values, large_bytes: int, encoded: Counter[str]) -> None:
        self.cached_bytes = 0
        self._name = name
        self._epoch = epoch
        self._changes = changes
        self._values = values
        self._entries = Entries(changes, values, large_bytes, encoded)
        self._batches: OrderedDict[_Shared | None, StateBatch] = OrderedDict()

    def has_news(self, cursor: StateCursor) -> bool:
        changes = self._changes
        if cursor.whole or cursor.offset < changes.offset:
            return True
        return changes.newest > changes.offset and self._lacks_what_is_ahead(cursor)

    def _lacks_what_is_ahead(self, cursor: StateCursor) -> bool:
        """Whether the feed, which is in the middle of a catch-up itself, has some key further than the reader."""
        changes = self._changes
        return any(changes.reached(key) > cursor.at_least(key) for key in changes.since(changes.offset))

    def count(self, size_bytes: int) -> None:
        """So much more is kept for the readers to come."""
        self.cached_bytes += size_bytes

    def forget_batches(self) -> int:
        """Something has changed, or memory is short. Returns the bytes freed."""
        freed, self.cached_bytes = self.cached_bytes, 0
        for batch in self._batches.values():
            batch.let_go()
        self._batches.clear()
        return freed

    def collect(self, cursor: StateCursor, allowance: Allowance) -> StateBatch | None:
        """Return the next batch for ``cursor`` and move it, or None when there is nothing to be sent now.

        A large value goes in pieces, one in a batch and behind what else is to be sent; in a first load at its place.
        """
        if not self.has_news(cursor):
            return None
        floor = min(self._changes.tombstone_floor, self._changes.offset)
        if cursor.offset < floor:
            cursor.whole = True
            if cursor.boundary is not None and cursor.boundary < floor:
                # What was deleted since that boundary is not known one by one, and must not seem to be gone before it is.
                cursor.boundary = self._changes.offset
        shared = self._shared(cursor, allowance)
        batch = self._batches.get(shared)
        if batch is not None:
            if not allowance.has_room(batch.size):
                return None
            cursor.move(batch.end)
            return batch
        end = self._changes.offset if cursor.boundary is None else cursor.boundary
        part = self._fill(cursor, end, allowance)
        if part.blocked:
            return None
        if cursor.whole or end > cursor.offset:
            cursor.boundary = end
        else:
            # Of what is ahead of the feed itself: the position stays, so a poll must be able to tell whether it has come.
            part.complete = False
        if not part.entries and not part.complete:
            return None
        return self._commit(part, cursor, end, shared)

    @staticmethod
    def _shared(cursor: StateCursor, allowance: Allowance) -> _Shared | None:
        """None for a reader in the middle of a catch-up, who stands alone."""
        if cursor.ahead or cursor.pieces is not None:
            return None
        return cursor.offset, cursor.whole, allowance.values_only, allowance.budget_bytes

    # --- filling a batch ---

    def _fill(self, cursor: StateCursor, end: int, allowance: Allowance) -> _Part:
        piece, under_way = self._next_piece(cursor, allowance), cursor.pieces
        part = _Part(len(piece) if piece is not None else 0)
        for key in self._outdated(cursor, end, allowance):
            if self._is_out_of_turn(part, key, cursor):
                part.complete = False
            elif not self._take(part, key, cursor, allowance):
                break
        if part.blocked:
            return part
        if piece is None and (begun := self._next_piece(cursor, allowance)):
            fits = not part.size_bytes or part.size_bytes + len(begun) <= allowance.budget_bytes
            piece = begun if fits else None
        if piece is not None:
            part.entries.append(cursor.take_piece())
            part.piece_bytes = len(piece)
        part.complete &= cursor.pieces is None
        if under_way is not None and part.complete:
            # They may be older than the end, where the feed is in the middle of a catch-up itself.
            part.complete = not self._owes(cursor, under_way.key, end, allowance)
        return part

    def _take(self, part: _Part, key: str, cursor: StateCursor, allowance: Allowance) -> bool:
        """Add what the reader is sent of ``key``, unless it has to wait. Returns False when the batch ends before it."""
        # The estimate comes first: a reader without room must not have every version of a large value encoded.
        estimate = self._entries.estimate(key, cursor.at_least(key))
        if self._is_large(estimate, allowance) and (cursor.pieces is not None or not allowance.pieces):
            part.complete = False
            part.held_back = part.held_back or key
            return True
        if not part.size_bytes and not allowance.has_room(min(estimate, self._entries.large_bytes)):
            part.blocked = True
            return False
        entry = self._entries.entry(key, cursor.at_least(key), allowance.values_only)
        if entry is None:
            part.complete = False
            if cursor.pieces is None:
                cursor.pieces = Pieces(key, self._changes.reached(key), self._entries.pieces(key))
            return True
        size = len(entry.fragment)
        if not part.size_bytes and not allowance.has_room(size):
            part.blocked = True
            return False
        if part.size_bytes and part.size_bytes + size > allowance.budget_bytes:
            part.complete = False
            return False
        part.entries.append(entry)
        part.size_bytes += size
        cursor.ahead[key] = max(self._changes.offset, entry.offset)
        return True

    @staticmethod
    def _is_out_of_turn(part: _Part, key: str, cursor: StateCursor) -> bool:
        """Whether a large value comes before ``key`` in a first load: panes are laid out as they arrive."""
        if not cursor.in_order or key in cursor.ahead:
            return False
        large = cursor.pieces.key if cursor.pieces is not None else part.held_back
        return large is not None and large not in cursor.ahead

    @staticmethod
    def _next_piece(cursor: StateCursor, allowance: Allowance) -> Fragment | None:
        """The piece that ``cursor`` is to be sent next, if it may go."""
        if cursor.pieces is None or not allowance.pieces:
            return None
        piece = cursor.pieces.entries[cursor.pieces.sent]
        return piece if allowance.has_room(len(piece)) else None

    def _is_large(self, size_bytes: int, allowance: Allowance) -> bool:
        return size_bytes > self._entries.large_bytes and not allowance.values_only

    def _commit(self, part: _Part, cursor: StateCursor, end: int, shared: _Shared | None) -> StateBatch:
        """Make a batch of what was taken, and move the cursor when it is complete."""
        start = cursor.offset
        cursor.sent += len(part.entries)
        keys = list(self._values.keys()) if cursor.whole and part.complete else None
        conflated = max(0, end - start - cursor.sent) if part.complete and keys is None else 0
        batch = StateBatch(self._name, self._epoch, start, end, part.complete, part.entries, keys, conflated, part.piece_bytes)
        batch.since = self._changes.times.since(start)
        if part.complete:
            cursor.move(end)
            # Who is sent it is moved by its end alone, so there must be nothing in it beyond that.
            if shared is not None and not part.piece_bytes and not cursor.ahead:
                if len(self._batches) >= CACHED_BATCHES:
                    self.forget_batches()
                self._batches[shared] = batch
                batch.keeper = weakref.ref(self)
                self.count(part.size_bytes)
        return batch

    # --- which keys ---

    def _outdated(self, cursor: StateCursor, boundary: int, allowance: Allowance) -> list[str]:
        """The keys this catch-up still owes the reader: in creation order for a snapshot; else the oldest change first, but small
        before large when one batch cannot hold them all. What is near comes before the rest, but for a first load.

        In all, a key that was brought ahead by an earlier part comes last, the one brought least far first: keys that change
        all the time must not keep the others from a reader whose every part is a new beginning (a poll).
        """
        snapshot = cursor.offset == NOTHING
        keys = list(self._values.keys()) if snapshot else self._changes.since(cursor.offset)
        found = [key for key in keys if self._owes(cursor, key, boundary, allowance)]
        if cursor.whole:
            found += self._deleted_meanwhile(cursor, boundary, found)
        if not snapshot:
            costs = {key: self._entries.estimate(key, cursor.at_least(key)) for key in found}
            if sum(costs.values()) > allowance.budget_bytes:
                found.sort(key=costs.__getitem__)
        if cursor.near and not cursor.in_order:
            found.sort(key=lambda key: key not in cursor.near)
        if cursor.ahead:
            found.sort(key=lambda key: cursor.ahead.get(key, NOTHING))
        return found

    def _deleted_meanwhile(self, cursor: StateCursor, boundary: int, found: list[str]) -> list[str]:
        """What was there at ``boundary`` and is not in the list of keys that ends the snapshot: the reader must know from which
        offset on, because it may go on at a relay that still has it."""
        changes = self._changes
        found_before = set(found)
        later = {key: changes.get(key) for key in changes.since(boundary) if key not in found_before}
        return [key for key, change in later.items() if change and change.deleted and change.offset > cursor.at_least(key)]

    def _owes(self, cursor: StateCursor, key: str, boundary: int, allowance: Allowance) -> bool:
        if cursor.pieces is not None:
            if cursor.pieces.key == key:
                return False
            # Small values are sent as they change while a large one is under way. Others of its size have an end: the boundary.
            if not self._is_large(self._entries.estimate(key, cursor.at_least(key)), allowance):
                boundary = self._changes.offset
        at = cursor.ahead.get(key)
        if at is None:
            return True
        if self._changes.newest > self._changes.offset:
            # The feed is in the middle of a catch-up itself, which has an end.
            boundary = self._changes.newest
        change = self._changes.get(key)
        return at < boundary and change is not None and change.offset > at
