"""An origin, two relays that follow it, and readers that hop between all three, without I/O; their networks do their worst.

A relay is a hub whose feeds follow the origin's, over a link of its own. What a reader holds at a position is checked against
what the origin had there.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tests.core.world import LIMITS, STATE_FEEDS, Client, World
from tests.support.peer import Message
from visdom_transport.core.followed_events import FollowedEvents
from visdom_transport.core.followed_feed import FollowedFeed
from visdom_transport.core.hub import Hub
from visdom_transport.core.replica import EventReplica, StateReplica
from visdom_transport.core.waiting import PATIENCE_S

EVENTS = "events"


class Origin(World):
    """A server that remembers what it had at each offset."""

    def __init__(self) -> None:
        self.past: dict[tuple[str, str, int], dict[str, Any]] = {}
        self.log: dict[str, list[Any]] = {}
        """What was published, by the epoch of the events."""
        super().__init__(LIMITS)

    def start(self) -> None:
        self.published = []
        super().start()
        self.log[self.hub.feeds[EVENTS].epoch] = self.published

    def remember(self, feed: str) -> None:
        found = self.hub.feeds.get(feed)
        if found is not None:
            self.past[feed, found.epoch, found.offset] = copy.deepcopy(self.state[feed])

    def set(self, feed: str, key: str, padding: int) -> None:
        self.remember(feed)
        super().set(feed, key, padding)
        self.remember(feed)

    def update(self, feed: str, key: str, *operations: list[Any]) -> None:
        self.remember(feed)
        super().update(feed, key, *operations)
        self.remember(feed)

    def delete(self, feed: str, key: str) -> None:
        self.remember(feed)
        super().delete(feed, key)
        self.remember(feed)

    def check(self, name: str, replica: StateReplica) -> None:
        """Whoever is at one position as a whole holds what was there."""
        if replica.epoch is not None and not any(own > replica.offset for own in replica._own.values()):
            past = self.past.get((name, replica.epoch, replica.offset))
            assert past is None or replica.values == past, f"{name} at {replica.offset} is not what it was there"


class Upstream(Client):
    """A relay's link to the origin. It hands on what it is told."""

    def __init__(self, origin: Origin, relay: Relay) -> None:
        super().__init__(origin, ())
        self.relay = relay

    def subscribed(self, message: Mapping[str, Any]) -> None:
        self.relay.hub.take_verdict(message["feed"], message)

    def apply(self, batch: Mapping[str, Any]) -> None:
        self.relay.hub.take_batch(batch["feed"], batch)


class Relay(World):
    """A server whose feeds follow the origin's."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.upstream = Upstream(origin, self)
        super().__init__(origin.limits)

    def start(self) -> None:
        super().start()
        self.upstream.feeds.clear()
        self.hub = Hub(self.limits, self.source, follow=self.follow, on_forget=self.upstream.unsubscribe, clock=lambda: self.now)

    def follow(self, name: str) -> FollowedFeed | FollowedEvents:
        limits = self.limits
        feed: FollowedFeed | FollowedEvents
        if name == EVENTS:
            feed = FollowedEvents(name, max_count=limits.event_count, max_bytes=limits.event_bytes)
        else:
            feed = FollowedFeed(name, max_tombstones=limits.max_tombstones, large_bytes=limits.batch_bytes)
        self.upstream.feeds[name] = feed.replica
        self.upstream.subscribe(name)
        return feed

    @property
    def state(self) -> dict[str, Any]:
        replicas = self.upstream.feeds
        return {name: getattr(replicas.get(name), "values", {}) for name in STATE_FEEDS}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        """A relay has none of its own."""

    def crash(self, kind: str) -> None:
        """It is killed, and started again."""
        self.upstream.cut()
        self.upstream.be_nobody()
        self.restart(keep_state=True)
        self.upstream.connect(kind)


class Hopper(Client):
    """A client that goes from one server to another, and presents to each where it stands."""

    def __init__(self, origin: Origin, world: World, feeds: tuple[str, ...]) -> None:
        super().__init__(world, feeds)
        self.origin = origin
        self.asked: dict[str, tuple[str | None, float]] = {}
        """With which epoch it has asked for a verdict, and since when."""

        self.lives: set[str] = set()
        """The epochs of events that it has read."""

    def hop(self, world: World, kind: str, noticed: bool) -> None:
        if noticed:
            self.cut()
        self.world.clients.remove(self)
        self.drop_link()
        self.be_nobody()
        self.world = world
        world.clients.append(self)
        self.connect(kind)

    def positions(self) -> dict[str, Any]:
        for name, replica in self.feeds.items():
            since = self.asked.get(name, (None, self.world.now))[1]
            self.asked[name] = (replica.epoch, since)
        return super().positions()

    def connect(self, kind: str) -> None:
        self.asked.clear()
        super().connect(kind)

    def subscribed(self, message: Mapping[str, Any]) -> None:
        name = message["feed"]
        epoch, since = self.asked.pop(name, (None, self.world.now))
        if message["reason"] == "epoch" and message["epoch"] == epoch and name != EVENTS:
            assert self.world.now - since >= PATIENCE_S, "a position of this epoch was taken for one of another"
        if name == EVENTS and message["epoch"] != self.feeds[name].epoch and message["epoch"] in self.lives:
            # Whoever goes back to a life that is over reads it again, and then the newer one. It must have waited for that.
            lives = list(self.origin.log)
            is_back = epoch in self.lives and lives.index(message["epoch"]) < lives.index(epoch)
            assert not is_back or self.world.now - since >= PATIENCE_S, "a life that is over was begun again"
            self.events.clear()
        if name == EVENTS:
            self.lives.add(message["epoch"])
        super().subscribed(message)

    def take_batch(self, message: Message) -> None:
        super().take_batch(message)
        replica = self.feeds[message["feed"]]
        if isinstance(replica, StateReplica):
            self.origin.check(message["feed"], replica)

    def read(self, batch: Mapping[str, Any], before: int, missed: int, events: list[Any]) -> None:
        first = before + missed
        log = self.origin.log[batch["epoch"]]
        assert events == log[first : first + len(events)], "events out of order, or not told as lost"
        self.events.setdefault(EVENTS, []).extend(events)

    def check(self) -> None:
        assert self.lost_position == 0, "a delta did not fit"
        events = self.events.get(EVENTS, [])
        assert len({str(event) for event in events}) == len(events), "an event came twice"

    @property
    def is_current(self) -> bool:
        for name, replica in self.feeds.items():
            feed = self.origin.hub.feeds.get(name)
            if feed is None or (replica.epoch, replica.offset) != (feed.epoch, feed.offset):
                return False
            if isinstance(replica, StateReplica) and replica.values != self.origin.state[name]:
                return False
            assert isinstance(replica, StateReplica | EventReplica)
        return True
