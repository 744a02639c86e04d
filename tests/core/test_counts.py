"""What a hub counts: freshness, verdicts, changes, and what returns cost."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.core.test_conversation import Talk
from tests.core.world import World
from visdom_transport.core.counts import FRESHNESS_S, MANY, Counts, Drawn, Traffic
from visdom_transport.core.encoding import encode
from visdom_transport.core.hub import Hub
from visdom_transport.core.keyed_feed import KeyedFeed
from visdom_transport.core.limits import Limits


class Counting(World):
    """A world whose hub counts."""

    def start(self) -> None:
        super().start()
        self.counts = Counts(lambda name: name.partition("/")[0])
        self.hub = Hub(self.limits, self.source, event_feeds=("events",), clock=lambda: self.now, counts=self.counts)

    def change(self, feed: str, key: str = "w") -> None:
        self.set(feed, key, 0)
        self.hub.flush()


@pytest.fixture
def world() -> Counting:
    return Counting(Limits())


def seen(of: Traffic | Drawn) -> dict[float, int]:
    """The bounds up to which there are ages."""
    of.count()
    histogram = of.fresh
    bounds = (*histogram.bounds, float("inf"))
    return {bound: count for bound, count in zip(bounds, histogram.counts, strict=True) if count}


def test_each_batch_counts_with_the_time_until_it_was_sent(world: Counting) -> None:
    viewer = Talk(world, feeds={"env/a": None})
    before = world.counts.traffic["websocket", "env"]
    assert seen(before) == {0.005: 1}
    world.change("env/a")
    world.now += 0.03
    size, was = 0, before.sent_bytes
    for message in viewer.link.take_messages(world.now):
        size += len(message)
    traffic = world.counts.traffic["websocket", "env"]
    assert seen(traffic) == {0.005: 1, 0.05: 1}
    assert traffic.sent_bytes - was == size


def test_what_is_drawn_counts_from_the_change_to_the_drawing_whenever_it_is_acknowledged(world: Counting) -> None:
    viewer = Talk(world, feeds={"env/a": None})
    viewer.say({"type": "ack", "batches": 1})
    drawn = world.counts.drawn["websocket"]
    before = Counter(seen(drawn))
    world.change("env/a")
    viewer.heard()
    world.now += 0.19
    viewer.say({"type": "ack", "batches": 2, "ago_ms": 150})
    assert Counter(seen(drawn)) - before == {0.05: 1}, "it was drawn 40 ms after the change"


def test_one_acknowledgement_of_several_batches_tells_of_the_oldest_that_was_surely_late(world: Counting) -> None:
    viewer = Talk(world, feeds={"env/a": None})
    viewer.say({"type": "ack", "batches": 1})
    drawn = world.counts.drawn["websocket"]
    before = Counter(seen(drawn))
    for _ in range(3):
        world.change("env/a")
        viewer.heard()
        world.now += 2.0
    viewer.say({"type": "ack", "batches": 4, "ago_ms": 0})
    assert Counter(seen(drawn)) - before == {10.0: 1}
    viewer.say({"type": "ack", "batches": 4})
    assert Counter(seen(drawn)) - before == {10.0: 1}, "nothing was new in that"


def test_a_poll_says_that_what_it_was_given_is_drawn(world: Counting) -> None:
    poll = Talk(world, "poll", feeds={"env/a": None})
    position = {"epoch": poll.opening[1]["epoch"], "offset": 0}
    poll.present({"env/a": position})
    world.change("env/a")
    poll.heard()
    world.now += 0.3
    poll.present({"env/a": position | {"offset": 1}})
    assert seen(world.counts.drawn["poll"]) == {0.005: 1, 0.5: 1}
    assert seen(world.counts.traffic["poll", "env"]) == {0.005: 2}


def test_what_is_not_counted_yet_is_bounded(world: Counting) -> None:
    viewer = Talk(world, feeds={"env/a": None})
    for drawn in range(3 * MANY):
        viewer.say({"type": "ack", "batches": drawn + 1})
        world.change("env/a")
        viewer.heard()
        assert max(len(world.counts.traffic["websocket", "env"].new), len(world.counts.drawn["websocket"].new)) <= MANY + 1
    world.counts.count()
    assert world.counts.traffic["websocket", "env"].fresh.count == 3 * MANY + 1


def test_verdicts_and_what_they_cost(world: Counting) -> None:
    world.set("env/a", "w", 100)
    viewer = Talk(world, feeds={"env/a": None})
    epoch = world.hub.feeds["env/a"].epoch
    assert world.counts.verdicts == {("env", "new"): 1}
    (batch,) = [message for message in viewer.opening if message["type"] == "batch"]
    assert world.counts.returned_bytes["new"].sum == len(encode(batch))
    back = Talk(world, feeds={"env/a": {"epoch": epoch, "offset": 0}}, **viewer.identity)
    assert back.opening[0]["resumed"]
    assert world.counts.verdicts["env", "resumed"] == 1
    assert world.counts.returned_bytes["resumed"].sum == 0, "nothing was missing"
    assert (world.counts.opened, world.counts.resumed) == ({"browser": 1}, {"browser": 1})


def test_what_is_encoded_counts_once_for_all_and_outlives_the_feed(world: Counting) -> None:
    world.set("env/a", "w", 100)
    talks = [Talk(world, feeds={"env/a": None}) for _ in range(2)]
    feed = world.hub.feeds["env/a"]
    assert isinstance(feed, KeyedFeed)
    assert feed.encoded["value"] == len(encode(world.state["env/a"]["w"]))
    assert not feed.encoded["delta"]
    world.update("env/a", "w", ["extend", ["x"], [1]])
    for talk in talks:
        (batch,) = talk.heard()
        assert feed.encoded["delta"] == len(encode(batch["entries"][0]))
    for talk in talks:
        talk.say({"type": "unsubscribe", "feed": "env/a"})
    assert world.counts.encoded == feed.encoded


def test_changes_count_once_however_many_follow_them(world: Counting) -> None:
    world.change("env/a")
    assert not world.counts.changes["env"], "nobody follows"
    Talk(world, feeds={"env/a": None, "events": None})
    Talk(world, feeds={"env/a": None})
    for _ in range(3):
        world.set("env/a", "w", 0)
    world.delete("env/a", "w")
    world.publish()
    world.hub.flush()
    assert world.counts.changes == {"env": 4, "events": 1}


def test_states_that_are_replaced_before_they_are_sent_count_as_conflated(world: Counting) -> None:
    Talk(world, feeds={"env/a": None}).heard()
    viewer = Talk(world, feeds={"env/a": None})
    for _ in range(5):
        world.set("env/a", "w", 0)
    viewer.heard()
    assert world.counts.conflated == {"env": 4}


def test_the_bounds_are_those_that_are_promised() -> None:
    assert (FRESHNESS_S[0], FRESHNESS_S[-1]) == (0.005, 30.0)
    assert list(FRESHNESS_S) == sorted(FRESHNESS_S)
