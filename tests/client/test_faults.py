"""Every point exactly once and in order, while the server is killed and restarted and the network is cut."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.proxy import FaultProxy
from tests.support.server import VisdomServer
from visdom_transport.client import Publisher

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

TIMEOUT_S = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path, settings={"journal_interval_s": 0.2}) as server:
        yield server


@pytest.fixture
def vis(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    for name in ("visdom", "visdom_transport.client"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
    vis = Publisher(server="http://127.0.0.1", port=proxy.port, env="e", use_incoming_socket=False, exit_timeout_s=5)
    yield vis
    vis.finish(5)


def publish(vis: Any, x: int) -> None:
    """A point of a line, which is folded with others, and one of an embedding, which is not."""
    vis.line(X=np.array([x]), Y=np.array([x]), win="loss", name="a", update="append", opts={"title": "Loss"})
    vis._send({"type": "embedding", "x": x, "y": 0, "win": "points", "opts": {"max_points": 100_000}}, endpoint="embedding")


@pytest.mark.parametrize(
    ("points", "kills", "cuts"), [(1_200, 2, 6), pytest.param(10_000, 5, 20, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_exactly_once(server: VisdomServer, proxy: FaultProxy, vis: Publisher, points: int, kills: int, cuts: int) -> None:
    faults: list[Callable[[], None]] = list(islice(cycle([proxy.cut] * (cuts // kills) + [lambda: kill(server)]), kills + cuts))
    vis.line(X=np.array([0]), Y=np.array([0]), win="loss", name="a", opts={"title": "Loss"})
    vis._send({"type": "embedding", "x": 0, "y": 0, "win": "points", "opts": {"max_points": 100_000}}, endpoint="embedding")
    at_each = np.array_split(np.arange(1, points), len(faults))
    for fault, segment in zip(faults, at_each, strict=True):
        meanwhile, afterwards = np.array_split(segment, 2)
        thread = threading.Thread(target=fault)
        thread.start()
        for x in meanwhile:
            publish(vis, int(x))
        thread.join()
        for x in afterwards:
            publish(vis, int(x))
    assert vis.flush(TIMEOUT_S, durable=True), (vis.counters, server.log_tail())
    assert_whole(server, points)
    kill(server)
    assert_whole(server, points)
    counters = vis.counters
    assert (counters.dropped, counters.refused, counters.unconfirmed) == (0, 0, 0)


def kill(server: VisdomServer) -> None:
    server.kill()
    server.start()


def assert_whole(server: VisdomServer, points: int) -> None:
    windows = server.windows("e")
    assert windows["loss"]["title"] == "Loss"
    for win in ("loss", "points"):
        assert windows[win]["content"]["data"][0]["x"] == [*range(points)], win


def test_windows_come_back_with_their_titles_when_the_disk_is_gone(server: VisdomServer, vis: Publisher) -> None:
    vis.line(X=np.array([0]), Y=np.array([0]), win="loss", name="a", opts={"title": "Loss", "xlabel": "step"})
    vis.text("notes", win="text", opts={"title": "Notes"})
    assert vis.flush(TIMEOUT_S, durable=True)
    server.restart(keep_state=False)
    vis.line(X=np.array([1]), Y=np.array([1]), win="loss", name="a", update="append")
    vis.text("more", win="text", append=True)
    assert vis.flush(TIMEOUT_S, durable=True)
    windows = server.windows("e")
    assert {window["title"] for window in windows.values()} == {"Loss", "Notes"}
    assert windows["loss"]["content"]["data"][0]["x"] == [0, 1]
    assert windows["loss"]["content"]["layout"]["xaxis"]["title"] == "step"
    assert windows["text"]["content"] == "notes<br>more"


def test_nothing_is_kept_on_disk_and_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the journal off, applied is the end: what the server had is gone with it, but nothing is doubled."""
    for name in ("visdom", "visdom_transport.client"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
    with VisdomServer(tmp_path, settings={"journal": "off"}) as server:
        vis = Publisher(server="http://127.0.0.1", port=server.port, env="e", use_incoming_socket=False, exit_timeout_s=5)
        for x in range(3):
            vis.line(X=np.array([x]), Y=np.array([x]), win="loss", name="a", update="append", opts={"title": "Loss"})
            assert vis.flush(TIMEOUT_S, durable=True)
        assert vis.counters.unconfirmed == 0
        kill(server)
        for x in range(3, 6):
            vis.line(X=np.array([x]), Y=np.array([x]), win="loss", name="a", update="append")
        assert vis.flush(TIMEOUT_S)
        window = server.windows("e")["loss"]
        assert (window["content"]["data"][0]["x"], window["title"]) == ([0, 3, 4, 5], "Loss")
        assert vis.finish(5)
