"""A server that stops ends its links over some time, where there are many."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable

import pytest
import requests

from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket, greeting
from tests.support.peer import Peer
from tests.support.wait import until
from visdom_transport.core.hub import Hub
from visdom_transport.operators.draining import LINKS_PER_S, Pace, drain
from visdom_transport.settings import Settings
from visdom_transport.visdom.serving import shutdown

Serve = Callable[..., LocalServer]

GOING_AWAY = 4001


@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_links_end_at_once(count: int) -> None:
    pace = Pace(count, Settings().drain_s)
    assert pace.due(0.0) in (0, count)
    assert pace.due(0.01) == count, "within a step of the drain"


def test_many_links_are_spread_evenly() -> None:
    pace = Pace(2_000, 2.0)
    dues = [pace.due(0.02 * step) for step in range(101)]
    steps = [after - before for before, after in itertools.pairwise(dues)]
    assert dues[0] == 0
    assert dues[-1] == 2_000
    assert min(steps) >= 19
    assert max(steps) <= 21


def test_it_takes_no_longer_than_it_may() -> None:
    assert Pace(1_000_000, 2.0).due(2.0) == 1_000_000
    assert Pace(LINKS_PER_S, 60.0).due(1.0) == LINKS_PER_S


class Stopping:
    """A server that was told to stop, and has not begun to end its links."""

    def __init__(self, server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server = server
        self._may_drain = server.run(asyncio.Event)

        async def wait_and_drain(hub: Hub, most_s: float) -> None:
            await self._may_drain.wait()
            await drain(hub, most_s)

        monkeypatch.setattr(shutdown, "drain", wait_and_drain)
        self._task = server.run(lambda: asyncio.ensure_future(shutdown.stop(server.app)))
        until(lambda: requests.get(server.url("/transport/readyz"), timeout=20).status_code == 503, "it is not ready")

    def go_on(self) -> None:
        self._server.run(self._may_drain.set)

    def result(self) -> bool:
        """Whether everything could be saved."""
        until(lambda: self._server.run(self._task.done), "it has stopped")
        return self._server.run(self._task.result)


def test_whoever_asks_is_told_before_the_links_end(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = server.app.transport.hub
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(OwnSocket(server, "env/main")) for _ in range(3)]
        poll = OwnPoll(server, "env/main")
        stopping = Stopping(server, monkeypatch)
        assert server.run(lambda: [session.link is not None for session in hub.sessions.values()]) == [True] * 4
        assert not any(message["type"] == "close" for message in poll.poll(0)), "polls go on until they are told"
        stopping.go_on()
        assert [reader.expect_close() for reader in readers] == [GOING_AWAY] * 3
        (close,) = until(lambda: [each for each in poll.poll(0.5) if each["type"] == "close"], "the poll is told")
        assert close["code"] == GOING_AWAY
        assert stopping.result()


@pytest.mark.parametrize("kind", [OwnSocket, OwnPoll])
def test_whoever_comes_late_is_sent_away(server: LocalServer, monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    stopping = Stopping(server, monkeypatch)
    stopping.go_on()
    assert stopping.result()
    if kind is OwnPoll:
        (close,) = OwnPoll(server, "env/main").opening
        assert (close["type"], close["code"]) == ("close", GOING_AWAY)
        return
    with OwnSocket(server, hello={}) as late:
        late.send(greeting(Peer(), "browser", None))
        assert late.expect_close() == GOING_AWAY


def test_what_is_done_until_a_link_ends_is_kept(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    server.text("w", "x")
    with OwnSocket(server, "env/main") as reader:
        stopping = Stopping(server, monkeypatch)
        assert reader.command(1, cmd="close", data="w", eid="main")["error"] is None
        stopping.go_on()
        assert reader.expect_close() == GOING_AWAY
    assert stopping.result()
    env_path = server.env_path
    server.stop()
    assert "w" not in serve(env_path).windows()
