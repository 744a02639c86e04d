"""Compare views: Visdom's own combination of several environments, kept up to date."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from typing import Any
from weakref import WeakValueDictionary

from tornado.ioloop import IOLoop

from visdom_transport import feed_names
from visdom_transport.core.encoding import decode
from visdom_transport.core.errors import MessageError
from visdom_transport.core.hub import Hub
from visdom_transport.visdom.observed import creation_index
from visdom_transport.visdom.state.environments import Environments
from visdom_transport.visdom.state.outline import Outline

logger = logging.getLogger("visdom_transport.compare")

REFRESH_AFTER_S = 0.25
"""A comparison is made again this long after a change, whatever their number."""


class Comparison:
    """The values of one ``compare/`` feed. What is long in them is that of the state, and not copied."""

    def __init__(self, environments: Environments, hub: Hub, name: str, versions: Versions) -> None:
        self.feed = name
        self.eids, self._show_all = feed_names.compared(feed_names.split(name)[1])
        self._environments = environments
        self._hub = hub
        self._versions = versions
        self._reload: Any = {}
        self._windows: dict[str, Any] = {}
        self._outlines: dict[str, Any] = {}
        """The windows without what is long in them. They differ when that has changed, too."""
        self._combine()

    def keys(self) -> Collection[str]:
        return sorted(self._windows, key=lambda win: creation_index(self._windows[win]))

    def value(self, key: str) -> Any:
        return self._windows[key]

    def content_id(self, key: str) -> str | None:
        content_id: str | None = self._windows[key].get("contentID")
        return content_id

    def header(self) -> Any:
        problems = [problem for eid in self.eids if (problem := self._environments.problem(eid)) is not None]
        return {"reload": self._reload, **({"problem": "; ".join(problems)} if problems else {})}

    def refresh(self) -> None:
        """Combine again and mark what differs."""
        before, outlines = self._windows, self._outlines
        try:
            self._combine()
        except MessageError as error:
            logger.warning("%s stays as it was: %s", self.feed, error)
            return
        for win in before:
            if win not in self._windows:
                self._hub.delete(self.feed, win)
        for win, outline in self._outlines.items():
            if win not in before or without_content_id(outlines[win]) != without_content_id(outline):
                self._hub.set(self.feed, win)
            else:
                # Visdom gives a combined window a new content id each time; one that means a change is worth more.
                self._windows[win] = before[win]

    def _combine(self) -> None:
        collector = Collector(self._versions)
        try:
            self._environments.combine(self.eids, collector, show_all=self._show_all)
        except MessageError:
            raise
        except Exception as error:
            # Visdom relies on parts that a window need not have.
            raise MessageError("failed", f"Visdom cannot compare these: {type(error).__name__}: {error}", "feed") from error
        self._windows, self._outlines = {}, {}
        for message in collector.messages:
            if message.get("command") == "reload":
                self._reload = collector.outline.filled(message["data"])
            elif message.get("command") == "window" and isinstance(message.get("id"), str):
                self._outlines[message["id"]] = message
                self._windows[message["id"]] = collector.outline.filled(message)


class Versions:
    """How often each window of the environments that are compared has changed."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str | None]] = Counter()

    def changed(self, eid: str, win: str | None) -> None:
        """A window has changed, or all have."""
        self._counts[eid, win] += 1

    def of(self, eid: str, win: str) -> tuple[int, int]:
        return self._counts[eid, None], self._counts[eid, win]

    def forget(self) -> None:
        self._counts.clear()


class Comparisons:
    """All comparisons that a feed reads from. Each is made again a while after one of its environments has changed."""

    def __init__(self, environments: Environments, hub: Hub) -> None:
        self._environments = environments
        self._hub = hub
        self._known: WeakValueDictionary[str, Comparison] = WeakValueDictionary()
        self._stale: set[str] = set()
        self._versions = Versions()

    def get(self, feed: str) -> Comparison:
        """The comparison of a feed.

        Raises:
            MessageError: Visdom cannot compare these environments.
        """
        comparison = self._known.get(feed)
        if comparison is None:
            if not self._known:
                self._versions.forget()
            comparison = self._known[feed] = Comparison(self._environments, self._hub, feed, self._versions)
        return comparison

    def changed(self, eid: str, win: str | None = None) -> None:
        """A window has changed, or it is not known what has."""
        if not self._known:
            return
        stale = {comparison.feed for comparison in self._known.values() if eid in comparison.eids}
        if not stale:
            return
        self._versions.changed(eid, win)
        if not self._stale:
            IOLoop.current().call_later(REFRESH_AFTER_S, self._refresh)
        self._stale |= stale

    def _refresh(self) -> None:
        stale, self._stale = self._stale, set()
        for feed in stale:
            comparison = self._known.get(feed)
            if comparison is not None:
                comparison.refresh()


class Collector:
    """Stands in for a socket and keeps what Visdom writes to it."""

    def __init__(self, versions: Versions) -> None:
        self.messages: list[dict[str, Any]] = []
        self.outline = Outline()
        self.eid: Any = None
        self._versions = versions

    def outlined(self, eid: str, environment: Any) -> dict[str, Any]:
        """What Visdom is to combine of an environment."""
        windows = environment["jsons"].items()
        jsons = {win: self.outline.of(window, f"{eid} {win} {self._versions.of(eid, win)}") for win, window in windows}
        return {"jsons": jsons, "reload": environment["reload"]}

    def write_message(self, message: Any) -> None:
        # 0.2.4 writes what is no number as Python does.
        self.messages.append(decode(message, parse_constant=None) if isinstance(message, str) else message)


def without_content_id(window: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in window.items() if key != "contentID"}
