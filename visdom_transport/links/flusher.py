"""Drives a hub on the event loop: flushes after changes, and runs the reaper's timer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from visdom_transport.core.hub import Hub
from visdom_transport.core.link import nothing

logger = logging.getLogger("visdom_transport.links")

clock = time.monotonic
"""The clock of every link."""

FLUSH_REST_FACTOR = 3.0
"""A flush is answered by acknowledgements, which together cost about as much; twice as much again is left to publishers. Where
there are none, as in a relay, 1 is enough."""


class Flusher:
    """Runs one hub on the event loop that serves it.

    Changes are flushed at once after a time of silence. In a storm of them they are collected for ``flush_interval_s`` seconds
    after each flush, and for ``rest_factor`` times as long as that flush took: with many readers, publishers still get their
    turn. ``on_flush`` is told how many seconds each has taken.
    """

    def __init__(
        self,
        hub: Hub,
        flush_interval_s: float,
        rest_factor: float = FLUSH_REST_FACTOR,
        on_flush: Callable[[float], None] = nothing,
    ) -> None:
        self._hub = hub
        self._interval_s = flush_interval_s
        self._rest_factor = rest_factor
        self._on_flush = on_flush
        self._next_flush_at = 0.0
        self._tick_interval_s = min(hub.limits.heartbeat_s, hub.limits.dead_after_s - hub.limits.heartbeat_s) / 2
        self._tick_at = 0.0
        """When the reaper's timer is due."""
        # Not tornado's: its timers go by the wall clock, and when that is set back they wait until it is there again.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flush_timer: Any = None

    def start(self) -> None:
        """Bind to the running event loop. Links call this; only the first call has an effect."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._tick_at = clock() + self._tick_interval_s
            self._loop.call_later(self._tick_interval_s, self._tick)

    def schedule(self) -> None:
        """There is something to flush."""
        # Without a link there is nobody to flush to, and perhaps no loop yet.
        if self._loop is not None and self._flush_timer is None:
            delay_s = max(0.0, self._next_flush_at - clock())
            self._flush_timer = self._loop.call_later(delay_s, self._flush)

    def answer_at(self, when: float) -> None:
        """A subscription waits for a feed that is behind it, until ``when`` by the links' clock at most."""
        if self._loop is not None:
            self._loop.call_later(max(0.0, when - clock()), lambda: self._hub.answer_late(clock()))

    def _flush(self) -> None:
        self._flush_timer = None
        began = clock()
        self._hub.flush()
        ended = clock()
        self._on_flush(ended - began)
        self._next_flush_at = ended + max(self._interval_s, self._rest_factor * (ended - began))

    def _tick(self) -> None:
        assert self._loop is not None
        now = clock()
        late_s, self._tick_at = now - self._tick_at, now + self._tick_interval_s
        self._loop.call_later(self._tick_interval_s, self._tick)
        if late_s > self._tick_interval_s:
            # The process was stopped, or busy. What has come meanwhile is read after this.
            self._hub.excuse(late_s, now)
        self._hub.tick(now)
