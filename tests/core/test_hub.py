"""The hub: who is told, what is remembered for how long, and the one reaper."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.world import DictSource
from visdom_transport.core.dialect import OwnDialect
from visdom_transport.core.encoding import decode
from visdom_transport.core.errors import CloseCode, LinkClosed, MessageError
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits
from visdom_transport.core.link import Link
from visdom_transport.core.session import Session
from visdom_transport.core.state_feed import StateFeed

LIMITS = Limits(heartbeat_s=8, dead_after_s=20, grace_s=30, max_sessions=3, max_subscriptions=2, history_bytes=2_000)


class Stage:
    """A hub, its windows, and what it called."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.windows: dict[str, dict[str, Any]] = {"env/a": {}, "env/b": {}}
        self.wakes = 0
        self.told: list[Link] = []
        self.closed: list[tuple[Link, CloseCode]] = []
        self.hub = Hub(limits, self.source, ("events",), self.wake, clock=lambda: 1.25)

    def source(self, name: str) -> DictSource:
        if name not in self.windows:
            raise MessageError("unknown_feed", f"no feed {name}", "feed")
        return DictSource(name, self.windows[name])

    def wake(self) -> None:
        self.wakes += 1

    def link(self, session: Session, now: float = 0.0) -> Link:
        link = Link("websocket", OwnDialect(), self.limits, now)
        link.on_news = lambda: self.told.append(link)
        link.on_close = lambda code: self.closed.append((link, code))
        self.hub.attach(session, link, now)
        return link

    def viewer(self, *feeds: str, now: float = 0.0, role: str = "browser", dialect: str = "own") -> tuple[Session, Link]:
        session = self.hub.open_session(role, now, dialect=dialect)
        link = self.link(session, now)
        for feed in feeds:
            self.hub.subscribe(session, feed, None)
        link.take_messages()
        self.told.clear()
        return session, link

    def set(self, feed: str, key: str, padding: int = 0) -> None:
        self.windows[feed][key] = {"padding": "p" * padding}
        self.hub.set(feed, key)


@pytest.fixture
def stage() -> Stage:
    return Stage()


# --- changes ---


def test_a_change_wakes_once_and_a_flush_tells_every_link_of_the_feed_once(stage: Stage) -> None:
    _, first = stage.viewer("env/a", "events")
    _, second = stage.viewer("env/a")
    _, other = stage.viewer("env/b")
    stage.set("env/a", "w")
    stage.hub.update("env/a", "w", [["set", ["title"], "t"]])
    stage.hub.publish("events", {"click": 1})
    assert stage.wakes == 1
    assert not stage.told, "nothing is sent before the flush"
    stage.hub.flush()
    assert sorted(stage.told, key=id) == sorted([first, second], key=id)
    assert other.take_messages() == []
    stage.hub.delete("env/a", "w")
    assert stage.wakes == 2


def test_changes_that_nobody_follows_cost_nothing(stage: Stage) -> None:
    stage.set("env/a", "w")
    stage.hub.update("env/a", "w", [])
    stage.hub.delete("env/a", "w")
    assert stage.hub.feeds.keys() == {"events"}
    assert stage.wakes == 0


def test_an_event_before_the_first_reader_does_not_swallow_later_wakes(stage: Stage) -> None:
    """Who wakes up with nobody to tell may ignore it, as the flusher does before the first link; the hub then waited for ever."""
    stage.hub.publish("events", 1)
    assert stage.wakes == 0
    stage.viewer("env/a")
    stage.set("env/a", "w")
    assert stage.wakes == 1


def test_a_wake_that_flushes_at_once(stage: Stage) -> None:
    stage.hub._wake = stage.hub.flush
    _, link = stage.viewer("env/a")
    for _ in range(3):
        stage.set("env/a", "w")
        assert stage.told == [link]
        stage.told.clear()


# --- events ---


def test_an_event_is_told_to_sources_at_once_and_to_browsers_with_the_flush(stage: Stage) -> None:
    _, page = stage.viewer("events")
    _, source = stage.viewer("events", role="source")
    stage.hub.publish("events", {"click": 1})
    assert stage.told == [source]
    assert len(source.take_messages()) == 1
    stage.hub.flush()
    assert page in stage.told


def test_an_event_that_only_sources_follow_needs_no_flush(stage: Stage) -> None:
    stage.viewer("events", role="source")
    stage.viewer("env/a")
    stage.hub.publish("events", {"click": 1})
    assert stage.wakes == 0


