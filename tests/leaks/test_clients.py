"""What a Python client takes, it gives back: after many outages it holds what it held after the first, and closed nothing."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from visdom import Visdom

from tests.leaks.inspected import InspectedServer
from tests.support.flavour import NEW_VISDOM
from tests.support.proxy import FaultProxy
from tests.support.wait import until
from visdom_transport.client import Publisher

OUTAGES = 12
SOON: dict[str, Any] = {"session_idle_check_interval": 0.05} if NEW_VISDOM else {}
"""What Visdom 0.3.0's thread for idle connections sees within seconds, it sees within less."""

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")


def held_here() -> dict[str, Any]:
    """Files and threads of this process, which is also the proxy's."""
    return {"files": len(os.listdir("/proc/self/fd")), "threads": Counter(thread.name for thread in threading.enumerate())}


def returns_to(before: dict[str, Any], what: str) -> None:
    """Wait until no more is held than before. It may be less: what was about to end has ended since."""

    def no_more() -> bool:
        now = held_here()
        return now["files"] <= before["files"] and now["threads"] <= before["threads"]

    until(no_more, f"{what}: {before}", seen=held_here)


@contextlib.contextmanager
def everything_given_back() -> Iterator[dict[str, Any]]:
    """Gives what is held before."""
    before = held_here()
    yield before
    gc.collect()
    returns_to(before, "what there was before")


@pytest.fixture(autouse=True)
def unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest keeps what is logged, and with an error all that it went through."""
    for name in ("visdom", "visdom_transport.source", "visdom_transport.client"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)


@pytest.fixture
def proxy(inspected: InspectedServer) -> Iterator[FaultProxy]:
    with FaultProxy(inspected.port) as proxy:
        yield proxy


@pytest.mark.parametrize("polling", [False, True], ids=["websocket", "poll"])
def test_an_event_stream_gives_everything_back(proxy: FaultProxy, polling: bool) -> None:
    def live() -> weakref.ref[Any]:
        vis: Any = Visdom("http://127.0.0.1", port=proxy.port, use_incoming_socket=not polling, use_polling=polling, **SOON)
        until(lambda: vis.socket_alive, "the stream is alive")
        vis.session.close()
        while_alive: dict[str, Any] = {}
        for _ in range(OUTAGES):
            cut(proxy)
            until(lambda: proxy.open_connections and vis.socket_alive, "the stream comes back")
            # A poll that ends is followed by the next, over the same connection.
            until(lambda: proxy.open_connections == 1, "one connection", seen=lambda: proxy.open_connections)
            while_alive = while_alive or held_here()
        returns_to(while_alive, "what it held after the first outage")
        thread = vis.event_source.thread
        vis.event_source.close()
        assert not thread.is_alive()
        return weakref.ref(vis.event_source)

    with everything_given_back():
        source = live()
    assert source() is None


def cut(proxy: FaultProxy) -> None:
    """Cut every connection, and wait until there is another one."""
    connections = proxy.traffic.connections
    proxy.cut()
    until(lambda: proxy.traffic.connections > connections, "somebody connects again")


def test_a_publisher_gives_everything_back(proxy: FaultProxy) -> None:
    def publish(files: int) -> weakref.ref[Any]:
        vis: Any = Publisher(server="http://127.0.0.1", port=proxy.port, env="e", use_incoming_socket=False, **SOON)
        threads: Counter[str] = Counter()
        for outage in range(OUTAGES):
            vis.line(X=np.array([outage]), Y=np.array([outage]), win="loss", update="append")
            assert vis.flush(10)
            proxy.cut()
            vis.text("while away", win=f"text-{outage % 3}")
            assert vis.flush(10)
            assert not vis.win_exists("not-there")
            threads = threads or held_here()["threads"]
        assert held_here()["threads"] <= threads
        assert vis.finish(10)
        until(lambda: held_here()["files"] <= files, "every connection is closed", seen=held_here)
        # Publishing again takes a new thread and a new connection.
        vis.text("again", win="text-0")
        assert vis.finish(10)
        return weakref.ref(vis._sender)

    with everything_given_back() as before:
        sender = publish(before["files"])
    assert sender() is None


def test_publishers_that_are_forgotten_give_everything_back(inspected: InspectedServer) -> None:
    inspected.windows()
    with everything_given_back():
        for number in range(10):
            vis = Publisher(server="http://127.0.0.1", port=inspected.port, env="e", use_incoming_socket=False, **SOON)
            vis.text(str(number), win="text")
            vis.win_exists("text")
            vis.session.close()
            del vis
