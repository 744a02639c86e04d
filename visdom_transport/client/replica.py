"""The client's half of an event feed (docs/protocol.md, section 4), without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTHING = -1
"""The offset of a replica of which nothing is known."""


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