def test_a_source_that_ends_when_it_is_told_keeps_no_other_from_hearing(stage: Stage) -> None:
    _, first = stage.viewer("events", role="source")
    away, second = stage.viewer("events", role="source")
    _, third = stage.viewer("events", role="source")
    first.on_news = lambda: stage.hub.end_session(away, CloseCode.TOO_SLOW, 1.0)
    stage.hub.publish("events", 1)
    assert stage.closed == [(second, CloseCode.TOO_SLOW)]
    assert stage.told == [third]


def test_a_source_is_awaited_until_it_has_acknowledged_what_happened(stage: Stage) -> None:
    session, source = stage.viewer("events", role="source")
    assert not stage.hub.awaits_answer("events")
    stage.hub.publish("events", 1)
    assert stage.hub.awaits_answer("events"), "not sent yet"
    source.take_messages()
    assert stage.hub.awaits_answer("events"), "not acknowledged yet"
    source.acknowledge(1)
    assert not stage.hub.awaits_answer("events")
    stage.hub.publish("events", 2)
    source.take_messages()
    stage.hub.detach(source, 1.0)
    assert not stage.hub.awaits_answer("events"), "away"
    assert session.id in stage.hub.sessions


def test_nobody_is_awaited_who_does_not_acknowledge_or_is_no_source(stage: Stage) -> None:
    _, page = stage.viewer("events")
    _, stock = stage.viewer("events", role="source", dialect="stock")
    stage.hub.publish("events", 1)
    for link in (page, stock):
        link.take_messages()
        assert link.in_flight
    assert not stage.hub.awaits_answer("events")


def test_an_event_feed_is_no_state_feed(stage: Stage) -> None:
    stage.viewer("events")
    stage.hub.set("events", "w")
    stage.hub.update("events", "w", [])
    stage.hub.delete("events", "w")
    assert stage.hub.feeds["events"].offset == 0


def test_a_detached_session_is_not_told_and_costs_no_cursor(stage: Stage) -> None:
    session, link = stage.viewer("env/a")
    stage.hub.detach(link, 1.0)
    assert session.subscriptions["env/a"].cursor is None
    stage.set("env/a", "w")
    stage.hub.flush()
    assert not stage.told
    assert stage.hub.status(2.0)["sessions"][0]["events_behind"] == 0


def test_a_session_without_a_link_can_subscribe(stage: Stage) -> None:
    session = stage.hub.open_session("browser", 0.0)
    stage.hub.subscribe(session, "env/a", None)
    assert not session.subscriptions["env/a"].has_news


# --- history ---


def test_the_history_is_bounded_over_all_feeds_largest_first(stage: Stage) -> None:
    stage.viewer("env/a", "env/b")
    for key in "xy":
        stage.set("env/a", key, 900)
    stage.set("env/b", "z", 300)
    viewers = [stage.viewer("env/a", "env/b")[1]]
    before = [retained(stage, "env/a"), retained(stage, "env/b")]
    assert sum(before) > LIMITS.history_bytes
    stage.hub.flush()
    assert retained(stage, "env/a") + retained(stage, "env/b") <= LIMITS.history_bytes
    assert retained(stage, "env/b") == before[1]
    assert viewers


def test_the_history_is_also_trimmed_when_nothing_is_published(stage: Stage) -> None:
    """One viewer who loads a large environment after the training has ended."""
    for key in "xyz":
        stage.windows["env/a"][key] = {"padding": "p" * 900}
    stage.viewer("env/a")
    assert retained(stage, "env/a") > LIMITS.history_bytes
    stage.hub.tick(1.0)
    assert retained(stage, "env/a") <= LIMITS.history_bytes


def retained(stage: Stage, feed: str) -> int:
    return stage.hub.feeds[feed].retained_bytes


def test_a_history_bound_of_zero(stage: Stage) -> None:
    stage = Stage(Limits(history_bytes=0))
    _, link = stage.viewer("env/a")
    for _ in range(3):
        stage.set("env/a", "w", 100)
        stage.hub.flush()
        stage.hub.flush()
        assert stage.hub.feeds["env/a"].retained_bytes == 0
    assert decode(link.take_messages()[-1])["to"] == 3


# --- sessions and links ---


def test_a_newer_link_replaces_the_older_one_which_is_logged(stage: Stage) -> None:
    session, first = stage.viewer("env/a")
    second = stage.link(session, 1.0)
    assert stage.closed == [(first, CloseCode.REPLACED)]
    assert (session.link, first.reader) == (second, None)
    assert session.subscriptions["env/a"].cursor is None, "cursors begin anew with the link"
    stage.hub.detach(first, 2.0)
    assert session.link is second, "the end of the old connection comes late"


def test_replacing_the_link_of_a_session_without_grace_keeps_the_session() -> None:
    stage = Stage(Limits(grace_s=0))
    session, _ = stage.viewer("env/a")
    stage.link(session, 1.0)
    assert session.id in stage.hub.sessions
    assert "env/a" in stage.hub.feeds


