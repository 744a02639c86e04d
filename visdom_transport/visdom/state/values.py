"""Where feeds read their values: Visdom's state."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from visdom_transport import feed_names
from visdom_transport.core.entries import Values
from visdom_transport.core.errors import MessageError
from visdom_transport.visdom.observed import creation_index
from visdom_transport.visdom.state.closed_windows import ClosedWindows
from visdom_transport.visdom.state.comparison import Comparisons
from visdom_transport.visdom.state.environments import Environments, escape_eid


class WindowValues:
    """The windows of one environment, which need not exist yet."""

    def __init__(self, environments: Environments, eid: str, restored: Callable[[str], Any]) -> None:
        self._environments = environments
        self._eid = eid
        self._restored = restored

    def _part(self, name: str) -> dict[str, Any]:
        """Empty if there is nothing that can be shown: the page learns of what comes later."""
        environment = self._environments.readable(self._eid)
        return environment[name] if environment is not None else {}

    def keys(self) -> Collection[str]:
        windows = self._part("jsons")
        return sorted(windows, key=lambda win: creation_index(windows[win]))

    def value(self, key: str) -> Any:
        return self._part("jsons")[key]

    def content_id(self, key: str) -> str | None:
        window = self._part("jsons")[key]
        return window.get("contentID") if isinstance(window, dict) else None

    def header(self) -> Any:
        header: dict[str, Any] = {"reload": self._part("reload")}
        problem = self._environments.problem(self._eid)
        if problem is not None:
            return {**header, "problem": problem}
        return {**header, "restored": self._restored(self._eid)}


class SharedValues:
    """What every tab shows: environment list, layouts, and how many closed windows can be brought back."""

    def __init__(self, environments: Environments, closed: ClosedWindows, layouts: Callable[[], str]) -> None:
        self._environments = environments
        self._closed = closed
        self._layouts = layouts

    def keys(self) -> Collection[str]:
        return [feed_names.LAYOUTS, feed_names.ENVIRONMENTS, *(feed_names.undo(eid) for eid in self._closed.counted)]

    def value(self, key: str) -> Any:
        if key == feed_names.LAYOUTS:
            return self._layouts()
        if key == feed_names.ENVIRONMENTS:
            return list(self._environments.state)
        return self._closed.count(feed_names.split(key)[1])

    def content_id(self, key: str) -> str | None:
        return None

    def header(self) -> Any:
        return None


class FeedValues:
    """Finds where a feed of a given name reads its values.

    Args:
        layouts: returns the saved views.
        restored: returns what a reader is told of the age of an environment that the server began with.
        operator: returns what the operator's page shows; None if there is none.
    """

    def __init__(
        self,
        environments: Environments,
        comparisons: Comparisons,
        closed: ClosedWindows,
        layouts: Callable[[], str],
        restored: Callable[[str], Any],
        operator: Callable[[], Values] | None = None,
    ) -> None:
        self._operator = operator
        self._environments = environments
        self._comparisons = comparisons
        self._closed = closed
        self._layouts = layouts
        self._restored = restored

    def of(self, name: str) -> Values:
        """Raises `MessageError` when there is no feed of this name."""
        kind, rest = feed_names.split(name)
        if name == feed_names.SHARED:
            return SharedValues(self._environments, self._closed, self._layouts)
        if name == feed_names.OPERATOR and self._operator is not None:
            return self._operator()
        # 0.2.4 makes environments under ids that it never stores them by.
        if kind == "env" and (rest in self._environments.state or rest == escape_eid(rest) != ""):
            if rest not in self._environments.state:
                self._environments.readable(rest)
            self._closed.changed(rest)
            return WindowValues(self._environments, rest, self._restored)
        if kind == "compare" and rest:
            return self._comparisons.get(name)
        raise MessageError("unknown_feed", f"no feed {name[:100]!r}", "feed")
