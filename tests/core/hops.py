"""Random histories of an origin, its relays and readers that hop: what test_relays.py runs, and runs again on a broken core."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.machine import KEYS, KINDS, PADDINGS
from tests.core.relays import Hopper, Origin, Relay
from tests.core.world import STATE_FEEDS, Client, World
from visdom_transport.core.keyed_feed import KeyedFeed
from visdom_transport.core.replica import StateReplica

FEEDS = st.sampled_from(STATE_FEEDS[:2])
RELAYS = st.integers(0, 1)
READERS = st.integers(0, 2)
SERVERS = st.integers(0, 2)


class Hops(RuleBasedStateMachine):
    """Publishers at the origin, two relays that are behind and cut what they follow where they like, three readers."""

    follows = (("env/a", "env/b"), ("env/a", "events"), ("env/a",))

    def __init__(self) -> None:
        super().__init__()
        self.origin = Origin()
        self.relays = [Relay(self.origin) for _ in range(2)]
        self.servers: list[World] = [*self.relays, self.origin]
        self.readers = [Hopper(self.origin, self.relays[number % 2], feeds) for number, feeds in enumerate(self.follows)]

    @initialize(links=st.tuples(KINDS, KINDS), kinds=st.tuples(KINDS, KINDS, KINDS), windows=st.lists(st.tuples(KEYS, PADDINGS)))
    def begin(self, links: tuple[str, ...], kinds: tuple[str, ...], windows: list[tuple[str, int]]) -> None:
        for key, padding in windows:
            self.origin.set("env/a", key, padding)
        for relay, kind in zip(self.relays, links, strict=True):
            relay.upstream.connect(kind)
        for reader, kind in zip(self.readers, kinds, strict=True):
            reader.connect(kind)
        self.pass_on()

    # --- publishers ---

    @rule(feed=FEEDS, key=KEYS, padding=PADDINGS)
    def set(self, feed: str, key: str, padding: int) -> None:
        self.origin.set(feed, key, padding)

    @rule(feed=FEEDS, key=KEYS, times=st.integers(1, 4))
    def extend(self, feed: str, key: str, times: int) -> None:
        for _ in range(times if key in self.origin.state[feed] else 0):
            self.origin.update(feed, key, ["extend", ["x"], [self.origin.count()]])

    @rule(feed=FEEDS, times=st.integers(1, 3))
    def extend_in_turns(self, feed: str, times: int) -> None:
        """Changes of one key lie between those of others."""
        for _ in range(times):
            for key in list(self.origin.state[feed]):
                self.origin.update(feed, key, ["extend", ["x"], [self.origin.count()]])

    @rule(feed=FEEDS, padding=st.sampled_from([0, 350]))
    def set_all(self, feed: str, padding: int) -> None:
        for key in "abcd":
            self.origin.set(feed, key, padding)

    @rule(feed=FEEDS, key=KEYS)
    def delete(self, feed: str, key: str) -> None:
        if key in self.origin.state[feed]:
            self.origin.delete(feed, key)

    @rule(feed=FEEDS, count=st.integers(3, 4))
    def clear(self, feed: str, count: int) -> None:
        """More tombstones than are kept."""
        for key in list(self.origin.state[feed])[:count]:
            self.origin.delete(feed, key)

    @rule(padding=st.sampled_from([0, 150]), times=st.integers(1, 4))
    def publish(self, padding: int, times: int) -> None:
        for _ in range(times):
            self.origin.publish(padding)

    # --- relays ---

    @rule(which=RELAYS, rounds=st.integers(1, 4))
    def follow(self, which: int, rounds: int) -> None:
        """What the origin has goes to a relay, and to nobody else."""
        self.origin.flush()
        for _ in range(rounds):
            self.relays[which].upstream.exchange()
        self.relays[which].flush()

    @rule(which=RELAYS, sent=st.integers(0, 3), received=st.integers(0, 2))
    def follow_a_little(self, which: int, sent: int, received: int) -> None:
        upstream = self.relays[which].upstream
        self.origin.flush()
        if not upstream.polls:
            upstream.send(sent)
            upstream.pump()
            upstream.receive(received)
        self.relays[which].flush()

    @rule(which=RELAYS)
    def lose_a_poll(self, which: int) -> None:
        if self.relays[which].upstream.polls:
            self.relays[which].upstream.poll(lost=True)

    @rule(which=RELAYS, window=st.integers(0, 2))
    def grant(self, which: int, window: int) -> None:
        self.relays[which].upstream.grant(window)

    @rule(which=RELAYS, kind=KINDS)
    def reconnect(self, which: int, kind: str) -> None:
        self.relays[which].upstream.connect(kind)

    @rule(which=RELAYS, kind=KINDS)
    def crash(self, which: int, kind: str) -> None:
        self.relays[which].crash(kind)

    @rule(which=RELAYS, feed=FEEDS)
    def shed(self, which: int, feed: str) -> None:
        found = self.relays[which].hub.feeds.get(feed)
        if isinstance(found, KeyedFeed):
            found.shed()

    # --- readers ---

    @rule(which=READERS, server=SERVERS, kind=KINDS, noticed=st.booleans())
    def hop(self, which: int, server: int, kind: str, noticed: bool) -> None:
        self.readers[which].hop(self.servers[server], kind, noticed)

    @rule(which=READERS, server=SERVERS, kind=KINDS, rounds=st.integers(1, 3))
    def hop_and_read(self, which: int, server: int, kind: str, rounds: int) -> None:
        self.readers[which].hop(self.servers[server], kind, noticed=True)
        self.read(which, rounds)

    @rule(which=RELAYS, reader=READERS, key=KEYS, times=st.integers(2, 4), seen=st.integers(1, 3), kind=KINDS)
    def hop_into_a_fold(self, which: int, reader: int, key: str, times: int, seen: int, kind: str) -> None:
        """A reader has seen a part of what a relay is given as one change."""
        client = self.readers[reader]
        self.set("env/a", key, 120)
        client.hop(self.origin, "websocket", noticed=True)
        self.pass_on()
        for number in range(times):
            self.extend("env/a", key, 1)
            if number < seen:
                self.read(reader, 1)
        self.follow(which, 2)
        self.hop_and_read(reader, which, kind, 2)

    @rule(which=READERS, rounds=st.integers(1, 3))
    def read(self, which: int, rounds: int) -> None:
        for _ in range(rounds):
            self.servers[self.servers.index(self.readers[which].world)].flush()
            self.readers[which].exchange()

    @rule(which=READERS, count=st.integers(1, 2))
    def read_a_little(self, which: int, count: int) -> None:
        if not self.readers[which].polls:
            self.readers[which].send()
            self.readers[which].pump()
            self.readers[which].receive(count)

    @rule(which=READERS, lost=st.booleans(), repeat_batches=st.booleans())
    def poll(self, which: int, lost: bool, repeat_batches: bool) -> None:
        if self.readers[which].polls:
            self.readers[which].poll(lost, repeat_batches)

    @rule()
    def pass_on(self) -> None:
        """Everything arrives everywhere."""
        for _ in range(3):
            self.origin.flush()
            for relay in self.relays:
                relay.upstream.exchange()
                relay.flush()
            for reader in self.readers:
                reader.exchange()

    # --- catch-ups in parts ---

    @rule(which=RELAYS, reader=READERS, rounds=st.integers(1, 6), lost=st.booleans(), kind=KINDS, key=KEYS)
    def follow_in_parts(self, which: int, reader: int, rounds: int, lost: bool, kind: str, key: str) -> None:
        """A relay is given in parts what is more than a batch, while it changes, and readers get each part."""
        relay, client = self.relays[which], self.readers[reader]
        client.hop(relay, kind, noticed=True)
        self.pass_on()
        self.set_all("env/a", 350)
        relay.upstream.grant(1)
        for number in range(rounds):
            self.follow(which, 1)
            if client.polls:
                client.poll(lost=lost and number == 1)
            else:
                client.exchange()
            if number == 1:
                self.delete("env/a", key)
            self.extend_in_turns("env/a", 1)

    @rule(which=RELAYS, reader=READERS, rounds=st.integers(1, 6), key=KEYS)
    def begin_in_parts(self, which: int, reader: int, rounds: int, key: str) -> None:
        """A reader that holds nothing is given everything in parts, while it changes, and then goes to the other relay."""
        client = self.readers[reader]
        self.set_all("env/a", 350)
        self.pass_on()
        client.feeds["env/a"] = StateReplica()
        client.window = 1
        client.hop(self.relays[which], "websocket", noticed=True)
        client.exchange()
        self.delete("env/a", key)
        self.follow(which, 1)
        for _ in range(rounds):
            client.exchange()
        client.hop(self.relays[1 - which], "websocket", noticed=True)
        client.exchange()
        self.extend_in_turns("env/a", 1)

    # --- time, and lives ---

    @rule(seconds=st.sampled_from([1, 3, 9, 31]))
    def wait(self, seconds: int) -> None:
        for server in self.servers:
            server.now += seconds
            server.tick()

    @rule(keep_state=st.booleans())
    @precondition(lambda self: self.origin.counter > 5)
    def restart(self, keep_state: bool) -> None:
        self.origin.restart(keep_state)

    # --- what must hold ---

    @invariant()
    def bounded(self) -> None:
        for server in self.servers:
            server.audit()

    @rule()
    def settle(self) -> None:
        clients: list[Client] = [*(relay.upstream for relay in self.relays), *self.readers]
        for client in clients:
            client.draws = True
            if not client.connected:
                client.connect("websocket")
            client.grant(client.world.limits.window_batches)
            if not client.polls:
                client.acknowledge()
        for number in range(200):
            if number == 50:
                # Whoever comes from a life that its relay has not heard of has waited long enough.
                self.wait(3)
            for client in clients:
                if not client.connected:
                    client.connect("websocket")
                client.world.flush()
                client.exchange()
            for server in self.servers:
                server.flush()
            if all(reader.is_current for reader in self.readers):
                break
        else:
            raise AssertionError(f"no end of catching up: {[reader.is_current for reader in self.readers]}")

    def teardown(self) -> None:
        self.settle()
        self.bounded()
