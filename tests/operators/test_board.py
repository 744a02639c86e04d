"""What the operator's page shows is looked at while somebody follows it, and only what is new is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from visdom_transport import feed_names
from visdom_transport.core.errors import MessageError
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits
from visdom_transport.operators import board
from visdom_transport.operators.board import Board, BoardFeed


def test_what_is_new_and_what_is_gone() -> None:
    rows: dict[str, Any] = {"a": 1, "b": 2}
    found = Board([lambda now: dict(rows), lambda now: {"time": now}])
    assert found.look(1.0) == (["a", "b", "time"], [])
    assert found.look(1.0) == ([], [])
    rows |= {"a": 3}
    del rows["b"]
    assert found.look(2.0) == (["a", "time"], ["b"])
    assert {key: found.value(key) for key in found._values} == {"a": 3, "time": 2.0}


class Followed:
    """A hub whose operator's feed is followed, on the running loop."""

    def __init__(self, part: Callable[[float], dict[str, Any]]) -> None:
        self.looks = 0
        self._looked = asyncio.Event()
        self._part = part
        self.feed = BoardFeed(lambda: self.hub, [self._look])
        self.hub = Hub(Limits(), self._values)
        self.session = self.hub.open_session("browser", 0.0)

    def _look(self, now: float) -> dict[str, Any]:
        self.looks += 1
        self._looked.set()
        return self._part(now)

    def _values(self, name: str) -> Any:
        if name != feed_names.OPERATOR:
            raise MessageError("unknown_feed", name, "feed")
        return self.feed.values()

    async def another_look(self) -> None:
        self._looked.clear()
        async with asyncio.timeout(20):
            await self._looked.wait()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "EVERY_S", 0.01)


def test_it_is_looked_at_while_somebody_follows_it() -> None:
    async def follow() -> None:
        counts = iter(range(1_000))
        followed = Followed(lambda now: {"count": next(counts)})
        assert followed.looks == 0, "nobody follows it yet"
        followed.hub.subscribe(followed.session, feed_names.OPERATOR, None)
        feed = followed.hub.feeds[feed_names.OPERATOR]
        before = feed.offset
        await followed.another_look()
        await followed.another_look()
        assert feed.offset >= before + 1
        followed.hub.unsubscribe(followed.session, feed_names.OPERATOR)
        assert feed_names.OPERATOR not in followed.hub.feeds
        looks = followed.looks
        followed.feed._look()
        assert (followed.looks, followed.feed._timer) == (looks, None), "nobody follows it any more"
        followed.hub.subscribe(followed.session, feed_names.OPERATOR, None)
        assert followed.looks == looks + 1, "once for each that begins"
        await followed.another_look()

    asyncio.run(follow())


def test_a_look_that_fails_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    async def follow() -> None:
        counts = iter(range(1_000))

        def part(now: float) -> dict[str, Any]:
            count = next(counts)
            if count == 1:
                raise ValueError("wrong")
            return {"count": count}

        followed = Followed(part)
        followed.hub.subscribe(followed.session, feed_names.OPERATOR, None)
        for _ in range(3):
            await followed.another_look()

    asyncio.run(follow())
    assert "could not be looked at" in caplog.text
