"""The timer that drives a hub."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from visdom_transport.core.dialect import OwnDialect
from visdom_transport.core.encoding import decode
from visdom_transport.core.entries import Values
from visdom_transport.core.followed_feed import FollowedFeed
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits
from visdom_transport.core.link import Link
from visdom_transport.core.waiting import PATIENCE_S
from visdom_transport.links import flusher
from visdom_transport.links.flusher import Flusher

TIMEOUT_S = 5.0


def no_values(name: str) -> Values:
    raise KeyError(name)


@pytest.mark.parametrize("jump_s", [-7200, 7200])
def test_the_reaper_goes_on_when_the_wall_clock_jumps(monkeypatch: pytest.MonkeyPatch, jump_s: float) -> None:
    real: Any = time.time
    hub = Hub(Limits(heartbeat_s=0.02, dead_after_s=0.06), no_values)
    ticks: asyncio.Queue[float] = asyncio.Queue()
    monkeypatch.setattr(hub, "tick", ticks.put_nowait)

    async def jump() -> None:
        Flusher(hub, 0.01).start()
        await ticks.get()
        monkeypatch.setattr(time, "time", lambda: real() + jump_s)
        async with asyncio.timeout(TIMEOUT_S):
            for _ in range(5):
                await ticks.get()

    asyncio.run(jump())


def test_what_the_loop_was_late_is_no_silence_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(Limits(heartbeat_s=8.0, dead_after_s=20.0), no_values)
    done: list[tuple[str, float]] = []
    later: list[float] = []

    class Loop:
        def call_later(self, delay_s: float, callback: Any) -> None:
            later.append(delay_s)

    clock = iter((100.0, 104.0, 108.5, 142.5, 147.0))
    monkeypatch.setattr(flusher, "clock", lambda: next(clock))
    monkeypatch.setattr(flusher.asyncio, "get_running_loop", Loop)
    monkeypatch.setattr(hub, "tick", lambda now: done.append(("tick", now)))
    monkeypatch.setattr(hub, "excuse", lambda lost_s, now: done.append(("excuse", lost_s)))
    driver = Flusher(hub, 0.01)
    driver.start()
    for due_at in (104.0, 108.0, 112.5, 146.5):
        assert driver._tick_at == due_at
        driver._tick()
    assert later == [4.0] * 5
    assert done == [("tick", 104.0), ("tick", 108.5), ("excuse", 30.0), ("tick", 142.5), ("tick", 147.0)]


@pytest.mark.parametrize(("named", "factor"), [({}, 3.0), ({"rest_factor": 1.0}, 1.0)])
def test_it_rests_in_proportion_to_what_a_flush_took(
    monkeypatch: pytest.MonkeyPatch, named: dict[str, float], factor: float
) -> None:
    now = 100.0
    delays: list[float] = []
    hub = Hub(Limits(), no_values)

    def flush() -> None:
        nonlocal now
        now += 0.5

    class Loop:
        """Remembers what it is to call, and when."""

        def call_later(self, delay_s: float, callback: Any) -> None:
            delays.append(delay_s)
            callback()

    monkeypatch.setattr(flusher, "clock", lambda: now)
    monkeypatch.setattr(hub, "flush", flush)
    driver = Flusher(hub, 0.01, **named)
    monkeypatch.setattr(driver, "_loop", Loop())
    driver._flush()
    driver._flush_timer = None
    driver.schedule()
    assert delays == [factor * 0.5]


def test_whoever_waits_for_a_feed_that_is_behind_is_answered_in_time() -> None:
    """By a timer of its own: the reaper's may come too late."""
    hub = Hub(Limits(), no_values, follow=FollowedFeed, on_wait=lambda when: driver.answer_at(when))
    driver = Flusher(hub, 0.01)
    session = hub.open_session("browser", 0.0)
    link = Link("websocket", OwnDialect(), Limits(), flusher.clock() - PATIENCE_S + 0.05)
    verdict = {"epoch": "e", "offset": 3, "recovered": False, "reason": "new", "header": None}

    async def wait() -> None:
        answered = asyncio.Event()
        link.on_news = answered.set
        driver.start()
        hub.attach(session, link, link.heard_at)
        hub.subscribe(session, "env/a", None)
        hub.take_verdict("env/a", verdict)
        hub.take_batch("env/a", {"epoch": "e", "from": -1, "to": 3, "complete": True, "entries": [], "keys": []})
        hub.flush()
        link.take_messages()
        answered.clear()
        assert hub.subscribe(session, "env/a", {"epoch": "e", "offset": 4}) is None
        async with asyncio.timeout(TIMEOUT_S):
            await answered.wait()

    asyncio.run(wait())
    assert decode(next(iter(link.take_messages())))["reason"] == "epoch"
