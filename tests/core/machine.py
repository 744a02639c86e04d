"""Random histories of a world: what test_convergence.py runs, and test_mutations.py runs again on a broken core."""

from __future__ import annotations

from typing import Any

from core.replica import Outbox
from core.world import STATE_FEEDS, Client, World
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

FEEDS = st.sampled_from(STATE_FEEDS)
KEYS = st.sampled_from("abcdef")
PADDINGS = st.sampled_from([0, 0, 0, 120, 350, 1_500])
"""Small ones, ones that fill a batch, one larger than may be in flight."""
CLIENTS = st.integers(0, 2)
KINDS = st.sampled_from(["websocket", "poll"])


class Convergence(RuleBasedStateMachine):
    """Publishers, three clients and a network that does its worst."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.clients = [Client(self.world), Client(self.world), Client(self.world, ("env/a",))]

    @initialize(kinds=st.tuples(KINDS, KINDS, KINDS), windows=st.lists(st.tuples(FEEDS, KEYS, PADDINGS), max_size=8))
    def begin(self, kinds: tuple[str, ...], windows: list[tuple[str, str, int]]) -> None:
        for window in windows:
            self.world.set(*window)
        for client, kind in zip(self.clients, kinds, strict=True):
            client.connect(kind)

    # --- publishers ---

    @rule(feed=FEEDS, key=KEYS, padding=PADDINGS)
    def set(self, feed: str, key: str, padding: int) -> None:
        self.world.set(feed, key, padding)

    @rule(feed=FEEDS, key=KEYS, count=st.integers(1, 4), times=st.integers(1, 3))
    def extend(self, feed: str, key: str, count: int, times: int) -> None:
        if key in self.world.state[feed]:
            for _ in range(times):
                self.world.update(feed, key, ["extend", ["x"], [self.world.count() for _ in range(count)]])

    @rule(feed=FEEDS, key=KEYS, drop=st.integers(0, 3))
    def slide(self, feed: str, key: str, drop: int) -> None:
        window = self.world.state[feed].get(key)
        if window is not None:
            drop = min(drop, len(window["x"]))
            self.world.update(feed, key, ["extend", ["x"], [self.world.count()]], ["drop", ["x"], drop])

    @rule(feed=FEEDS, key=KEYS, text=st.text("ab", min_size=1, max_size=3))
    def write(self, feed: str, key: str, text: str) -> None:
        if key in self.world.state[feed]:
            self.world.update(feed, key, ["append", ["text"], text])

    @rule(feed=FEEDS, key=KEYS)
    def delete(self, feed: str, key: str) -> None:
        if key in self.world.state[feed]:
            self.world.delete(feed, key)

    @rule(feed=FEEDS)
    def clear(self, feed: str) -> None:
        """More tombstones than are kept."""
        for key in list(self.world.state[feed]):
            self.world.delete(feed, key)

    @rule()
    def flush(self) -> None:
        self.world.flush()

    @rule(feed=FEEDS, times=st.integers(1, 4))
    def shed(self, feed: str, times: int) -> None:
        found: Any = self.world.hub.feeds.get(feed)
        for _ in range(times if found is not None else 0):
            before = found.retained_bytes
            assert found.shed() == before - found.retained_bytes

    # --- the network ---

    @rule(which=CLIENTS, count=st.integers(1, 4))
    def send(self, which: int, count: int) -> None:
        if not self.clients[which].polls:
            self.clients[which].send(count)

    @rule(which=CLIENTS, count=st.integers(1, 4))
    def receive(self, which: int, count: int) -> None:
        if not self.clients[which].polls:
            self.clients[which].pump()
            self.clients[which].receive(count)

    @rule(which=CLIENTS)
    def exchange(self, which: int) -> None:
        """Everything that is under way arrives."""
        client = self.clients[which]
        if client.polls:
            client.poll()
        else:
            client.send()
            client.pump()
            client.receive()

    @rule(which=CLIENTS, lost=st.booleans(), repeat_batches=st.booleans())
    def poll(self, which: int, lost: bool, repeat_batches: bool) -> None:
        if self.clients[which].polls:
            self.clients[which].poll(lost, repeat_batches)

    @rule(which=CLIENTS, noticed=st.booleans())
    def cut(self, which: int, noticed: bool) -> None:
        if noticed:
            self.clients[which].cut()
        else:
            self.clients[which].drop_link()

    @rule(which=CLIENTS, kind=KINDS)
    def connect(self, which: int, kind: str) -> None:
        self.clients[which].connect(kind)

    @rule(which=CLIENTS)
    def duplicate_tab(self, which: int) -> None:
        """A copy takes over this client's identity: the server ends the older link, whose client starts over."""
        client, other = self.clients[which], self.clients[which - 1]
        if client.conversation is None or client.conversation.link.session is None or client.outbox.session is None:
            return
        other.session, other.secret = client.session, client.secret
        other.outbox = Outbox(client.outbox.session, last_id=client.outbox.last_id)
        other.connect("websocket")
        other.send(1)

    @rule(which=CLIENTS, draws=st.booleans())
    def draw(self, which: int, draws: bool) -> None:
        self.clients[which].draws = draws

    @rule(which=CLIENTS, window=st.integers(0, 4))
    def grant(self, which: int, window: int) -> None:
        self.clients[which].grant(window)

    @rule(which=CLIENTS, feed=FEEDS)
    def subscribe(self, which: int, feed: str) -> None:
        self.clients[which].subscribe(feed)

    @rule(which=CLIENTS, feed=FEEDS)
    def unsubscribe(self, which: int, feed: str) -> None:
        self.clients[which].unsubscribe(feed)

    @rule(which=CLIENTS)
    def command(self, which: int) -> None:
        self.clients[which].command()

    # --- time ---

    @rule(seconds=st.sampled_from([1, 9, 21, 31]))
    def wait(self, seconds: int) -> None:
        self.world.now += seconds
        self.world.tick()

    @rule(keep_state=st.booleans())
    @precondition(lambda self: self.world.counter > 5)
    def restart(self, keep_state: bool) -> None:
        self.world.restart(keep_state)

    # --- what must hold ---

    @rule()
    def settle(self) -> None:
        for client in self.clients:
            client.settle()

    @invariant()
    def bounded(self) -> None:
        self.world.audit()

    def teardown(self) -> None:
        self.world.flush()
        self.settle()
        self.world.audit()
        for client in self.clients:
            client.cut()
        self.world.now += self.world.limits.grace_s + self.world.limits.dead_after_s
        self.world.tick()
        self.world.now += self.world.limits.grace_s
        self.world.tick()
        assert not self.world.hub.sessions, "a session is left"
        assert self.world.hub.feeds.keys() == {"events"}, "a feed is left"