def test_a_session_without_grace_ends_with_its_link(stage: Stage) -> None:
    session = stage.hub.open_session("browser", 0.0, dialect="stock", grace_s=0)
    link = stage.link(session)
    stage.hub.subscribe(session, "env/a", None)
    stage.hub.detach(link, 1.0)
    assert not stage.hub.sessions
    assert "env/a" not in stage.hub.feeds
    stage.hub.detach(link, 2.0)


def test_a_session_of_another_dialect_cannot_be_resumed(stage: Stage) -> None:
    session = stage.hub.open_session("browser", 0.0, dialect="stock")
    assert stage.hub.resume_session(session.id, session.secret, "browser") is None


def test_a_session_may_be_given_its_identity_and_its_end_is_told() -> None:
    ended: list[Session] = []
    hub = Hub(Limits(), lambda name: DictSource(name, {}), on_end=ended.append)
    session = hub.open_session("browser", 0.0, identity=("id", "secret"))
    assert hub.resume_session("id", "secret", "browser") is session
    hub.end_session(session, CloseCode.UNAUTHORIZED, 0.0)
    assert ended == [session]


def test_the_number_of_sessions_is_bounded(stage: Stage) -> None:
    for _ in range(LIMITS.max_sessions):
        stage.hub.open_session("browser", 0.0)
    with pytest.raises(LinkClosed) as caught:
        stage.hub.open_session("browser", 0.0)
    assert caught.value.code == CloseCode.LIMIT
    stage.hub.tick(LIMITS.grace_s)
    stage.hub.open_session("browser", LIMITS.grace_s)


def test_a_feed_lives_while_a_session_follows_it(stage: Stage) -> None:
    first, _ = stage.viewer("env/a", "events")
    second, _ = stage.viewer("env/a")
    epoch = stage.hub.feeds["env/a"].epoch
    stage.hub.unsubscribe(first, "env/a")
    assert stage.hub.feeds["env/a"].epoch == epoch
    stage.hub.unsubscribe(second, "env/a")
    stage.hub.unsubscribe(first, "events")
    stage.hub.unsubscribe(first, "never")
    assert stage.hub.feeds.keys() == {"events"}
    stage.hub.subscribe(first, "env/a", None)
    assert stage.hub.feeds["env/a"].epoch != epoch


def test_the_places_of_one_address_are_bounded_and_given_back() -> None:
    stage = Stage(Limits(max_address_sessions=2, grace_s=30))
    first, second = (stage.hub.open_session("browser", 0.0, address="10.0.0.1", grace_s=grace) for grace in (0, 30))
    link = stage.link(first)
    with pytest.raises(LinkClosed, match="max_address_sessions=2") as caught:
        stage.hub.open_session("browser", 0.0, address="10.0.0.1")
    assert caught.value.code == CloseCode.LIMIT
    stage.hub.open_session("browser", 0.0, address="10.0.0.2")
    stage.hub.detach(link, 1.0)
    stage.hub.detach(link, 1.0)
    stage.hub.open_session("browser", 1.0, address="10.0.0.1")
    with pytest.raises(LinkClosed):
        stage.hub.open_session("browser", 1.0, address="10.0.0.1")
    stage.hub.end_session(second, CloseCode.UNAUTHORIZED, 1.0)
    stage.hub.end_session(second, CloseCode.UNAUTHORIZED, 1.0)
    stage.hub.open_session("browser", 1.0, address="10.0.0.1")
    with pytest.raises(LinkClosed):
        stage.hub.open_session("browser", 1.0, address="10.0.0.1")


# --- links that say nothing ---


def waiting(stage: Stage, address: str = "10.0.0.1", now: float = 0.0) -> Link:
    link = Link("websocket", OwnDialect(), stage.limits, now)
    link.address = address
    link.on_close = lambda code: stage.closed.append((link, code))
    stage.hub.await_hello(link, now)
    return link


def test_a_link_that_never_says_hello_is_ended(stage: Stage) -> None:
    """A WebSocket that was opened and left alone stayed for ever."""
    link = waiting(stage)
    stage.hub.tick(19.9)
    assert stage.hub.status(19.9)["totals"]["waiting_links"] == 1
    stage.hub.tick(20.0)
    assert stage.closed == [(link, CloseCode.SILENT)]
    assert stage.hub.status(20.0)["totals"]["waiting_links"] == 0
    stage.hub.tick(60.0)
    assert len(stage.closed) == 1


