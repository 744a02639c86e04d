"""Events about large windows reach the handlers of `visdom.Visdom`, all of them, in order, and over a slow way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from visdom import Visdom

from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.proxy import FaultProxy
from tests.support.records import Records
from tests.support.stock_peers import StockPoll, StockSocket
from tests.support.wait import until

Serve = Callable[..., LocalServer]

KINDS = ("websocket", "poll")
BYTES_PER_S = 300_000


class Listener:
    """A `visdom.Visdom` and the events its handlers were given: numbers and sizes of images."""

    def __init__(self, port: int, kind: str) -> None:
        self.seen: list[tuple[int, int]] = []
        self.gaps: list[Any] = []
        polling = kind == "poll"
        options: dict[str, Any] = {"use_incoming_socket": not polling, "use_polling": polling, "raise_exceptions": False}
        self.vis: Any = Visdom("http://127.0.0.1", port=port, **options)
        self.vis.register_event_handler(self.gaps.append, "gap")

    def listen(self, *windows: str) -> None:
        for win in windows:
            self.vis.register_event_handler(self._take, win)

    def _take(self, event: dict[str, Any]) -> None:
        self.seen.append((event["n"], len(event["pane_data"]["content"]["src"])))

    def close(self) -> None:
        self.vis.event_source.close()
        if self.vis._session is not None:
            self.vis._session.close()


@pytest.fixture
def listener_of(records: Records) -> Iterator[Callable[..., Listener]]:
    records.ignore("Setting up a new session")
    listeners: list[Listener] = []

    def make(port: int, kind: str) -> Listener:
        listeners.append(Listener(port, kind))
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.close()


def show(server: LocalServer, win: str, size: int) -> None:
    """Put an image of so many bytes into a window."""
    content = {"src": "A" * size, "caption": ""}
    server.post("/events", {"data": [{"type": "image", "content": content}], "win": win, "eid": "main"}).raise_for_status()


def click(page: OwnSocket, number: int, win: str) -> None:
    """Click on an image; when this returns, the server has taken it."""
    data = {"eid": "main", "target": win, "event_type": "Click", "n": number}
    assert page.command(number, cmd="forward_to_vis", data=data)["error"] is None


@pytest.mark.parametrize("size", [3_000_000, 20_000_000])
@pytest.mark.parametrize("kind", KINDS)
def test_ten_clicks_on_a_large_image_and_some_on_a_small_one(
    serve: Serve, listener_of: Callable[..., Listener], kind: str, size: int
) -> None:
    server = serve(settings={"poll_wait_s": 1})
    sizes = {"large": size, "small": 1_000}
    for win, bytes_ in sizes.items():
        show(server, win, bytes_)
    listener = listener_of(server.port, kind)
    listener.listen(*sizes)
    clicks = ["large"] * 9 + ["small", "large", "small"]
    with OwnSocket(server) as page:
        for number, win in enumerate(clicks, 1):
            click(page, number, win)
        until(lambda: len(listener.seen) == len(clicks), "all clicks", timeout_s=60, seen=lambda: listener.seen)
    assert listener.seen == [(number, sizes[win]) for number, win in enumerate(clicks, 1)]
    assert listener.gaps == []


def test_a_click_on_each_of_two_large_images_in_turn(serve: Serve, listener_of: Callable[..., Listener]) -> None:
    server = serve(settings={"poll_wait_s": 1})
    for win in ("one", "two"):
        show(server, win, 20_000_000)
    listener = listener_of(server.port, "websocket")
    listener.listen("one", "two")
    with OwnSocket(server) as page:
        for number in range(1, 7):
            click(page, number, ("one", "two")[number % 2])
        until(lambda: len(listener.seen) == 6, "all clicks", timeout_s=60, seen=lambda: listener.seen)
    assert [number for number, _ in listener.seen] == list(range(1, 7))
    assert listener.gaps == []


@pytest.mark.parametrize("make", [StockSocket, StockPoll])
def test_a_client_of_stock_is_given_every_click_on_a_large_image(serve: Serve, make: Any) -> None:
    server = serve(settings={"poll_wait_s": 1})
    show(server, "large", 20_000_000)
    options = {"skip_utf8_validation": True} if make is StockSocket else {}
    source = make(server, "source", **options)
    seen: list[int] = []
    with OwnSocket(server) as page:
        for number in range(1, 6):
            click(page, number, "large")
        while len(seen) < 5:
            # Over a WebSocket the first message only says that it is there.
            events = source.query() if make is StockPoll else [source.receive()]
            seen += [event["n"] for event in events if "n" in event]
    assert seen == [1, 2, 3, 4, 5]
    if make is StockSocket:
        source.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_event_takes_longer_than_a_silence_that_means_death(
    serve: Serve, listener_of: Callable[..., Listener], kind: str
) -> None:
    server = serve(settings={"heartbeat_s": 0.5, "dead_after_s": 3.5, "poll_wait_s": 1}, small_buffers=True)
    show(server, "large", 5 * BYTES_PER_S)
    show(server, "small", 1_000)
    with FaultProxy(server.port, buffer_bytes=32_768) as proxy:
        listener = listener_of(proxy.port, kind)
        listener.listen("large", "small")
        proxy.throttle(BYTES_PER_S)
        began = time.monotonic()
        with OwnSocket(server) as page:
            for number, win in enumerate(["large", "small", "large"], 1):
                click(page, number, win)
        until(lambda: len(listener.seen) == 3, "all clicks", timeout_s=40, seen=lambda: listener.seen)
        assert time.monotonic() - began > 6, "the way was not slow"
        assert [number for number, _ in listener.seen] == [1, 2, 3]
        assert listener.gaps == []
        assert listener.vis.socket_alive
        listener.close()
    assert server.status()["totals"]["closed_silent"] == 0
