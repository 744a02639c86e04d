"""State feeds that follow another server's, and are told the numbers of its changes.

Batches of docs/protocol.md bring them forward, cut wherever the way to that server has cut them: what readers are sent has the
positions of the source, and a reader may go on from one such feed to another, or to the source. Values are read from a replica.

While the source's batches are parts of a catch-up, some keys are ahead of the head. Readers get them at once, and the head's move
when the catch-up is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from visdom_transport.core.catch_up import StateCursor
from visdom_transport.core.errors import GapError
from visdom_transport.core.feed import NOTHING
from visdom_transport.core.keyed_feed import KeyedFeed
from visdom_transport.core.position import reach
from visdom_transport.core.replica import StateReplica, window_content_id


class _Held:
    """The values that a replica holds."""

    def __init__(self, replica: StateReplica) -> None:
        self._replica = replica

    def keys(self) -> Collection[str]:
        return self._replica.values.keys()

    def value(self, key: str) -> Any:
        return self._replica.values[key]

    def content_id(self, key: str) -> str | None:
        return self._replica.content_id(key)

    def header(self) -> Any:
        return self._replica.header


@dataclass(frozen=True, slots=True)
class Former:
    """How the life before ended: by it a reader's position in that life tells what the reader holds."""

    epoch: str = ""
    offset: int = NOTHING
    keys: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """The offset and the content id of each."""

    def have(self, position: Mapping[str, Any]) -> dict[str, str]:
        """The content ids of what the reader holds, as far as they are known."""
        ahead = position.get("ahead") or {}
        found = {}
        for key, (offset, content_id) in self.keys.items():
            own = max(position["offset"], ahead.get(key, NOTHING))
            if offset <= own <= max(offset, self.offset):
                found[key] = content_id
        return found


class FollowedFeed(KeyedFeed):
    """A feed that is given its epoch and its offsets by what another server says about it.

    It is not ready before it has a whole snapshot of a life; until then nobody can be given a verdict.
    """

    is_ready = False

    def __init__(
        self,
        name: str,
        *,
        max_tombstones: int = 10_000,
        large_bytes: int = 1_000_000,
        content_id: Callable[[Any], str | None] = window_content_id,
    ) -> None:
        self.replica = StateReplica(content_id, self._note)
        super().__init__(name, "", _Held(self.replica), max_tombstones=max_tombstones, large_bytes=large_bytes)
        self._former = Former()
        self._confirmed_at = NOTHING
        """Of what the replica holds on trust, a snapshot sends what differs from this offset's state."""
        self._lost: set[str] = set()
        """Keys whose value did not fit what came."""

    # --- what the source says ---

    def subscribed(self, verdict: Mapping[str, Any]) -> None:
        """Take the source's verdict. Another epoch begins another life here too: see `epoch`."""
        if verdict["epoch"] != self.epoch:
            if self.is_ready:
                self._former = self._ending()
            self.is_ready = False
            self._lost.clear()
            self._catch_up.forget_batches()
            self._begin_life(verdict["epoch"])
        self.replica.subscribed(verdict)
        self._confirmed_at = verdict["offset"]

    def apply(self, batch: Mapping[str, Any]) -> None:
        """Take one of the source's batches.

        Raises:
            GapError: it does not fit. Subscribe again with the replica's position.
        """
        if batch["epoch"] != self.replica.epoch:
            return
        self._catch_up.forget_batches()
        try:
            self.replica.apply(batch)
        except GapError:
            self.is_ready = False
            self._lost |= {entry["key"] for entry in batch["entries"]} - self.replica.values.keys()
            raise
        if batch["complete"]:
            if "keys" in batch:
                if not self.is_ready:
                    self.counted = batch["to"]  # what was before is not a change
                self._end_snapshot(batch["keys"], batch["to"])
            self._changes.offset = max(self._changes.offset, batch["to"])

    def _note(self, entry: Mapping[str, Any]) -> None:
        """The replica has applied an entry."""
        key, offset = entry["key"], entry["offset"]
        changes = self._changes
        known = changes.get(key)
        if key in self._lost:
            self._lost.discard(key)
        elif known is not None and offset <= known.offset:
            # A snapshot of the life that is known here: it is the value that was held.
            return
        if entry.get("deleted"):
            changes.delete(key, offset)
        elif "delta" in entry:
            if known is None:
                changes.set(key, self._confirmed_at)
            changes.update(key, offset, entry["base"], entry["delta"])
        else:
            changes.set(key, offset)

    def _end_snapshot(self, keys: Collection[str], end: int) -> None:
        changes = self._changes
        changes.keep_only(frozenset(keys), end)
        for key in self.replica.values:
            if key not in changes:
                changes.set(key, self._confirmed_at)
        self._lost.clear()
        self.is_ready = True

    def _ending(self) -> Former:
        """What to remember of the life that ends now."""
        found = ((key, change.offset, self.replica.content_id(key)) for key, change in self._changes.existing())
        keys = {key: (offset, content_id) for key, offset, content_id in found if content_id is not None}
        return Former(self.epoch, self._changes.offset, keys)

    # --- readers ---

    def awaits(self, position: Mapping[str, Any] | None) -> bool:
        return position is not None and position["epoch"] == self.epoch and reach(position) > self.offset

    def _start_cursor(self, position: Mapping[str, Any] | None) -> tuple[StateCursor, str]:
        if position is not None and position["epoch"] == self._former.epoch:
            position = {**position, "have": {**self._former.have(position), **(position.get("have") or {})}}
        return super()._start_cursor(position)
