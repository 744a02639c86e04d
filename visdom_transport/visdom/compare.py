"""Compare views: Visdom's own combination of several environments, kept up to date."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ..core.encoding import decode
from ..core.errors import MessageError
from .sources import creation_index

if TYPE_CHECKING:
    from .transport import Transport

logger = logging.getLogger("visdom_transport.compare")

REFRESH_AFTER_S = 0.25
"""A comparison is made anew this long after a change, whatever their number: it costs as much as the environments hold."""

ALL = "all:"
"""Marks a comparison that shows every window (0.3.0)."""


class Comparison:
    """The source of one ``compare/`` feed."""

    def __init__(self, transport: Transport, name: str) -> None:
        self.feed = name
        self._show_all = name.startswith(f"compare/{ALL}")
        self.eids = self.members(name)
        self._transport = transport
        self._reload: Any = {}
        self._windows: dict[str, Any] = {}
        self._combine()

    @staticmethod
    def members(feed: str) -> list[str]:
        """The environments that a feed compares."""
        return feed.removeprefix("compare/").removeprefix(ALL).split("+")

    def keys(self) -> Collection[str]:
        return sorted(self._windows, key=lambda win: creation_index(self._windows[win]))

    def value(self, key: str) -> Any:
        return self._windows[key]

    def content_id(self, key: str) -> str | None:
        content_id: str | None = self._windows[key].get("contentID")
        return content_id

    def header(self) -> Any:
        problems = [problem for eid in self.eids if (problem := self._transport.problem(eid)) is not None]
        return {"reload": self._reload, **({"problem": "; ".join(problems)} if problems else {})}

    def refresh(self) -> None:
        """Combine anew and mark what differs."""
        before = self._windows
        try:
            self._combine()
        except MessageError as error:
            logger.warning("%s stays as it was: %s", self.feed, error)
            return
        hub = self._transport.hub
        for win in before:
            if win not in self._windows:
                hub.delete(self.feed, win)
        for win, window in self._windows.items():
            if win not in before or without_content_id(before[win]) != without_content_id(window):
                hub.set(self.feed, win)
            else:
                # Visdom gives a combined window a new content id each time; one that means a change is worth more.
                self._windows[win] = before[win]

    def _combine(self) -> None:
        collector = Collector()
        try:
            self._transport.combine(self.eids, collector, self._show_all)
        except MessageError:
            raise
        except Exception as error:
            # Visdom relies on parts that a window need not have.
            raise MessageError("failed", f"Visdom cannot compare these: {type(error).__name__}: {error}", "feed") from error
        self._windows = {}
        for message in collector.messages:
            if message.get("command") == "reload":
                self._reload = message["data"]
            elif message.get("command") == "window" and isinstance(message.get("id"), str):
                self._windows[message["id"]] = message


class Collector:
    """Stands in for a socket and keeps what Visdom writes to it."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.eid: Any = None

    def write_message(self, message: Any) -> None:
        self.messages.append(decode(message) if isinstance(message, str) else message)


def without_content_id(window: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in window.items() if key != "contentID"}
