"""Sessions and links: credit, acknowledgements, turns, and what is remembered of commands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.world import DictSource
from visdom_transport.core.dialect import OwnDialect
from visdom_transport.core.encoding import decode
from visdom_transport.core.event_feed import EventFeed
from visdom_transport.core.limits import Limits
from visdom_transport.core.link import Link
from visdom_transport.core.session import REMEMBERED_REPLIES, Session, Subscription
from visdom_transport.core.state_feed import StateFeed

LIMITS = Limits(window_batches=3, batch_bytes=1_000, in_flight_bytes=2_000)


class Bench:
    """A session with a link that follows two state feeds and an event feed."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.session = Session("browser", grace_s=30)
        self.link = Link("websocket", OwnDialect(), limits, 0.0)
        self.session.link, self.link.reader = self.link, self.session
        self.windows: dict[str, dict[str, Any]] = {"a": {}, "b": {}}
        self.feeds: dict[str, Any] = {name: StateFeed(name, DictSource(name, self.windows[name])) for name in self.windows}
        self.feeds["events"] = EventFeed("events")
        for name, feed in self.feeds.items():
            cursor, _ = feed.begin({"epoch": feed.epoch, "offset": 0})
            self.session.subscriptions[name] = Subscription(feed, cursor)

    def set(self, feed: str, key: str, padding: int) -> None:
        self.windows[feed][key] = "p" * padding
        self.feeds[feed].set(key)

    def sent(self) -> list[str]:
        """The feeds of the batches that the link sends now."""
        return [decode(message)["feed"] for message in self.link.take_messages()]


def test_feeds_take_turns() -> None:
    bench = Bench(Limits(window_batches=1))
    for _ in range(5):
        bench.feeds["events"].publish("x")
        bench.set("a", "w", 10)
        bench.set("b", "w", 10)
    assert bench.sent() == ["a"]
    order = []
    for batches in range(1, 6):
        bench.set("a", "w", 10)
        bench.link.acknowledge(batches)
        order += bench.sent()
    assert order == ["b", "events", "a", "a", "a"], "a feed that always has news does not keep the others waiting"


def test_the_bytes_in_flight_are_bounded() -> None:
    bench = Bench()
    for key in "123456":
        bench.set("a", key, 700)
    assert len(bench.sent()) == 2
    assert bench.link.in_flight_bytes < LIMITS.in_flight_bytes
    assert bench.link.held_back


@pytest.mark.parametrize("padding", [1_900, 5_000])
def test_a_large_value_waits_until_it_fits_or_goes_alone(padding: int) -> None:
    """It was once sent on top of what was in flight: twice the bound and more."""
    bench = Bench()
    bench.set("a", "small", 500)
    assert bench.sent() == ["a"]
    bench.set("b", "large", padding)
    assert bench.sent() == []
    bench.link.acknowledge(1)
    assert bench.sent() == ["b"]
    bench.set("a", "small", 500)
    assert bench.sent() == [], "nothing that does not fit goes with it"
    bench.link.acknowledge(2)
    assert bench.sent() == ["a"]


def test_small_news_pass_a_large_value_that_waits() -> None:
    bench = Bench()
    bench.set("a", "small", 500)
    assert bench.sent() == ["a"]
    bench.set("b", "large", 5_000)
    bench.feeds["events"].publish("x")
    assert bench.sent() == ["events"]
    assert bench.link.held_back


def test_acknowledgements_are_cumulative_and_cannot_run_ahead() -> None:
    bench = Bench()
    for feed in ("a", "b"):
        bench.set(feed, "w", 10)
    bench.feeds["events"].publish("x")
    assert len(bench.sent()) == 3
    sizes = list(bench.link.in_flight)
    bench.link.acknowledge(2)
    assert bench.link.in_flight_bytes == sizes[2]
    bench.link.acknowledge(1)
    assert list(bench.link.in_flight) == sizes[2:]
    bench.link.acknowledge(1_000)
    bench.set("a", "w", 10)
    assert len(bench.sent()) == 1
    bench.link.acknowledge(3)
    assert len(bench.link.in_flight) == 1, "the fourth batch is not acknowledged by 3"
    bench.link.acknowledge_all()
    assert bench.link.in_flight_bytes == 0
    bench.set("a", "w", 10)
    assert len(bench.sent()) == 1
    bench.link.acknowledge(4)
    assert len(bench.link.in_flight) == 1


def test_a_link_without_a_session_sends_only_what_it_says() -> None:
    link = Link("websocket", OwnDialect(), LIMITS, 0.0)
    told: list[int] = []
    link.on_news = lambda: told.append(1)
    link.say({"type": "pong"})
    assert told
    assert link.take_messages() == [b'{"type":"pong"}']
    link.hear(5.0)
    assert link.heard_at == 5.0


def test_links_without_an_owner_are_harmless() -> None:
    link = Link("websocket", OwnDialect(), LIMITS, 0.0)
    link.say({"type": "pong"})
    link.on_ping()
    assert link.take_messages() == [b'{"type":"pong"}', b'{"type":"ping"}']


def test_where_a_subscription_stands() -> None:
    bench = Bench()
    subscription = bench.session.subscriptions["a"]
    epoch = bench.feeds["a"].epoch
    assert subscription.presents({"epoch": epoch, "offset": 0})
    assert subscription.presents({"epoch": epoch, "offset": 0, "part": 0, "ahead": {}})
    for other in (
        None,
        "here",
        {"epoch": "other", "offset": 0},
        {"epoch": epoch, "offset": 1},
        {"epoch": epoch, "offset": 0, "part": 1},
    ):
        assert not subscription.presents(other)
    events = bench.session.subscriptions["events"]
    assert events.presents({"epoch": bench.feeds["events"].epoch, "offset": 0})
    subscription.cursor = None
    assert not subscription.presents({"epoch": epoch, "offset": 0})
    assert (subscription.behind, subscription.has_news) == (0, False)


def test_a_poll_in_the_middle_of_a_catch_up_says_how_much_of_it_has_arrived() -> None:
    bench = Bench(Limits(window_batches=1, batch_bytes=500))
    for key in "12":
        bench.set("a", key, 400)
    bench.sent()
    subscription = bench.session.subscriptions["a"]
    assert subscription.presents({"epoch": bench.feeds["a"].epoch, "offset": 0, "part": 1})
    assert not subscription.presents({"epoch": bench.feeds["a"].epoch, "offset": 0})


@pytest.mark.parametrize("secret", ["", "wrong", None, 5, "\ud800", b"bytes"])
def test_only_the_secret_is_the_secret(secret: Any) -> None:
    session = Session("browser", grace_s=30)
    assert session.knows_secret(session.secret)
    assert not session.knows_secret(secret)


def test_replies_are_remembered_up_to_a_bound() -> None:
    session = Session("browser", grace_s=30)
    for number in range(1, 200):
        session.remember_reply(number, {"result": number})
    assert list(session.replies) == list(range(200 - REMEMBERED_REPLIES, 200))
    assert session.last_command == 199
