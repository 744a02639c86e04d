"""What changes in the state, told to whom it concerns: the feeds, the journal, and comparisons."""

from __future__ import annotations

from collections.abc import Sequence

from visdom_transport import feed_names
from visdom_transport.core.delta import Delta
from visdom_transport.core.hub import Hub
from visdom_transport.visdom.durability.journal import Journal
from visdom_transport.visdom.observed import State
from visdom_transport.visdom.state.closed_windows import ClosedWindows
from visdom_transport.visdom.state.comparison import Comparisons
from visdom_transport.visdom.state.turns import Turns


class Changes:
    """The observer of one application's `State`. What happens inside a window is reported to it by whoever does it."""

    def __init__(
        self, state: State, hub: Hub, journal: Journal, closed: ClosedWindows, comparisons: Comparisons, turns: Turns
    ) -> None:
        self._state = state
        self._hub = hub
        self._journal = journal
        self._closed = closed
        self._comparisons = comparisons
        self._turns = turns

    # --- what the state reports ---

    def environments_changed(self) -> None:
        self._hub.set(feed_names.SHARED, feed_names.ENVIRONMENTS)
        self._closed.forget_deleted()

    def environment_replaced(self, eid: str, before: set[str] | None) -> None:
        feed = feed_names.environment(eid)
        if feed in self._hub.feeds:
            environment = self._state.get(eid)
            windows = environment["jsons"] if environment is not None else {}
            for win in (before or set()).difference(windows):
                self._hub.delete(feed, win)
            for win in windows:
                self._hub.set(feed, win)
        self._turns.environment_replaced(eid)
        self._journal.environment_replaced(eid, begins=before is None)
        self._comparisons.changed(eid)

    def environment_found(self, eid: str) -> None:
        feed = feed_names.environment(eid)
        if feed in self._hub.feeds:
            for win in self._state[eid]["jsons"]:
                self._hub.set(feed, win)
        self._comparisons.changed(eid)

    def window_set(self, eid: str, win: str) -> None:
        self._turns.window_changed(eid, win)
        self._hub.set(feed_names.environment(eid), win)
        self._journal.part_replaced(eid, "window", win)
        self._comparisons.changed(eid, win)

    def window_removed(self, eid: str, win: str) -> None:
        self._turns.window_changed(eid, win)
        self._hub.delete(feed_names.environment(eid), win)
        self._journal.part_replaced(eid, "window", win)
        self._comparisons.changed(eid, win)

    def member_set(self, eid: str, name: str) -> None:
        self._journal.part_replaced(eid, "member", name)

    # --- what others report ---

    def window_changed(self, eid: str, win: str) -> None:
        """Something inside the window has changed."""
        environment = self._state.get(eid)
        if environment is not None and win in environment["jsons"]:
            self.window_set(eid, win)

    def window_updated(self, eid: str, win: str, delta: Delta) -> None:
        """``delta`` has been applied to the window."""
        self._turns.window_changed(eid, win)
        self._hub.update(feed_names.environment(eid), win, delta)
        self._journal.window_updated(eid, win, delta)
        self._comparisons.changed(eid, win)

    def windows_closed(self, eid: str, closed: Sequence[tuple[str, object]]) -> None:
        """A person or program closed these windows, in this order: they can be brought back (0.3.0)."""
        self._closed.push(eid, closed)

    def closed_windows_changed(self, eid: str) -> None:
        """The number of closed windows that can be brought back may be another."""
        self._closed.changed(eid)

    def layouts_changed(self) -> None:
        """The saved views are others."""
        self._hub.set(feed_names.SHARED, feed_names.LAYOUTS)
