"""Random schedules of faults between a client and a real server: the client always ends up with what the server holds.

A schedule is a seed; the same seed makes the same decisions, though not the same timing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from support.clients import Kind, ResumingClient
from support.dashboard import change, fill, fresh_env
from support.proxy import Direction, FaultProxy
from support.publisher import Publisher
from support.server import VisdomServer

KINDS: list[Kind] = ["websocket", "poll"]
BLACK: list[tuple[Direction, ...]] = [("up", "down"), ("up",), ("down",)]
STEPS = 60

#: A batch holds about one window of these tests, so that every catch-up is in parts and can be cut anywhere.
SETTINGS = {"heartbeat_s": 0.3, "dead_after_s": 1.2, "poll_wait_s": 0.5, "batch_bytes": 2_000}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("server"), settings=SETTINGS) as server:
        yield server


@pytest.fixture
def proxy(server: VisdomServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.port) as proxy:
        yield proxy


def fault(chance: random.Random, proxy: FaultProxy) -> Callable[[], object]:
    """What goes wrong next, or gets right again."""
    return chance.choices(
        [
            proxy.heal,
            proxy.cut,
            proxy.refuse,
            lambda: proxy.blackhole(*chance.choice(BLACK)),
            lambda: proxy.throttle(chance.choice([5_000, 50_000])),
            lambda: proxy.block_websockets(chance.choice(["refuse", "swallow", "mute"])),
        ],
        weights=[6, 4, 2, 1, 1, 1],
    )[0]


def close_if_there(vis: Publisher, win: str) -> None:
    """Close a window; Visdom answers an error if there is none."""
    if vis.win_exists(win):
        vis.close(win=win)


@pytest.mark.parametrize("seed", range(4))
def test_replicas_converge(server: VisdomServer, proxy: FaultProxy, seed: int) -> None:
    chance = random.Random(seed)
    env = fresh_env()
    vis = Publisher(server, env)
    fill(vis)
    client = ResumingClient(server, f"env/{env}", "shared", port=proxy.port)
    points = iter(range(1_000))

    def publish() -> None:
        name = f"extra{chance.randrange(4)}"
        actions: list[Callable[[], object]] = [
            lambda: vis.line(Y=[0.5], X=[next(points)], win="loss", update="append"),
            lambda: vis.text("more", win="notes", append=True),
            lambda: vis.text(str(next(points)), win=name, opts={"title": name}),
            lambda: vis.line(Y=[1, 2], X=[0, next(points)], win=name, opts={"title": name}),
            partial(close_if_there, vis, name),
        ]
        chance.choices(actions, weights=[6, 3, 1, 1, 1])[0]()

    for _ in range(STEPS):
        for _ in range(chance.randrange(4)):
            publish()
        if chance.random() < 0.3:
            fault(chance, proxy)()
        if client.link is None or chance.random() < 0.05:
            client.connect(chance.choice(KINDS))
        for _ in range(chance.randrange(4)):
            client.step()
    proxy.heal()
    client.assert_current(env, kind=chance.choice(KINDS))
    assert env in client.states["shared"].values["envs"]
    assert not client.errors
    client.drop()
    vis.close_session()


@pytest.mark.parametrize("kind", KINDS)
def test_replicas_converge_over_restarts_of_the_server(server: VisdomServer, proxy: FaultProxy, kind: Kind) -> None:
    """Saved state, no state, other state with the same ids: what the client brings along is never mistaken for the truth."""
    env = fresh_env()
    client = ResumingClient(server, f"env/{env}", port=proxy.port)
    for keep_state in (True, False, True):
        vis = Publisher(server, env)
        fill(vis)
        client.assert_current(env, kind=kind)
        vis.save([env])
        change(vis)
        client.step()
        vis.close_session()
        server.restart(keep_state=keep_state)
        vis = Publisher(server, env)
        vis.text("another life", win="notes", opts={"title": "Notes"})
        client.assert_current(env, kind=kind)
        vis.close_session()
    client.drop()


@pytest.mark.parametrize("seed", range(3))
def test_commands_are_applied_once_and_events_come_in_order(server: VisdomServer, proxy: FaultProxy, seed: int) -> None:
    """A page sends numbered clicks through faults on its side, a source reads them through the same faults."""
    chance = random.Random(seed)
    env = fresh_env()
    vis = Publisher(server, env)
    vis.text("click me", win="button")
    page = ResumingClient(server, "shared", port=proxy.port)
    source = ResumingClient(server, "events", port=proxy.port, role="source")
    watcher = ResumingClient(server, "events", port=server.port, role="source")

    def numbers(client: ResumingClient) -> list[int]:
        return [event["number"] for event in client.events if event.get("eid") == env]

    def listening(client: ResumingClient) -> bool:
        return client.readers["events"].epoch is not None

    def arrived(client: ResumingClient) -> bool:
        return len(numbers(client)) >= sent

    sent = 0
    for client in (source, watcher):
        client.run_until(partial(listening, client), "the source listens", kind="websocket")
    for _ in range(STEPS):
        for _ in range(chance.randrange(3)):
            data = {"target": "button", "eid": env, "event_type": "Click", "number": sent, "pane_data": False}
            page.command(cmd="forward_to_vis", data=data)
            sent += 1
        if chance.random() < 0.3:
            fault(chance, proxy)()
        for client in (page, source):
            if client.link is None:
                client.connect(chance.choice(KINDS))
            client.step()
        watcher.step()
    proxy.heal()
    page.run_until(lambda: not page.outbox.pending, "every command is answered", kind="websocket")
    for client in (watcher, source):
        client.run_until(partial(arrived, client), "every event has arrived", kind="poll")
        assert numbers(client) == list(range(sent))
        assert client.missed == 0
    assert not page.errors
    for client in (page, source, watcher):
        client.drop()
    vis.close_session()
