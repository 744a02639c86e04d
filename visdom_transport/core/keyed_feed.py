"""Readers of a keyed feed, whoever numbers its changes: verdicts, and batches that bring them towards now.

Of every key the feed knows the offset of its last change and a short run of deltas; a reader that stands at a boundary of the run
gets those folded, any other gets the value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from visdom_transport.core.catch_up import CatchUp, StateBatch, StateCursor
from visdom_transport.core.change_times import ChangeTimes
from visdom_transport.core.changes import Changes
from visdom_transport.core.entries import Values
from visdom_transport.core.feed import NOTHING, Allowance, Verdict
from visdom_transport.core.position import reach


class KeyedFeed:
    """What all state feeds are to their readers. ``offset`` counts the changes of one life, ``epoch`` names it.

    A value of more than ``large_bytes`` is sent in pieces.
    """

    is_ready = True
    """Whether it can give verdicts."""

    def __init__(
        self, name: str, epoch: str, values: Values, *, max_tombstones: int = 10_000, large_bytes: int = 1_000_000
    ) -> None:
        self.name = name
        self.counted = 0
        """The offset up to which its changes are counted (`counts.py`)."""
        self.encoded: Counter[str] = Counter()
        """The bytes that were encoded for readers: values, deltas, and pieces of values."""
        self._values = values
        self._max_tombstones = max_tombstones
        self._large_bytes = large_bytes
        self._begin_life(epoch)

    def _begin_life(self, epoch: str) -> None:
        self.epoch = epoch
        self._changes = Changes(self._max_tombstones)
        self._catch_up = CatchUp(self.name, epoch, self._changes, self._values, self._large_bytes, self.encoded)

    @property
    def offset(self) -> int:
        return self._changes.offset

    @property
    def times(self) -> ChangeTimes:
        """When what of it changed."""
        return self._changes.times

    @property
    def tombstones(self) -> int:
        """Deletions that are remembered."""
        return self._changes.tombstones

    @property
    def retained_bytes(self) -> int:
        """What is kept for readers: deltas, and what was encoded for them."""
        return self._changes.retained_bytes + self._catch_up.cached_bytes

    def shed(self) -> int:
        """Give up what is cheapest to lose: encoded batches, then what is kept for the key that has not changed for the longest
        time. Returns the bytes freed: 0 is all."""
        return self._catch_up.forget_batches() or self._changes.shed()

    # --- readers ---

    def begin(self, position: Mapping[str, Any] | None, *, live_only: bool = False) -> tuple[StateCursor, Verdict]:
        """Start a reader at ``position`` (checked by the caller: docs/protocol.md, section 3), or at nothing.

        ``live_only`` starts a reader without a position at the head: it sees only what changes from now on.
        """
        if position is None and live_only:
            return StateCursor(self.offset), Verdict(self.epoch, self.offset, True, "resumed")
        cursor, reason = self._start_cursor(position)
        if near := (position or {}).get("near"):
            cursor.near = frozenset(near)
        header = self._values.header() if cursor.whole else None
        return cursor, Verdict(self.epoch, self.offset, reason == "resumed", reason, header)

    def awaits(self, position: Mapping[str, Any] | None) -> bool:
        """Whether the feed will come to where ``position`` is, but has not yet."""
        return False

    def _start_cursor(self, position: Mapping[str, Any] | None) -> tuple[StateCursor, str]:
        """The cursor for ``position``, and the reason of the verdict."""
        if position is None:
            return StateCursor(NOTHING, whole=True, in_order=True), "new"
        offset: int = position["offset"]
        known = position["epoch"] == self.epoch and reach(position) <= self.offset
        ahead: dict[str, int] = {}
        if known:
            given = (position.get("ahead") or {}).items()
            # Of keys that it was never sent a reader cannot be ahead: what it makes up is not kept for it.
            ahead = {key: at for key, at in given if offset < at and key in self._changes}
        if known and offset >= self._changes.tombstone_floor:
            return StateCursor(offset, ahead), "resumed"
        if known and offset != NOTHING:
            return StateCursor(offset, ahead, whole=True), "trimmed"
        have = position.get("have") or {}
        ahead |= {key: self.offset for key, content_id in have.items() if self._holds(key, content_id)}
        # At nothing, but in this epoch: a snapshot that goes on where it was cut.
        return StateCursor(NOTHING, ahead, whole=True, in_order=known or not have), "resumed" if known else "epoch"

    def _holds(self, key: str, content_id: Any) -> bool:
        """Whether what the reader holds of ``key`` is what it is at the head. The reader takes the head's offset for its own, so
        what is ahead of that must come with its own."""
        if self._changes.reached(key) > self.offset:
            return False
        try:
            return content_id is not None and self._values.content_id(key) == content_id
        except KeyError:
            return False

    def has_news(self, cursor: StateCursor) -> bool:
        return self._catch_up.has_news(cursor)

    def behind(self, cursor: StateCursor) -> int:
        """How many changes the reader has not been sent."""
        return self.offset - max(cursor.offset, 0)

    def collect(self, cursor: StateCursor, allowance: Allowance) -> StateBatch | None:
        """Return the next batch for ``cursor`` and move it, or None when there is nothing to be sent now."""
        return self._catch_up.collect(cursor, allowance)
