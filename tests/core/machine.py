"""Random histories of a world: what test_convergence.py runs, and test_mutations.py runs again on a broken core."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.world import STATE_FEEDS, Client, World
from tests.support.outbox import Outbox

FEEDS = st.sampled_from(STATE_FEEDS)
KEYS = st.sampled_from("abcd")
PADDINGS = st.sampled_from([0, 0, 120, 120, 350, 1_500])
"""Small ones, ones that fill a batch, one larger than may be in flight."""
CLIENTS = st.integers(0, 2)
PLACES = st.integers(0, 11)
KINDS = st.sampled_from(["websocket", "poll"])

THOROUGH = settings(
    max_examples=200,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class Network(RuleBasedStateMachine):
    """Three clients of one server and a network that does its worst. Who publishes what is for the subclass to say."""

    follows: tuple[tuple[str, ...], ...]
    """The feeds of each client."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.clients = [Client(self.world, feeds) for feeds in self.follows]

    @initialize(kinds=st.tuples(KINDS, KINDS, KINDS))
    def begin(self, kinds: tuple[str, ...]) -> None:
        for client, kind in zip(self.clients, kinds, strict=True):
            client.connect(kind)

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

    @rule(which=CLIENTS, rounds=st.integers(1, 4), repeat_batches=st.booleans())
    def exchange(self, which: int, rounds: int, repeat_batches: bool) -> None:
        """Everything that is under way arrives, and the answers to it."""
        for _ in range(rounds):
            self.clients[which].exchange(repeat_batches)

    @rule()
    def exchange_all(self) -> None:
        for client in self.clients:
            for _ in range(4):
                client.exchange()

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
        if client.conversation is None or client.conversation.session is None or client.outbox.session is None:
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

    @rule(which=CLIENTS)
    def command(self, which: int) -> None:
        self.clients[which].command()

    @rule(which=CLIENTS)
    def lose_a_reply(self, which: int) -> None:
        client = self.clients[which]
        client.command()
        client.send()
        client.connect("websocket")

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


