"""When a page's event is taken: not while a handler is still to answer the one before it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from weakref import WeakSet

from visdom_transport import feed_names
from visdom_transport.core.encoding import decode
from visdom_transport.core.event_feed import SharedMember
from visdom_transport.core.hub import Hub
from visdom_transport.links.flusher import clock
from visdom_transport.visdom.state.panes import Panes


class Turns:
    """Has an event about a pane wait while a Python handler is still at the one before it.

    Handlers change what an event carries of the pane, and write that back: two events that carry the same make them lose the
    first change. So a page's event is not taken while the pane is still what an earlier one carried, and a source has not said
    yet that its handlers are done. It waits for ``wait_s`` at most, and only once for each version of a pane: a handler that
    takes longer holds up nobody. Later commands of the page wait behind it, in order.
    """

    def __init__(self, hub: Hub, panes: Panes, wait_s: float) -> None:
        self._hub = hub
        self._panes = panes
        self._wait_s = wait_s
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._overdue: WeakSet[SharedMember] = WeakSet()
        """What has been waited for in vain."""

    def before(self, message: Any) -> Coroutine[Any, Any, None] | None:
        """What to wait for before acting on a page's ``message``, encoded or not. None if it is taken at once."""
        # Most often everybody is done, and the message need not be parsed twice.
        if not self._hub.awaits_answer(feed_names.EVENTS):
            return None
        pane = event_pane(message)
        if pane is None or not self._is_open(pane):
            return None
        return self._wait(pane)

    def window_changed(self, eid: str, win: str) -> None:
        """The pane is not what earlier events carried any more."""
        self._panes.window_changed(eid, win)
        self.look()

    def environment_replaced(self, eid: str) -> None:
        """All panes of the environment may be others."""
        self._panes.environment_replaced(eid)
        self.look()

    def look(self) -> None:
        """A pane has changed, or a source may be done."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def _is_open(self, pane: tuple[str, str]) -> bool:
        carried = self._panes.carried(*pane)
        return carried is not None and carried not in self._overdue and self._hub.awaits_answer(feed_names.EVENTS)

    async def _wait(self, pane: tuple[str, str]) -> None:
        deadline = clock() + self._wait_s
        while self._is_open(pane):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[future] = None
            try:
                await asyncio.wait_for(future, deadline - clock())
            except TimeoutError:
                carried = self._panes.carried(*pane)
                if carried is not None:
                    self._overdue.add(carried)
                return
            finally:
                del self._waiting[future]


def event_pane(message: Any) -> tuple[str, str] | None:
    """The environment and window of an event that is to carry what its pane holds; None if ``message`` is anything else."""
    if isinstance(message, str | bytes):
        # Most messages are acknowledgements.
        if (b"forward_to_vis" if isinstance(message, bytes) else "forward_to_vis") not in message:  # type: ignore[operator]
            return None
        try:
            message = decode(message)
        except ValueError:
            return None
    if isinstance(message, dict) and message.get("type") == "command":
        message = message.get("command")
    data = message.get("data") if isinstance(message, dict) and message.get("cmd") == "forward_to_vis" else None
    if not isinstance(data, dict) or data.get("pane_data") is False:
        return None
    eid, win = data.get("eid"), data.get("target")
    return (eid, win) if isinstance(eid, str) and isinstance(win, str) else None
