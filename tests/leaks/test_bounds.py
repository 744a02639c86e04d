"""What is remembered of those who have gone has a bound."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from tests.support.wait import until
from visdom_transport.core.catch_up import StateBatch
from visdom_transport.core.conversation import Conversation
from visdom_transport.core.entries import Entry
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits
from visdom_transport.links.flusher import clock
from visdom_transport.links.longpoll import REMEMBERED_ENDS, Client, LongPollLinks
from visdom_transport.links.stock import MAX_EXPECTED_ECHOES, StockBrowser
from visdom_transport.visdom.durability.publishers import Publishers


def batch(feed: str, *entries: Entry) -> StateBatch:
    return StateBatch(feed, "epoch", 0, 1, True, list(entries), None)


def test_a_stock_page_forgets_the_windows_and_environments_that_are_gone() -> None:
    page = StockBrowser()
    for number in range(2 * MAX_EXPECTED_ECHOES):
        page.batch(batch("env/a", Entry(f"w{number}", 1, b"", b'{"id":"w"}')))
        page.batch(batch("env/a", Entry(f"w{number}", 2, b"", deleted=True)))
        page.batch(batch("shared", Entry(f"undo/e{number}", 1, b"", b"1")))
        page.batch(batch("shared", Entry(f"undo/e{number}", 2, b"", deleted=True)))
    assert not page.held
    assert not page._undo
    assert len(page._echoes) == MAX_EXPECTED_ECHOES


def test_ended_links_of_polls_are_remembered_for_a_while() -> None:
    hub = Hub(Limits(), lambda name: None, ("events",))  # type: ignore[arg-type, return-value]
    long_polls = LongPollLinks(hub, lambda client: Conversation(hub, "poll", clock(), lambda session, command: None, {}))
    hello = {"type": "hello", "role": "source", "feeds": {"events": None}}

    async def come_and_go() -> None:
        for _ in range(REMEMBERED_ENDS + 100):
            await long_polls.poll({"link": None, "messages": [hello]}, Client("127.0.0.1", ""))
            hub.tick(clock() + Limits().dead_after_s)

    asyncio.run(come_and_go())
    assert not long_polls._links
    assert len(long_polls._ended) == REMEMBERED_ENDS


def test_news_of_publishers_that_are_forgotten_is_forgotten() -> None:
    publishers = Publishers(max_publishers=10)
    for number in range(100):
        publishers.find(f"p{number}", 1)
        publishers.moved(f"p{number}")
    assert len(publishers._news) == 10


def test_environments_that_publishers_only_name_are_not_remembered(server: LocalServer, records: Records) -> None:
    records.ignore("has no file and is kept in the journal: its id cannot be the name of a file")

    def publish(number: int, endpoint: str, **body: Any) -> None:
        request = {"producer": "p", "first": number, "messages": [{"endpoint": endpoint, "body": body}]}
        server.post("/transport/publish", request).raise_for_status()

    long = "x" * 300
    for number in range(1, 20):
        publish(2 * number - 1, "update", win="w", eid=f"not-there-{number}", data=[])
        publish(2 * number, "events", win="w", eid=f"refused-{number}", data=None)
    publish(39, "events", win="w", eid=long, data=[{"type": "text", "content": ""}])
    assert long in server.app.state
    server.run(server.app.state.clear)
    journal = server.app.transport.journal
    assert (journal._tracking.published, journal._environments._strangers) == (set(), {})


def test_a_comparison_goes_with_its_last_reader(server: LocalServer) -> None:
    server.plot("p", [1], eid="a")
    server.plot("q", [2], eid="b")
    comparisons = server.app.transport.comparisons._known
    with OwnSocket(server, "compare/a+b", "compare/b+a") as client:
        client.until(lambda: len(client.replicas.state("compare/b+a")) > 1, "the comparison is shown")
        assert len(comparisons) == 2
        client.send({"type": "unsubscribe", "feed": "compare/a+b"})
        client.send({"type": "unsubscribe", "feed": "compare/b+a"})
        until(lambda: not len(comparisons), "both are forgotten", timeout_s=2, seen=lambda: dict(comparisons))