class Convergence(Network):
    """State feeds."""

    follows = (STATE_FEEDS, STATE_FEEDS, ("env/a",))

    @initialize(windows=st.lists(st.tuples(FEEDS, KEYS, PADDINGS), max_size=8))
    def begin_with(self, windows: list[tuple[str, str, int]]) -> None:
        for window in windows:
            self.world.set(*window)

    # --- publishers ---

    @rule(feed=FEEDS, key=KEYS, padding=PADDINGS)
    def set(self, feed: str, key: str, padding: int) -> None:
        self.world.set(feed, key, padding)

    @rule(where=PLACES, count=st.integers(1, 4), times=st.integers(1, 4))
    def extend(self, where: int, count: int, times: int) -> None:
        for feed, key in self.windows(where):
            for _ in range(times):
                self.world.update(feed, key, ["extend", ["x"], [self.world.count() for _ in range(count)]])

    @rule(where=PLACES, drop=st.integers(0, 3), times=st.integers(1, 4))
    def slide(self, where: int, drop: int, times: int) -> None:
        for feed, key in self.windows(where) * times:
            held = len(self.world.state[feed][key]["x"])
            self.world.update(feed, key, ["extend", ["x"], [self.world.count()]], ["drop", ["x"], min(drop, held)])

    @rule(feed=FEEDS, times=st.integers(1, 6))
    def wear_out(self, feed: str, times: int) -> None:
        """More deltas than are worth keeping, after clients were current."""
        self.world.set(feed, "a", 120)
        self.world.update(feed, "a", ["extend", ["x"], [self.world.count() for _ in range(9)]])
        self.exchange_all()
        for _ in range(times):
            self.world.update(feed, "a", ["extend", ["x"], [self.world.count()]], ["drop", ["x"], 1])

    @rule(where=PLACES, text=st.text("ab", min_size=1, max_size=3))
    def write(self, where: int, text: str) -> None:
        for feed, key in self.windows(where):
            self.world.update(feed, key, ["append", ["text"], text])

    @rule(where=PLACES)
    def update_all(self, where: int) -> None:
        for feed, _ in self.windows(where):
            self.extend_all(feed)

    def extend_all(self, feed: str) -> None:
        """One new point for every window of a feed."""
        for key in self.world.state[feed]:
            self.world.update(feed, key, ["extend", ["x"], [self.world.count()]])

    @rule(feed=FEEDS, padding=st.sampled_from([0, 350]))
    def set_all(self, feed: str, padding: int) -> None:
        """More than one batch can carry."""
        for key in "abcd":
            self.world.set(feed, key, padding)

    @rule(which=CLIENTS, feed=FEEDS, lost=st.booleans(), rounds=st.integers(1, 8), cut_in=st.integers(1, 8), kind=KINDS)
    def catch_up_under_fire(self, which: int, feed: str, lost: bool, rounds: int, cut_in: int, kind: str) -> None:
        """A catch-up in parts, while every window goes on changing; the link may be lost on the way."""
        self.exchange_all()
        self.set_all(feed, 350)
        client = self.clients[which]
        client.grant(1)
        if lost and client.polls:
            client.poll(lost=True)
        for number in range(1, rounds + 1):
            client.exchange()
            if number == cut_in:
                client.connect(kind)
            self.extend_all(feed)

    @rule(which=CLIENTS, feed=FEEDS, paddings=st.lists(PADDINGS, min_size=2, max_size=4))
    def fall_behind(self, which: int, feed: str, paddings: list[int]) -> None:
        """What is sent stays unacknowledged, and more is to be sent."""
        client = self.clients[which]
        client.grant(4)
        client.draws = False
        for key, padding in zip("abcd", paddings, strict=False):
            self.world.set(feed, key, padding)
            client.exchange()

    @rule(where=PLACES)
    def delete(self, where: int) -> None:
        for feed, key in self.windows(where):
            self.world.delete(feed, key)

    @rule(where=PLACES, padding=PADDINGS)
    def make_again(self, where: int, padding: int) -> None:
        for feed, key in self.windows(where):
            self.world.delete(feed, key)
            self.world.set(feed, key, padding)

    def windows(self, where: int) -> list[tuple[str, str]]:
        """One of the windows that exist, if any."""
        found = [(feed, key) for feed, windows in self.world.state.items() for key in windows]
        return [found[where % len(found)]] if found else []

    @rule(feed=FEEDS, count=st.integers(3, 4))
    def clear(self, feed: str, count: int) -> None:
        """More tombstones than are kept."""
        for key in list(self.world.state[feed])[:count]:
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

    @rule(which=CLIENTS, feed=FEEDS)
    def subscribe(self, which: int, feed: str) -> None:
        self.clients[which].subscribe(feed)

    @rule(which=CLIENTS, feed=FEEDS)
    def unsubscribe(self, which: int, feed: str) -> None:
        self.clients[which].unsubscribe(feed)


class EventOrder(Network):
    """An event feed, beside a state feed that takes turns with it."""

    follows = (("events",), ("events",), ("events", "env/a"))

    @rule(padding=st.sampled_from([0, 0, 50, 150, 500, 1_500]), times=st.integers(1, 4))
    def publish(self, padding: int, times: int) -> None:
        for _ in range(times):
            self.world.publish(padding)

    @rule(padding=st.sampled_from([0, 50, 150, 500, 1_500]))
    def redraw(self, padding: int) -> None:
        self.world.redraw(padding)

    @rule(times=st.integers(1, 4))
    def publish_about_pane(self, times: int) -> None:
        for _ in range(times):
            self.world.publish_about_pane()

    @rule(key=KEYS, padding=PADDINGS)
    def set(self, key: str, padding: int) -> None:
        self.world.set("env/a", key, padding)

    @rule()
    def flush(self) -> None:
        self.world.flush()

    @rule(which=CLIENTS)
    def resubscribe(self, which: int) -> None:
        self.clients[which].subscribe("events")

    @rule(which=CLIENTS)
    def begin_anew(self, which: int) -> None:
        self.clients[which].unsubscribe("events")
        self.clients[which].subscribe("events")
