"""Event feeds: in order, at most once, and every loss told with its exact count."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.machine import THOROUGH, EventOrder
from visdom_transport.core.encoding import decode
from visdom_transport.core.event_feed import EventFeed, SharedMember
from visdom_transport.core.feed import Allowance
from visdom_transport.core.replica import EventReplica

TestEventOrder = EventOrder.TestCase
TestEventOrder.settings = THOROUGH

BUDGET = 10_000


def feed_of(count: int, **bounds: int) -> EventFeed:
    feed = EventFeed("events", **bounds)
    for number in range(1, count + 1):
        feed.publish(number)
    return feed


def read(feed: EventFeed, position: dict[str, Any] | None, budget_bytes: int = BUDGET) -> tuple[str, list[Any]]:
    """The reason of the verdict, and what a replica makes of all batches: events, and losses as ("missed", count)."""
    replica = EventReplica()
    if position is not None:
        replica.epoch, replica.offset = position["epoch"], position["offset"]
    cursor, verdict = feed.begin(position)
    replica.subscribed({"epoch": verdict.epoch, "offset": verdict.offset, "recovered": verdict.recovered})
    heard: list[Any] = []
    while (batch := feed.collect(cursor, Allowance(budget_bytes))) is not None:
        missed, events = replica.apply(decode(batch.data))
        heard += ([("missed", missed)] if missed else []) + events
    return verdict.reason, heard


def test_a_reader_without_a_position_begins_at_the_head() -> None:
    feed = feed_of(3)
    cursor, verdict = feed.begin(None)
    assert (verdict.offset, verdict.recovered, verdict.reason) == (3, False, "new")
    assert feed.collect(cursor, Allowance(BUDGET)) is None
    feed.publish("news")
    batch = feed.collect(cursor, Allowance(BUDGET))
    assert batch is not None
    message = decode(batch.data)
    assert {key: message[key] for key in ("from", "to", "complete", "missed", "events")} == {
        "from": 3,
        "to": 4,
        "complete": True,
        "missed": 0,
        "events": ["news"],
    }


def test_a_resumed_reader_gets_exactly_what_it_missed() -> None:
    feed = feed_of(5)
    assert read(feed, {"epoch": feed.epoch, "offset": 2}) == ("resumed", [3, 4, 5])
    assert read(feed, {"epoch": feed.epoch, "offset": 5}) == ("resumed", [])


def test_a_loss_to_the_ring_is_told_with_its_count() -> None:
    feed = feed_of(10, max_count=4)
    assert read(feed, {"epoch": feed.epoch, "offset": 2}) == ("trimmed", [("missed", 4), 7, 8, 9, 10])
    assert read(feed, {"epoch": feed.epoch, "offset": 6}) == ("resumed", [7, 8, 9, 10])


def test_a_reader_that_is_overtaken_is_told_too() -> None:
    feed = feed_of(1, max_count=3)
    cursor, _ = feed.begin({"epoch": feed.epoch, "offset": 1})
    for number in range(2, 10):
        feed.publish(number)
    batch = feed.collect(cursor, Allowance(BUDGET))
    assert batch is not None
    assert (batch.start, batch.missed, batch.end) == (1, 5, 9)


def test_a_reader_of_another_life_begins_at_the_oldest_event_there_is() -> None:
    feed = feed_of(6, max_count=4)
    assert read(feed, {"epoch": "other", "offset": 4}) == ("epoch", [("missed", 2), 3, 4, 5, 6])
    assert read(feed, {"epoch": feed.epoch, "offset": 7}) == ("epoch", [("missed", 2), 3, 4, 5, 6])
    assert read(feed, {"epoch": feed.epoch, "offset": -1}) == ("epoch", [("missed", 2), 3, 4, 5, 6])


def test_the_ring_is_bounded_in_bytes_but_keeps_the_newest_event() -> None:
    feed = feed_of(0, max_bytes=100)
    for number in range(10):
        feed.publish(str(number) * 30)
    assert feed.retained_bytes <= 100
    feed.publish("x" * 500)
    assert feed.retained_bytes == 502
    assert read(feed, {"epoch": feed.epoch, "offset": 10}) == ("resumed", ["x" * 500])
    feed.publish("y")
    assert feed.retained_bytes == 3


# --- what events share ---


def pane(size: int) -> SharedMember:
    """A member whose JSON has so many bytes."""
    return SharedMember("pane", "p" * (size - 2))


def missed_by_a_reader_from_the_start(feed: EventFeed) -> int:
    cursor, _ = feed.begin({"epoch": feed.epoch, "offset": 0})
    batch = feed.collect(cursor, Allowance(BUDGET))
    assert batch is not None
    return batch.missed


@pytest.mark.parametrize("own", [{}, {"n": 1}, {"n": 1, "other": [{"pane": "}"}]}])
def test_an_event_has_its_own_members_and_the_shared_one(own: dict[str, Any]) -> None:
    feed = feed_of(0)
    feed.publish(own, SharedMember("pane", {"content": 'a "text"'}))
    assert read(feed, {"epoch": feed.epoch, "offset": 0}) == ("resumed", [own | {"pane": {"content": 'a "text"'}}])


def test_an_event_carries_what_was_shared_when_it_was_published() -> None:
    feed, window = feed_of(0), {"content": "before"}
    feed.publish({"n": 1}, SharedMember("pane", window))
    window["content"] = "after"
    feed.publish({"n": 2}, SharedMember("pane", window))
    _, events = read(feed, {"epoch": feed.epoch, "offset": 0})
    assert [event["pane"]["content"] for event in events] == ["before", "after"]


def test_what_events_share_is_kept_and_counted_once() -> None:
    feed, shared = feed_of(0), pane(5_000)
    for number in range(100):
        feed.publish({"n": number}, shared)
    assert 5_000 < feed.retained_bytes < 5_000 + 100 * 30
    assert all(event.parts[1] is shared.value for event in feed._ring)


def test_a_member_larger_than_the_ring_keeps_all_events_that_carry_it_and_those_in_between() -> None:
    feed, large = feed_of(0, max_bytes=1_000), pane(50_000)
    for number in range(9):
        feed.publish({"n": number}, large)
    feed.publish({"n": 9}, pane(100))
    feed.publish({"n": 10}, large)
    feed.publish("without")
    assert missed_by_a_reader_from_the_start(feed) == 0


def test_the_newest_event_stays_whatever_it_carries() -> None:
    feed = feed_of(0, max_bytes=1_000)
    for number in range(5):
        feed.publish({"n": number}, pane(50_000 + number))
        assert missed_by_a_reader_from_the_start(feed) == number
        assert 50_000 < feed.retained_bytes < 50_100


def test_a_large_member_that_is_gone_leaves_the_ring_its_bound() -> None:
    feed = feed_of(0, max_count=3, max_bytes=1_000)
    feed.publish({"n": 0}, pane(50_000))
    for number in range(5):
        feed.publish({"n": number}, pane(600 + number))
    assert missed_by_a_reader_from_the_start(feed) == 4
    assert feed.retained_bytes < 1_300


def test_a_large_event_goes_alone_and_waits_for_room() -> None:
    feed, large = feed_of(0), pane(5_000)
    for shared in (pane(100), large, large):
        feed.publish({}, shared)
    cursor, _ = feed.begin({"epoch": feed.epoch, "offset": 0})
    sizes = []
    while (batch := feed.collect(cursor, Allowance(1_000))) is not None:
        sizes.append(len(batch.events))
        assert feed.collect(cursor, Allowance(1_000, room_bytes=1_000)) is None
    assert sizes == [1, 1, 1]


# --- batches ---


@pytest.mark.parametrize("budget_bytes", [1, 2, 3, 1_000])
def test_events_go_in_batches_of_the_budget_but_at_least_one_at_a_time(budget_bytes: int) -> None:
    feed = feed_of(9)
    cursor, _ = feed.begin({"epoch": feed.epoch, "offset": 0})
    sizes = []
    while (batch := feed.collect(cursor, Allowance(budget_bytes))) is not None:
        sizes.append(len(batch.events))
        assert batch.complete == (batch.end == 9)
        assert feed.behind(cursor) == 9 - batch.end
    assert sum(sizes) == 9
    assert max(sizes) == min(budget_bytes, 9)


def test_an_event_without_room_waits() -> None:
    feed = feed_of(0)
    feed.publish("x" * 100)
    cursor, _ = feed.begin({"epoch": feed.epoch, "offset": 0})
    assert feed.collect(cursor, Allowance(50, room_bytes=50)) is None
    assert feed.behind(cursor) == 1
    assert feed.collect(cursor, Allowance(50)) is not None


def test_a_batch_that_comes_twice_or_overlaps_delivers_nothing_twice() -> None:
    feed = feed_of(4)
    replica = EventReplica()
    replica.epoch, replica.offset = feed.epoch, 0
    batches = []
    for end in (2, 4):
        cursor, _ = feed.begin({"epoch": feed.epoch, "offset": 0})
        batch = feed.collect(cursor, Allowance(end))
        assert batch is not None
        batches.append(decode(batch.data))
    assert replica.apply(batches[0]) == (0, [1, 2])
    assert replica.apply(batches[0]) == (0, [])
    assert replica.apply(batches[1]) == (0, [3, 4])
    assert replica.apply(batches[1] | {"epoch": "other"}) == (0, [])