def test_links_that_wait_for_their_hello_take_places() -> None:
    stage = Stage(Limits(max_address_sessions=2))
    first, second = waiting(stage), waiting(stage)
    with pytest.raises(LinkClosed, match="max_address_sessions=2"):
        waiting(stage)
    stage.hub.detach(first, 1.0)
    stage.hub.detach(first, 1.0)
    waiting(stage)
    stage.hub.hello(second)
    stage.hub.open_session("browser", 1.0, address="10.0.0.1")
    with pytest.raises(LinkClosed):
        waiting(stage)


# --- time ---


def test_time_that_the_server_lost_is_no_silence(stage: Stage) -> None:
    _, link = stage.viewer("env/a")
    other = waiting(stage)
    left, _ = stage.viewer("env/b")
    stage.hub.tick(8.0)
    assert link.take_messages() == [b'{"type":"ping"}']
    assert left.link is not None
    stage.hub.detach(left.link, 9.0)
    stage.closed.clear()
    stage.hub.excuse(100.0, 109.0)
    stage.hub.tick(109.0)
    assert not stage.closed
    assert left.id in stage.hub.sessions
    stage.hub.tick(119.9)
    assert not stage.closed
    stage.hub.tick(120.0)
    assert {each for each, _ in stage.closed} == {link, other}, "20 s of silence, beside the 100 s"
    stage.hub.tick(109.0 + stage.limits.grace_s)
    assert left.id not in stage.hub.sessions


def test_nobody_was_heard_later_than_now(stage: Stage) -> None:
    _, link = stage.viewer("env/a")
    link.hear(100.0)
    stage.hub.excuse(100.0, 100.0)
    assert link.heard_at == 100.0


def test_a_silent_link_is_pinged_and_then_dead(stage: Stage) -> None:
    session, link = stage.viewer("env/a")
    stage.hub.tick(7.9)
    assert link.take_messages() == []
    stage.hub.tick(8.0)
    assert stage.told == [link]
    assert link.take_messages() == [b'{"type":"ping"}']
    stage.hub.tick(12.0)
    assert link.take_messages() == [], "one ping per heartbeat"
    stage.hub.tick(16.0)
    assert link.take_messages() == [b'{"type":"ping"}']
    stage.hub.tick(19.9)
    assert not stage.closed
    stage.hub.tick(20.0)
    assert stage.closed == [(link, CloseCode.SILENT)]
    assert session.link is None
    assert stage.hub.causes.totals["closed_silent"] == 1
    stage.hub.tick(49.9)
    assert stage.hub.sessions
    stage.hub.tick(50.0)
    assert not stage.hub.sessions
    assert stage.hub.feeds.keys() == {"events"}
    assert stage.hub.totals["reaped_sessions"] == 1


def test_any_sign_of_life_counts(stage: Stage) -> None:
    _, link = stage.viewer()
    for now in range(0, 100, 7):
        link.hear(float(now))
        stage.hub.tick(float(now) + 6)
    assert link.take_messages() == []
    assert not stage.closed
    assert stage.hub.status(100.0)["sessions"][0]["seen_s_ago"] == 2.0


def test_a_session_that_comes_back_within_its_grace_is_kept(stage: Stage) -> None:
    session, link = stage.viewer("env/a")
    epoch = stage.hub.feeds["env/a"].epoch
    stage.hub.detach(link, 0.0)
    stage.hub.tick(29.0)
    stage.link(session, 29.0)
    stage.hub.tick(40.0)
    assert stage.hub.feeds["env/a"].epoch == epoch


# --- status ---


def test_status_shows_sessions_feeds_and_totals(stage: Stage) -> None:
    _, link = stage.viewer("env/a", now=1.0)
    link.acknowledge_all()
    for _ in range(3):
        stage.set("env/a", "w", 10)
    assert stage.hub.status(1.5)["sessions"][0]["events_behind"] == 3
    sent = link.take_messages()
    status = stage.hub.status(2.5)
    assert status["sessions"] == [
        {
            "role": "browser",
            "dialect": "own",
            "link": "websocket",
            "relay": None,
            "subscriptions": ["env/a"],
            "events_behind": 0,
            "in_flight_bytes": len(sent[0]),
            "picture_age_s": 1.25,
            "drawn_s_ago": None,
            "seen_s_ago": 1.5,
            "resumes": 0,
            "conflated_events": 2,
            "degraded": {"conflated_events": 2},
        }
    ]
    feed = stage.hub.feeds["env/a"]
    assert isinstance(feed, StateFeed)
    assert status["feeds"]["env/a"] == {"epoch": feed.epoch, "offset": 3, "retained_bytes": feed.retained_bytes}
    assert status["totals"]["sessions"] == 1
    stage.hub.detach(link, 3.0)
    assert stage.hub.status(3.0)["sessions"][0]["link"] is None
    assert stage.hub.status(3.0)["sessions"][0]["in_flight_bytes"] == 0
