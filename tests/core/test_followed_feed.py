"""Feeds that are told their numbers by another server, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.test_state_feed import Board, kinds
from visdom_transport.core.causes import Cause
from visdom_transport.core.dialect import OwnDialect
from visdom_transport.core.encoding import decode
from visdom_transport.core.errors import GapError
from visdom_transport.core.event_feed import EventFeed
from visdom_transport.core.feed import Allowance
from visdom_transport.core.followed_events import FollowedEvents
from visdom_transport.core.followed_feed import FollowedFeed
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits
from visdom_transport.core.link import Link
from visdom_transport.core.session import Session
from visdom_transport.core.state_feed import StateFeed
from visdom_transport.core.waiting import PATIENCE_S

NAME = "env/main"


def no_values(name: str) -> Any:
    raise AssertionError(f"a relay has no values of its own: {name}")


class Follower:
    """A relay's hub that follows a board, and one reader of it."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.forgotten: list[str] = []
        self.waits: list[float] = []
        self.hub = Hub(Limits(), no_values, follow=FollowedFeed, on_forget=self.forgotten.append, on_wait=self.waits.append)
        self.session: Session = self.hub.open_session("browser", 0.0)
        self.link = Link("websocket", OwnDialect(), Limits(), 0.0)
        self.hub.attach(self.session, self.link, 0.0)

    @property
    def feed(self) -> FollowedFeed:
        found = self.hub.feeds[NAME]
        assert isinstance(found, FollowedFeed)
        return found

    def follow(self) -> None:
        """Ask the board's feed for what it has."""
        self.cursor, verdict = self.board.feed.begin(self.feed.replica.position())
        names = ("epoch", "offset", "recovered", "reason", "header")
        self.hub.take_verdict(NAME, {name: getattr(verdict, name) for name in names})

    def catch_up(self) -> None:
        while (batch := self.board.feed.collect(self.cursor, Allowance(100_000))) is not None:
            self.hub.take_batch(NAME, decode(batch.data))
        self.hub.flush()

    def heard(self) -> list[Any]:
        """What the reader is told: verdicts by their reasons, batches as what they carry of each key."""
        self.link.acknowledge_all()
        messages = [decode(message) for message in self.link.take_messages() if isinstance(message, bytes)]
        return [message["reason"] if message["type"] == "subscribed" else kinds(message) for message in messages]


def test_nobody_has_a_verdict_before_there_is_a_snapshot() -> None:
    board = Board(a=0)
    relay = Follower(board)
    assert relay.hub.subscribe(relay.session, NAME, None) is None
    relay.hub.answer_late(10 * PATIENCE_S)
    assert relay.heard() == []
    relay.follow()
    relay.catch_up()
    assert relay.heard() == ["new", {"a": "value"}]
    assert (relay.feed.epoch, relay.feed.offset) == (board.feed.epoch, board.feed.offset)
    relay.hub.unsubscribe(relay.session, NAME)
    assert relay.forgotten == [NAME]


@pytest.fixture
def board() -> Board:
    return Board(a=1_000, b=1_000)


@pytest.fixture
def relay(board: Board) -> Follower:
    """It has all that the board has, and so has its reader."""
    relay = Follower(board)
    relay.hub.subscribe(relay.session, NAME, None)
    relay.follow()
    relay.catch_up()
    relay.heard()
    return relay


def at(board: Board, offset: int, **members: Any) -> dict[str, Any]:
    return {"epoch": board.feed.epoch, "offset": offset, **members}


def test_whoever_has_a_part_of_a_folded_delta_gets_the_value(board: Board, relay: Follower) -> None:
    for number in range(4):
        board.append("a", number)
    relay.catch_up()
    assert relay.heard() == [{"a": "delta"}]
    for offset, found in {0: "delta", 1: "value", 3: "value"}.items():
        relay.hub.subscribe(relay.session, NAME, at(board, offset))
        assert relay.heard() == ["resumed", {"a": found}]
    relay.hub.subscribe(relay.session, NAME, at(board, 4))
    assert relay.heard() == ["resumed"]


def test_a_reader_that_was_elsewhere_waits_until_the_feed_has_come_so_far(board: Board, relay: Follower) -> None:
    board.append("a", 1)
    board.append("b", 2)
    assert relay.hub.subscribe(relay.session, NAME, at(board, 1, ahead={"b": 2})) is None
    assert relay.waits[-1] == PATIENCE_S
    relay.hub.flush()
    relay.hub.answer_late(PATIENCE_S - 0.1)
    assert relay.heard() == []
    relay.catch_up()
    assert relay.heard() == ["resumed", {}]
    board.append("b", 3)
    relay.catch_up()
    assert relay.heard() == [{"b": "delta"}]


def test_it_does_not_wait_for_ever(board: Board, relay: Follower) -> None:
    relay.hub.subscribe(relay.session, NAME, at(board, 7, have={"a": "c1"}))
    relay.hub.subscribe(relay.session, NAME, at(board, 7, have={"a": "c1"}))
    relay.hub.answer_late(PATIENCE_S)
    assert relay.heard() == ["epoch", {"b": "value"}]
    assert relay.session.problems[Cause.GAPS_EPOCH] == 1


def test_a_feed_that_numbers_its_changes_waits_for_nobody(board: Board) -> None:
    assert not board.feed.awaits(at(board, 7))
    assert board.feed.begin(at(board, 7))[1].reason == "epoch"
    assert board.feed.begin(at(board, 0, ahead={"a": 7}))[1].reason == "epoch"


