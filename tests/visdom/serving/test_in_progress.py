"""A server that stops waits for the requests that have begun."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from visdom_transport.visdom.serving.in_progress import InProgress


@dataclass(eq=False)
class Handler:
    on_finish: Callable[[], None]


def test_it_waits_until_the_last_one_has_ended() -> None:
    async def run() -> None:
        in_progress, ended = InProgress(), []
        handlers = [Handler(on_finish=lambda name=name: ended.append(name)) for name in "ab"]
        for handler in handlers:
            in_progress.begin(handler)
        waiting = asyncio.create_task(in_progress.ended(60))
        await asyncio.sleep(0)
        for handler in handlers:
            assert not waiting.done()
            handler.on_finish()
            await asyncio.sleep(0)
        assert await waiting
        assert ended == ["a", "b"], "what a handler does of its own is done"

    asyncio.run(run())


def test_it_does_not_wait_for_ever() -> None:
    async def run() -> None:
        in_progress = InProgress()
        assert await in_progress.ended(0.01), "there is none"
        in_progress.begin(Handler(on_finish=lambda: None))
        assert not await in_progress.ended(0.01)

    asyncio.run(run())
