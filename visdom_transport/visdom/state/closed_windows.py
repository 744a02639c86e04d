"""Windows that were closed and can be brought back (0.3.0), and how many every tab is told there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visdom_transport import feed_names
from visdom_transport.core.hub import Hub
from visdom_transport.visdom.observed import State
from visdom_transport.visdom.storage import Storage


class ClosedWindows:
    """The closed windows of one application, by environment."""

    def __init__(self, hub: Hub, state: State, storage: Storage) -> None:
        self.counted: set[str] = set()
        """Environments of which somebody was told the number."""
        self._hub = hub
        self._state = state
        self._storage = storage

    def push(self, eid: str, closed: Sequence[tuple[str, Any]]) -> None:
        """A person or program closed these windows."""
        self._storage.push_closed(eid, closed)
        self.changed(eid)

    def changed(self, eid: str) -> None:
        """The number for an environment may be another."""
        if self._storage.has_undo and eid in self._state:
            self.counted.add(eid)
            self._hub.set(feed_names.SHARED, feed_names.undo(eid))

    def count(self, eid: str) -> int:
        """How many can be brought back."""
        return self._storage.count_closed(eid)

    def forget_deleted(self) -> None:
        """Environments may be gone."""
        for eid in self.counted.difference(self._state):
            self.counted.discard(eid)
            self._hub.delete(feed_names.SHARED, feed_names.undo(eid))
