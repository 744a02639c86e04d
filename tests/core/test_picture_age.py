"""How old the picture of a client is: the oldest change that it has not acknowledged as drawn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.test_conversation import Talk
from tests.core.world import World
from visdom_transport.core.limits import Limits


class Clocked(World):
    """A world in which every step takes a second, and whose flush follows each change."""

    def after(self, seconds: float = 1.0) -> None:
        self.now += seconds

    def change(self, feed: str, key: str = "w", padding: int = 0) -> None:
        self.set(feed, key, padding)
        self.hub.flush()


class Viewer(Talk):
    """A page that draws what it is told to."""

    drawn = 0

    def draw(self, batches: int = 1) -> list[dict[str, Any]]:
        """Acknowledge so many batches more. Returns what it is sent then."""
        self.drawn += batches
        return self.say({"type": "ack", "batches": self.drawn})

    @property
    def age_s(self) -> float | None:
        session = self.conversation.session
        assert session is not None
        return session.picture_age_s(self.world.now)


@pytest.fixture
def world() -> Clocked:
    return Clocked(Limits(window_batches=2, batch_bytes=1_000, in_flight_bytes=2_000))


@pytest.fixture
def viewer(world: Clocked) -> Viewer:
    viewer = Viewer(world, feeds={"env/a": None, "env/b": None})
    viewer.draw(2)
    assert viewer.age_s == 0
    return viewer


def test_the_picture_is_as_old_as_the_oldest_change_that_is_not_drawn(world: Clocked, viewer: Viewer) -> None:
    world.after()
    assert viewer.age_s == 0, "nothing has changed"
    world.change("env/a")
    world.after()
    assert viewer.age_s == 1, "not sent"
    viewer.heard()
    world.after()
    assert viewer.age_s == 2, "not drawn"
    world.change("env/a")
    viewer.draw()
    world.after()
    assert viewer.age_s == 1, "the second change"
    viewer.draw()
    assert viewer.age_s == 0


def test_changes_between_two_flushes_are_as_old_as_the_first(world: Clocked, viewer: Viewer) -> None:
    world.set("env/a", "w", 0)
    world.after()
    world.set("env/a", "w", 0)
    world.hub.flush()
    world.after()
    assert viewer.age_s == 2


def test_a_client_that_is_never_up_to_date_is_only_as_far_behind_as_it_is(world: Clocked, viewer: Viewer) -> None:
    """Each feed always has news while the other is sent."""
    world.change("env/a")
    viewer.heard()
    world.change("env/b")
    viewer.heard()
    for _ in range(20):
        world.after()
        world.change("env/a")
        world.change("env/b")
        viewer.heard()
        viewer.draw()
        age = viewer.age_s
        assert age is not None
        assert 0 < age <= 2


def test_a_snapshot_is_owed_from_when_it_was_asked_for(world: Clocked) -> None:
    world.set("env/a", "w", 0)
    world.after(60)
    first = Viewer(world, feeds={"env/a": None})
    world.after()
    assert first.age_s == 1
    first.draw()
    assert first.age_s == 0
    world.after(60)
    first.say({"type": "subscribe", "feed": "env/b", "position": None})
    world.after()
    assert first.age_s == 1


def test_what_a_client_was_away_for_is_owed_from_when_it_is_back(world: Clocked, viewer: Viewer) -> None:
    epoch = world.hub.feeds["env/a"].epoch
    world.hub.detach(viewer.link, world.now)
    world.change("env/a")
    world.after(25)
    assert viewer.conversation.session is None
    (status,) = world.hub.status(world.now)["sessions"]
    assert status["picture_age_s"] is None, "nobody looks"
    back = Viewer(world, feeds={"env/a": {"epoch": epoch, "offset": 0}}, **viewer.identity)
    world.after()
    assert back.age_s == 1
    back.draw()
    world.after()
    world.change("env/a")
    world.after()
    assert back.age_s == 1


def test_a_hidden_page_has_no_picture_and_is_owed_what_changed_from_when_it_is_shown(world: Clocked, viewer: Viewer) -> None:
    viewer.say({"type": "credit", "window": 0})
    world.change("env/a")
    world.after(60)
    assert viewer.age_s is None
    viewer.say({"type": "credit", "window": 2})
    world.after()
    assert viewer.age_s == 1
    viewer.draw()
    assert viewer.age_s == 0
    world.after(60)
    viewer.say({"type": "credit", "window": 0})
    viewer.say({"type": "credit", "window": 2})
    world.after(60)
    world.change("env/a")
    assert viewer.age_s == 0, "nothing was owed when it was shown"


def test_a_poll_says_that_what_came_before_is_drawn(world: Clocked) -> None:
    poll = Viewer(world, "poll", feeds={"env/a": None})
    opening = {message["type"]: message for message in poll.opening}
    position = {"epoch": opening["subscribed"]["epoch"], "offset": 0}
    world.after()
    assert poll.age_s == 1
    poll.present({"env/a": position})
    assert poll.age_s == 0
    world.change("env/a")
    poll.heard()
    world.after()
    assert poll.age_s == 1
    poll.present({"env/a": {**position, "offset": 1}})
    assert poll.age_s == 0


def test_a_source_is_behind_until_it_has_dealt_with_an_event(world: Clocked) -> None:
    source = Viewer(world, role="source", feeds={"events": None})
    world.after()
    assert source.age_s == 0
    world.publish()
    source.heard()
    world.after()
    world.publish()
    source.heard()
    assert source.age_s == 1
    source.draw()
    assert source.age_s == 0


def test_the_status_has_it(world: Clocked, viewer: Viewer) -> None:
    world.change("env/a")
    world.after(1.23456)
    (status,) = world.hub.status(world.now)["sessions"]
    assert status["picture_age_s"] == 1.235


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from(["env/a", "env/b"]), st.integers(0, 3), st.sampled_from([0, 300, 1_500])),
        st.tuples(st.just("draw"), st.integers(1, 2)),
        st.tuples(st.just("wait"), st.floats(0.0, 5.0)),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_it_is_what_a_model_says_that_remembers_every_change(steps: list[Any]) -> None:
    world = Clocked(Limits(window_batches=2, batch_bytes=1_000, in_flight_bytes=2_000))
    viewer = Viewer(world, feeds={"env/a": None, "env/b": None})
    viewer.draw(2)
    changes: dict[str, list[float]] = {"env/a": [], "env/b": []}
    drawn = dict.fromkeys(changes, 0)
    in_flight: list[dict[str, Any]] = []
    for what, *arguments in steps:
        if what == "wait":
            world.after(*arguments)
        elif what == "change":
            name, key, padding = arguments
            world.change(name, str(key), padding)
            changes[name].append(world.now)
        else:
            for batch in in_flight[: arguments[0]]:
                drawn[batch["feed"]] = batch["to"] if batch["complete"] else drawn[batch["feed"]]
            count = len(in_flight[: arguments[0]])
            in_flight = in_flight[count:] + viewer.draw(count)
        in_flight += viewer.heard()
        owed = [at for name, times in changes.items() for at in times[drawn[name] :]]
        assert viewer.age_s == pytest.approx(world.now - min(owed, default=world.now))