def test_readers_are_told_of_another_life_without_asking_and_sent_what_differs(board: Board, relay: Follower) -> None:
    board.set("b")
    board.feed = StateFeed(NAME, board.source)
    relay.follow()
    relay.hub.flush()
    assert relay.heard() == [], "nothing of the life before, and nothing half"
    relay.catch_up()
    assert relay.heard() == ["epoch", {"b": "value"}]


def test_whoever_was_behind_in_the_life_before_is_sent_what_it_did_not_have(board: Board, relay: Follower) -> None:
    relay.link.credit = 0
    board.set("a")
    relay.catch_up()
    assert relay.heard() == []
    board.feed = StateFeed(NAME, board.source)
    relay.follow()
    relay.catch_up()
    relay.link.credit = 4
    assert relay.heard() == ["epoch", {"a": "value"}]


def test_after_a_gap_readers_are_sent_the_difference(board: Board, relay: Follower) -> None:
    board.append("a", 1)
    batch = board.feed.collect(relay.cursor, Allowance(100_000))
    assert batch is not None
    message = decode(batch.data)
    message["entries"][0]["delta"] = [["drop", ["x"], 5]]
    with pytest.raises(GapError):
        relay.hub.take_batch(NAME, message)
    relay.hub.flush()
    assert relay.heard() == []
    relay.follow()
    relay.catch_up()
    assert relay.heard() == ["trimmed", {"a": "value"}]


def test_on_a_poll_whose_answer_may_be_lost_the_next_one_tells_where_its_reader_stands(board: Board, relay: Follower) -> None:
    """Otherwise what was sent last would count as arrived."""
    relay.link.kind = "poll"
    relay.heard()
    board.append("a", 1)
    relay.catch_up()
    assert relay.link.take_messages(), "on its way"
    position = relay.feed.replica.position()
    board.append("a", 2)
    board.feed = StateFeed(NAME, board.source)
    relay.follow()
    relay.catch_up()
    assert relay.link.control == []
    assert not relay.session.subscriptions[NAME].presents(position)


def test_a_verdict_that_a_poll_has_not_asked_for_goes_alone(board: Board, relay: Follower) -> None:
    """If as many entries went with it as had arrived before, and were lost with it, they would count as those."""
    relay.link.kind = "poll"
    relay.heard()
    cursor = relay.session.subscriptions[NAME].cursor
    cursor.ahead, cursor.sent = {"a": cursor.offset + 1}, 1
    relay.hub._subscriptions.set_aside(NAME, relay.feed.epoch)
    board.append("a", 1)
    relay.catch_up()
    assert relay.heard() == ["resumed"]


def test_what_the_source_refuses_is_refused() -> None:
    relay = Follower(Board())
    relay.hub.subscribe(relay.session, NAME, None)
    relay.hub.take_refusal(NAME, {"type": "error", "code": "unknown_feed", "message": "no feed", "field": "feed"})
    assert [decode(message)["feed"] for message in relay.link.take_messages() if isinstance(message, bytes)] == [NAME]
    assert relay.session.subscriptions == {}
    assert relay.forgotten == [NAME]


def test_what_is_ahead_of_the_head_is_sent_and_the_position_stays(board: Board, relay: Follower) -> None:
    board.set("a", 600)
    board.set("b", 600)
    batch = board.feed.collect(relay.cursor, Allowance(700))
    assert batch is not None
    relay.hub.take_batch(NAME, decode(batch.data))
    relay.hub.flush()
    (message,) = (decode(each) for each in relay.link.take_messages() if isinstance(each, bytes))
    assert (message["from"], message["to"], message["complete"]) == (0, 0, False)
    assert kinds(message) == {"a": "value"}
    relay.catch_up()
    assert relay.heard() == [{"b": "value"}]


def test_events_keep_their_numbers_and_none_comes_twice() -> None:
    origin = EventFeed("events")
    feed = FollowedEvents("events")
    for number in range(5):
        origin.publish(number)
    cursor, verdict = origin.begin(feed.replica.position())
    feed.subscribed({"epoch": verdict.epoch, "offset": verdict.offset, "recovered": verdict.recovered})
    batch = origin.collect(cursor, Allowance(100_000))
    assert batch is not None
    feed.apply(decode(batch.data))
    assert (feed.epoch, feed.offset) == (origin.epoch, 5)
    reader, found = feed.begin({"epoch": origin.epoch, "offset": 6})
    assert (found.reason, found.offset, feed.behind(reader)) == ("resumed", 6, 0)
    for number in (5, 6):
        origin.publish(number)
    batch = origin.collect(cursor, Allowance(100_000))
    assert batch is not None
    feed.apply(decode(batch.data))
    batch = feed.collect(reader, Allowance(100_000))
    assert batch is not None
    assert decode(batch.data)["events"] == [6]


def test_events_after_a_hole_count_those_before_it_as_missed() -> None:
    feed = FollowedEvents("events", max_count=4)
    feed.subscribed({"epoch": "e", "offset": 0, "recovered": False})
    feed.apply({"epoch": "e", "from": 0, "to": 2, "missed": 0, "events": [1, 2]})
    feed.apply({"epoch": "e", "from": 2, "to": 6, "missed": 3, "events": [6]})
    cursor, verdict = feed.begin({"epoch": "e", "offset": 1})
    assert verdict.reason == "trimmed"
    batch = feed.collect(cursor, Allowance(100_000))
    assert batch is not None
    assert (batch.missed, decode(batch.data)["events"]) == (4, [6])
