"""The event stream against a real feed, whatever becomes of its links: in order, at most once, every loss announced."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.peer import WELCOME
from visdom_transport.client.asking.backoff import Backoff
from visdom_transport.client.asking.errors import Away
from visdom_transport.client.asking.outage import Outage
from visdom_transport.client.source.stream import FEED, EventStream, LinkLost
from visdom_transport.core.event_feed import EventCursor, EventFeed
from visdom_transport.core.feed import Allowance

RING = 5

Heard = list[int | tuple[str, int | None]]


def stream() -> tuple[EventStream, Heard]:
    heard: Heard = []
    return EventStream(heard.append, lambda missed: heard.append(("gap", missed))), heard


class Server:
    """One life of the feed, and the link that is open."""

    def __init__(self, begins_at: int) -> None:
        self.feed = EventFeed(FEED, max_count=RING)
        self.begins_at = begins_at
        self.cursor: EventCursor | None = None

    def open(self, reader: EventStream, now: float, *, verdict_arrives: bool = True) -> None:
        hello = reader.open(now)
        self.cursor, verdict = self.feed.begin(hello["feeds"][FEED])
        reader.take(WELCOME, now)
        if verdict_arrives:
            said = {"type": "subscribed", "feed": FEED, "epoch": verdict.epoch, "offset": verdict.offset}
            reader.take(said | {"recovered": verdict.recovered, "reason": verdict.reason}, now)

    def flush(self, reader: EventStream, now: float, *, arrives: bool = True, twice: bool = False) -> None:
        batch = self.feed.collect(self.cursor, Allowance(30)) if self.cursor else None
        if batch is None:
            return
        if arrives:
            for _ in range(1 + twice):
                reader.take(json.loads(batch.data), now)
        else:
            self.cursor = None  # what is lost on the way takes the link with it


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 8)),
        st.tuples(st.just("open"), st.booleans()),
        st.tuples(st.just("flush"), st.sampled_from(["once", "twice", "lost"])),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=40,
)


def test_a_verdict_that_nobody_has_asked_for_begins_another_life() -> None:
    """A relay's link stays when the server that it follows begins anew."""
    reader, heard = stream()
    server = Server(0)
    server.open(reader, 0.0)
    server.feed.publish(1)
    server.flush(reader, 0.0)
    reader.take({"type": "subscribed", "feed": FEED, "epoch": "e2", "offset": 0, "recovered": False, "reason": "epoch"}, 1.0)
    reader.take({"type": "batch", "feed": FEED, "epoch": "e2", "from": 0, "to": 1, "missed": 0, "events": [2]}, 1.0)
    assert heard == [1, ("gap", None), 2]
    assert reader.feeds()[FEED] == {"epoch": "e2", "offset": 1}
    assert reader.is_live


def test_it_is_live_when_it_knows_where_reading_begins() -> None:
    """Between the welcome and the verdict a link may break, and what happens before the next one is not this reader's yet."""
    reader, heard = stream()
    server = Server(0)
    server.open(reader, 0.0, verdict_arrives=False)
    assert not reader.is_live
    server.feed.publish(1)
    server.open(reader, 1.0)
    assert reader.is_live
    server.feed.publish(2)
    server.open(reader, 2.0, verdict_arrives=False)
    assert not reader.is_live
    server.open(reader, 3.0)
    server.flush(reader, 3.0)
    assert heard == [2]


@given(actions=ACTIONS)
def test_in_order_at_most_once_and_every_loss_announced(actions: list[tuple[str, Any]]) -> None:
    reader, heard = stream()
    server = Server(0)
    server.open(reader, 0.0)
    lives = [server]
    published = 0
    for action, how in actions:
        match action:
            case "publish":
                for _ in range(how):
                    server.feed.publish(published)
                    published += 1
            case "open":
                server.open(reader, 0.0, verdict_arrives=how)
                if not how:
                    server.cursor = None
            case "flush":
                server.flush(reader, 0.0, arrives=how != "lost", twice=how == "twice")
            case "restart":
                server = Server(published)
                lives.append(server)
    server.open(reader, 0.0)
    while server.cursor is not None and server.feed.has_news(server.cursor):
        server.flush(reader, 0.0)

    events = [each for each in heard if isinstance(each, int)]
    assert events == sorted(set(events))
    # Between two events that do not follow each other there is an announcement, and its count is right if it has one.
    expected = 0
    unknown = False
    counted = 0
    for each in heard:
        if isinstance(each, int):
            assert unknown or each == expected + counted, heard
            assert each >= expected + counted, heard
            expected, unknown, counted = each + 1, False, 0
        elif each[1] is None:
            unknown = True
        else:
            counted += each[1]
    assert unknown or expected + counted == published, (heard, published)
    if len(lives) == 1:
        assert all(not isinstance(each, tuple) or each[1] for each in heard)


def test_silence_is_asked_about_and_then_the_end() -> None:
    reader, _ = stream()
    reader.open(100.0)
    reader.take(WELCOME, 100.0)
    assert reader.check_in_s(101.0) == 7.0
    assert reader.check(107.9) == []
    assert reader.check(108.0) == [{"type": "ping"}]
    assert reader.check(109.0) == []
    assert reader.check_in_s(110.0) == 10.0
    reader.take({"type": "pong"}, 119.0)
    assert reader.check(126.0) == []
    assert reader.check(127.0) == [{"type": "ping"}]
    with pytest.raises(LinkLost, match="nothing heard for 20 s"):
        reader.check(139.0)


def test_batches_are_acknowledged_after_the_handlers_ran() -> None:
    order: list[Any] = []
    reader = EventStream(order.append, lambda missed: None)
    server = Server(0)
    server.open(reader, 0.0)
    server.feed.publish("a")
    batch = server.feed.collect(server.cursor or EventCursor(0), Allowance(1000))
    assert batch is not None
    order += reader.take(json.loads(batch.data), 0.0)
    assert order == ["a", {"type": "ack", "batches": 1}]
    # Each link counts for itself.
    server.open(reader, 0.0)
    assert reader.take(json.loads(batch.data), 0.0) == [{"type": "ack", "batches": 1}]
    assert order[2:] == []


@pytest.mark.parametrize(("code", "kept"), [(4000, False), (4001, True), (4002, True), (4051, False)])
def test_the_identity_is_dropped_when_the_server_says_so(code: int, kept: bool) -> None:
    reader, _ = stream()
    reader.open(0.0)
    reader.take(WELCOME, 0.0)
    with pytest.raises(LinkLost) as lost:
        reader.take({"type": "close", "code": code, "reason": "so"}, 0.0)
    assert lost.value.code == code
    hello = reader.open(1.0)
    assert (hello["session"], hello["secret"]) == (("s", "x") if kept else (None, None))


def test_attempts_become_rarer_up_to_a_bound() -> None:
    backoff = Backoff(first_s=0.5, most_s=10.0, uniform=lambda low, high: high)
    assert [backoff.failed() for _ in range(7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    backoff.succeeded()
    assert backoff.failed() == 0.5
    chosen = {Backoff().failed() for _ in range(20)}
    assert len(chosen) > 1
    assert all(0 <= each <= 0.5 for each in chosen)


def test_waiting_leaves_the_numbers_of_a_seeded_program_as_they_are() -> None:
    random.seed(7)
    before = random.getstate()
    Backoff().failed()
    Outage().failed(Away("nobody listens"), 0.0)
    assert random.getstate() == before
