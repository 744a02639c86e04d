"""Event feeds that follow another server's, and are told the numbers of its events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visdom_transport.core.change_times import ChangeTimes
from visdom_transport.core.event_feed import EventCursor, EventFeed
from visdom_transport.core.feed import Verdict
from visdom_transport.core.replica import EventReplica


class FollowedEvents(EventFeed):
    """An event feed that is given its epoch and its offsets by what another server says about it.

    It asks for all that its source still has, so that a reader that was elsewhere finds here what it has missed.
    """

    is_ready = False

    def __init__(self, name: str, *, max_count: int = 10_000, max_bytes: int = 64_000_000) -> None:
        super().__init__(name, max_count=max_count, max_bytes=max_bytes)
        self.epoch = self._former_epoch = ""
        self.replica = EventReplica()
        self.replica.subscribed({"epoch": "", "offset": 0, "recovered": False})

    # --- what the source says ---

    def subscribed(self, verdict: Mapping[str, Any]) -> None:
        """Take the source's verdict. Another epoch begins another life here too."""
        self.replica.subscribed(verdict)
        if self.epoch != verdict["epoch"]:
            self._former_epoch = self.epoch
        if self.replica.epoch != self.epoch or self.replica.offset != self.offset:
            self.forget()
            self.times = ChangeTimes()
        self.epoch, self.offset = verdict["epoch"], self.replica.offset
        self.counted = self.offset
        self.is_ready = True

    def apply(self, batch: Mapping[str, Any]) -> None:
        """Take one of the source's batches. What is kept is without holes: if something is missing, only what comes after it."""
        missed, events = self.replica.apply(batch)
        if missed:
            self.forget()
            self.offset += missed
        for event in events:
            self.publish(event)

    # --- readers ---

    def awaits(self, position: Mapping[str, Any] | None) -> bool:
        """A reader may come from a life that this feed has not heard of yet: it would be given again what it has read before."""
        return position is not None and position["epoch"] not in ("", self.epoch, self._former_epoch)

    def begin(self, position: Mapping[str, Any] | None, *, live_only: bool = False) -> tuple[EventCursor, Verdict]:
        """A position above the head is one that this feed will come to: the reader goes on there, and nothing comes twice."""
        if position is not None and position["epoch"] == self.epoch and position["offset"] > self.offset:
            return EventCursor(position["offset"]), Verdict(self.epoch, position["offset"], True, "resumed")
        return super().begin(position, live_only=live_only)
