"""The timer that drives a hub."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from visdom_transport.core.entries import Values
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits
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
