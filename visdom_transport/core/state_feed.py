"""State feeds that number their changes: keyed, conflating.

They remember what changed and when; values are read from `Values` when a batch is collected.
"""

from __future__ import annotations

import secrets

from visdom_transport.core.delta import Delta
from visdom_transport.core.entries import Values
from visdom_transport.core.keyed_feed import KeyedFeed


class StateFeed(KeyedFeed):
    """One life of a keyed feed over the host's own state, which tells it what changes.

    A position of its epoch above its head is nobody's, since all numbers are its own: it counts as another epoch, at once.
    """

    def __init__(self, name: str, values: Values, *, max_tombstones: int = 10_000, large_bytes: int = 1_000_000) -> None:
        super().__init__(name, secrets.token_hex(8), values, max_tombstones=max_tombstones, large_bytes=large_bytes)

    def set(self, key: str) -> None:
        """The value of ``key`` is new, or replaced as a whole."""
        changes = self._changes
        changes.offset += 1
        self._catch_up.forget_batches()
        changes.set(key, changes.offset)

    def update(self, key: str, delta: Delta) -> None:
        """``delta`` has been applied to the value of ``key``."""
        changes = self._changes
        changes.offset = offset = changes.offset + 1
        self._catch_up.forget_batches()
        changes.update(key, offset, offset - 1, delta)

    def delete(self, key: str) -> int:
        """``key`` is gone. Returns how many older tombstones had to be given up for its own."""
        changes = self._changes
        changes.offset += 1
        self._catch_up.forget_batches()
        return changes.delete(key, changes.offset)
