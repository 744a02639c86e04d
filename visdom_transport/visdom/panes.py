"""What events carry of windows: Visdom's member `pane_data`."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

from ..core.event_feed import SharedMember


class Panes:
    """Encodes a window once for all events that happen while it does not change, and keeps that while one of them is kept."""

    def __init__(self) -> None:
        self._current: WeakValueDictionary[tuple[str, str], SharedMember] = WeakValueDictionary()

    def pane_data(self, eid: str, win: str, window: Any) -> SharedMember:
        """What an event about ``window`` carries, which is `win` in the environment `eid` now.

        Raises:
            TypeError: the window cannot be encoded.
        """
        found = self._current.get((eid, win))
        if found is None:
            found = self._current[eid, win] = SharedMember("pane_data", window)
        return found

    def carried(self, eid: str, win: str) -> SharedMember | None:
        """What events that are still kept carry of the window, if it has not changed since."""
        return self._current.get((eid, win))

    def window_changed(self, eid: str, win: str) -> None:
        """The window was set or removed, or something inside it has changed."""
        self._current.pop((eid, win), None)

    def environment_replaced(self, eid: str) -> None:
        """All windows of the environment may be others."""
        for key in [key for key in self._current if key[0] == eid]:
            self.window_changed(*key)
