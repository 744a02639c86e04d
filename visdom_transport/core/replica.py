"""The client's half of feeds (docs/protocol.md, sections 3 and 4): replicas.

What a source of the Python client reads events with, and what a feed that follows another reads its values from. Written to be
read beside the protocol's text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from visdom_transport.core.delta import apply
from visdom_transport.core.encoding import decode
from visdom_transport.core.errors import GapError
from visdom_transport.core.feed import NOTHING


class EventReplica:
    """A reader of one event feed: every event at most once, every loss counted."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.offset = NOTHING

    def position(self) -> dict[str, Any] | None:
        """What to present when subscribing; None when nothing has been read."""
        return None if self.epoch is None else {"epoch": self.epoch, "offset": self.offset}

    def subscribed(self, verdict: Mapping[str, Any]) -> None:
        """Take the server's verdict on the position that was presented."""
        # A verdict on what was presented before, whose own was lost, is a recovered one to a reader that holds nothing.
        if not verdict["recovered"] or verdict["epoch"] != self.epoch:
            self.offset = verdict["offset"]
        self.epoch = verdict["epoch"]

    def apply(self, batch: Mapping[str, Any]) -> tuple[int, list[Any]]:
        """Return how many events were lost before the new ones, and the new ones."""
        if batch["epoch"] != self.epoch:
            return 0, []
        first = batch["from"] + batch["missed"] + 1
        missed = max(0, first - 1 - self.offset)
        events = batch["events"][max(0, self.offset + 1 - first) :]
        self.offset = max(self.offset, batch["to"])
        return missed, events


def window_content_id(value: Any) -> str | None:
    """The content id that a window carries in itself."""
    found = value.get("contentID") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else None


class StateReplica:
    """A copy of one state feed.

    ``values`` belong to the replica: later deltas change them in place.

    Args:
        content_id: reads the content id out of a value, None when it has none.
        on_entry: is called with each entry that changed a value, after it has. Of a value in pieces it is the last one.
    """

    def __init__(
        self,
        content_id: Callable[[Any], str | None] = window_content_id,
        on_entry: Callable[[Mapping[str, Any]], None] = lambda entry: None,
    ) -> None:
        self.epoch: str | None = None
        self.offset = NOTHING
        self.values: dict[str, Any] = {}
        self.header: Any = None
        self._content_id = content_id
        self._on_entry = on_entry
        self._own: dict[str, int] = {}  # beyond ``offset``; also of deleted keys, until the position has passed them
        self._part = 0  # entries that have arrived of the catch-up under way
        self._pieces: dict[str, tuple[int, list[str]]] = {}  # of large values: the offset, and what has arrived

    def own(self, key: str) -> int:
        """The offset up to which ``key`` is known: at least the position's, because nothing at or below it is outstanding."""
        return max(self.offset, self._own.get(key, NOTHING))

    def content_id(self, key: str) -> str | None:
        """The content id of a value that is held. Raises KeyError when it is not."""
        return self._content_id(self.values[key])

    def position(self) -> dict[str, Any] | None:
        """What to present when subscribing; None when nothing is held."""
        if self.epoch is None and not self.values:
            return None
        ids = {key: self.content_id(key) for key in self.values}
        return {
            "epoch": self.epoch or "",
            "offset": self.offset,
            **({"part": self._part} if self._part else {}),
            "ahead": {key: own for key, own in self._own.items() if own > self.offset},
            "have": {key: content_id for key, content_id in ids.items() if content_id is not None},
        }

    def subscribed(self, verdict: Mapping[str, Any]) -> None:
        """Take the server's verdict on the position that was presented."""
        self._part = 0
        self._pieces.clear()
        if not verdict["recovered"]:
            self._forget_offsets()
        if verdict["header"] is not None:
            self.header = verdict["header"]
        self.epoch = verdict["epoch"]

    def apply(self, batch: Mapping[str, Any]) -> set[str]:
        """Apply one batch and return the keys that changed or are gone.

        Raises:
            GapError: a delta or a piece does not fit. The key is dropped and the position lost: subscribe again with `position`.
        """
        if batch["epoch"] != self.epoch:
            return set()
        changed = {entry["key"] for entry in batch["entries"] if self._apply_entry(entry)}
        self._part += len(batch["entries"])
        if batch["complete"]:
            self._part = 0
            if "keys" in batch:
                changed |= self.values.keys() - set(batch["keys"])
                self.values = {key: self.values[key] for key in batch["keys"] if key in self.values}
            self.offset = max(self.offset, batch["to"])
            self._own = {key: own for key, own in self._own.items() if own > self.offset}
        return changed

    def _apply_entry(self, entry: Mapping[str, Any]) -> bool:
        key, offset = entry["key"], entry["offset"]
        if offset <= self.own(key):
            return False
        if "piece" in entry:
            text = self._add_piece(key, offset, entry)
            if text is None:
                return False
            self.values[key] = decode(text)
        elif "delta" in entry:
            self._apply_delta(key, entry["base"], entry["delta"])
        elif entry.get("deleted"):
            self.values.pop(key, None)
        else:
            self.values[key] = entry["value"]
        self._own[key] = offset
        self._on_entry(entry)
        return True

    def _add_piece(self, key: str, offset: int, entry: Mapping[str, Any]) -> str | None:
        """The whole text, if this was the last piece of it."""
        of, pieces = self._pieces.get(key, (offset, []))
        if of != offset:
            pieces = []
        self._pieces[key] = (offset, pieces)
        if entry["piece"] > len(pieces):
            raise self._gap(key, f"piece {entry['piece']} after {len(pieces)}")
        if entry["piece"] == len(pieces):
            pieces.append(entry["text"])
        if not entry["last"]:
            return None
        del self._pieces[key]
        return "".join(pieces)

    def _apply_delta(self, key: str, base: int, delta: Any) -> None:
        if key not in self.values or self.own(key) > base:
            raise self._gap(key, f"known to {self.own(key)}, the delta begins at {base}")
        try:
            self.values[key] = apply(self.values[key], delta)
        except GapError as error:
            raise self._gap(key, str(error)) from error

    def _gap(self, key: str, reason: str) -> GapError:
        self.values.pop(key, None)
        self._forget_offsets()
        self.epoch = None
        return GapError(f"{key!r}: {reason}")

    def _forget_offsets(self) -> None:
        self.offset = NOTHING
        self._own.clear()
