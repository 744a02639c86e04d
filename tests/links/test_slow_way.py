"""Large windows on a slow way: they keep neither small ones nor signs of life waiting, and no peer that takes them is dead."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.proxy import FaultProxy
from tests.support.stock_peers import StockSocket

BYTES_PER_S = 300_000
FREE = 1e9
LARGE = "x" * 9 * BYTES_PER_S
HUGE = "x" * 60 * BYTES_PER_S
"""It takes a minute, which is long enough for five small windows on a busy machine."""


@contextmanager
def far_from(server: LocalServer) -> Iterator[tuple[LocalServer, FaultProxy]]:
    """The same server, a slow way off."""
    with FaultProxy(server.port, buffer_bytes=32_768) as proxy:
        far = copy.copy(server)
        far.port = proxy.port
        proxy.throttle(BYTES_PER_S)
        yield far, proxy


def test_a_large_window_is_on_its_way_while_small_ones_arrive(serve: Callable[..., LocalServer]) -> None:
    server = serve(settings={"batch_bytes": 60_000})
    server.text("small", "before")
    with far_from(server) as (far, proxy), OwnSocket(far, "env/main") as tab:
        tab.converge()
        server.text("large", HUGE)
        windows = tab.replicas.state("env/main")
        arrived = []
        for number in range(5):
            text = f"number {number}"
            server.text("small", text)
            tab.until(lambda text=text: windows["small"]["content"] == text, "the small window")
            arrived.append("large" in windows)
        assert arrived == [False] * 5
        proxy.throttle(FREE)
        tab.converge(timeout_s=40)


def test_a_stock_page_that_takes_a_large_window_slowly_is_not_dead(serve: Callable[..., LocalServer]) -> None:
    server = serve(settings={"heartbeat_s": 0.5, "dead_after_s": 6.0, "poll_wait_s": 0.5})
    server.text("large", LARGE)
    with far_from(server) as (far, _), StockSocket(far) as page:
        page.register()
        page.connection.settimeout(30)
        large = [message for message in page.load("main") if message.get("id") == "large"]
        assert [len(window["content"]) for window in large] == [len(LARGE)]
        assert server.status()["totals"]["closed_silent"] == 0
