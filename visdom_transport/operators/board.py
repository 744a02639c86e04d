"""What the operator's page shows, as the values of a state feed: looked at once a second, and only while somebody follows it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeAlias

from visdom_transport import feed_names
from visdom_transport.core.entries import Values
from visdom_transport.core.hub import Hub
from visdom_transport.links.flusher import clock

logger = logging.getLogger("visdom_transport.operators")

EVERY_S: Final = 1.0

Part: TypeAlias = Callable[[float], Mapping[str, Any]]
"""What there is at a time, by key. Keys of different parts differ."""


class Board:
    """The values of the feed, as they were when it was looked at last. All are encoded as JSON, and not changed afterwards."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._values: dict[str, Any] = {}

    def look(self, now: float) -> tuple[list[str], list[str]]:
        """Look again. Returns the keys that are new or have another value, and those that are gone."""
        before, self._values = self._values, {key: value for part in self._parts for key, value in part(now).items()}
        changed = [key for key, value in self._values.items() if key not in before or before[key] != value]
        return changed, [key for key in before if key not in self._values]

    def keys(self) -> Collection[str]:
        return list(self._values)

    def value(self, key: str) -> Any:
        return self._values[key]

    def content_id(self, key: str) -> str | None:
        return None

    def header(self) -> Any:
        return None


class BoardFeed:
    """Keeps the board of a hub current while its feed has readers."""

    def __init__(self, hub: Callable[[], Hub], parts: Sequence[Part]) -> None:
        self._hub = hub
        self._parts = parts
        self._board = Board(parts)
        self._timer: asyncio.TimerHandle | None = None

    def values(self) -> Values:
        """For a feed that begins."""
        self._board = Board(self._parts)
        self._board.look(clock())
        self._wait()
        return self._board

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._look)

    def _look(self) -> None:
        self._timer = None
        hub = self._hub()
        if feed_names.OPERATOR not in hub.feeds:
            return
        self._wait()
        try:
            changed, gone = self._board.look(clock())
        except Exception:
            logger.exception("what the operator's page shows could not be looked at")
            return
        for key in changed:
            hub.set(feed_names.OPERATOR, key)
        for key in gone:
            hub.delete(feed_names.OPERATOR, key)
