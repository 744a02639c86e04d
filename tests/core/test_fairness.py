"""Large values do not starve small ones, small ones do not starve large ones, and the replica converges whatever the order."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import Any

from core.replica import StateReplica

from visdom_transport.core.conversation import Conversation
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits
from visdom_transport.core.link import OVERSIZE_TURNS_PER_BATCH

FEED = "env/main"
LIMITS = Limits(batch_bytes=1_000, in_flight_bytes=4_000)
HUGE_BATCHES = 10
HUGE_BYTES = HUGE_BATCHES * LIMITS.batch_bytes
SMALL = [f"small{number}" for number in range(5)]


class Values(dict[str, Any]):
    """A source of a feed."""

    def keys(self) -> Collection[str]:  # type: ignore[override]
        return list(self)

    def value(self, key: str) -> Any:
        return self[key]

    def content_id(self, key: str) -> None:
        return None

    def header(self) -> None:
        return None


class Scene:
    """One page that draws whatever it is sent, in an environment with one huge window among small ones."""

    def __init__(self) -> None:
        self.values = Values()
        self.version = 0
        self.hub = Hub(LIMITS, lambda name: self.values)
        self.conversation = Conversation(self.hub, "websocket", 0.0, lambda session, command: None, {})
        self.conversation.receive(encode({"type": "hello", "role": "browser", "feeds": {FEED: None}}), 0.0)
        self.replica = StateReplica()
        self.undrawn: list[dict[str, Any]] = []
        self.drawn = 0
        self.write("huge", *SMALL)
        self.settle()

    def write(self, *keys: str) -> None:
        for key in keys:
            self.version += 1
            padding = "p" * HUGE_BYTES if key == "huge" else ""
            self.values[key] = {"version": self.version, "padding": padding}
            self.hub.set(FEED, key)

    def receive(self) -> list[set[str]]:
        """The keys of each batch that is sent now."""
        messages = [decode(message) for message in self.conversation.link.outbox()]
        for message in messages:
            if message["type"] == "subscribed":
                self.replica.subscribed(message)
        batches = [message for message in messages if message["type"] == "batch"]
        self.undrawn += batches
        for batch in batches:
            self.replica.apply(batch)
        return [{entry["key"] for entry in batch["entries"]} for batch in batches]

    def draw(self) -> None:
        """Everything received is drawn and acknowledged."""
        self.drawn += len(self.undrawn)
        self.undrawn.clear()
        self.conversation.receive(encode({"type": "ack", "batches": self.drawn}), 0.0)

    def settle(self) -> None:
        """Publishing stops: until nothing more is sent. Then the replica must be equal."""
        while self.receive():
            self.draw()
        assert self.replica.values == dict(self.values)


def test_a_huge_value_that_always_changes_gives_way_to_as_many_batches_as_it_is_large() -> None:
    scene = Scene()
    turns: list[list[set[str]]] = []
    for _ in range(100):
        scene.write("huge", *SMALL)
        turns.append(scene.receive())
        scene.draw()
    sent = [turn for turn, batches in enumerate(turns) if {"huge"} in batches]
    assert len(sent) >= 3, "it is not starved either"
    gaps = [after - before for before, after in pairwise(sent)]
    assert min(gaps) >= OVERSIZE_TURNS_PER_BATCH * HUGE_BATCHES
    assert all(batch == {"huge"} or "huge" not in batch for batches in turns for batch in batches), "it goes alone"
    waits = [turn for turn, batches in enumerate(turns) if not any(set(SMALL) <= batch for batch in batches)]
    assert len(waits) <= 2 * len(sent), f"small ones wait only for the huge one itself: {waits}"
    scene.settle()


def test_alone_it_goes_as_often_as_it_is_drawn() -> None:
    scene = Scene()
    for _ in range(5):
        scene.write("huge")
        assert scene.receive() == [{"huge"}]
        scene.draw()
    scene.settle()


def test_what_is_left_for_later_goes_when_nothing_else_is_to_be_sent() -> None:
    scene = Scene()
    scene.write("huge", "small0")
    while scene.receive() != [{"huge"}]:
        scene.draw()
    scene.draw()
    scene.write("huge", "small0")
    assert scene.receive() == [{"small0"}]
    scene.draw()
    assert scene.receive() == [{"huge"}]
    scene.draw()
    scene.settle()


def test_a_page_that_is_cut_while_something_is_left_resumes_there() -> None:
    scene = Scene()
    scene.write("huge", *SMALL)
    for _ in range(3):
        scene.receive()
        scene.draw()
        scene.write("huge", *SMALL)
    scene.receive()
    position = scene.replica.position()
    scene.conversation = Conversation(scene.hub, "websocket", 0.0, lambda session, command: None, {})
    scene.conversation.receive(encode({"type": "hello", "role": "browser", "feeds": {FEED: position}}), 0.0)
    scene.drawn = 0
    scene.undrawn.clear()
    scene.settle()


def test_the_answer_to_a_ping_goes_ahead_of_data_and_tells_what_is_still_to_come() -> None:
    scene = Scene()
    scene.conversation.receive(encode({"type": "credit", "window": 0}), 0.0)
    scene.write(*SMALL)
    scene.conversation.receive(encode({"type": "ping"}), 0.0)
    assert [decode(message) for message in scene.conversation.link.outbox()] == [{"type": "pong", "behind": len(SMALL)}]
    scene.conversation.receive(encode({"type": "credit", "window": 4}), 0.0)
    scene.conversation.receive(encode({"type": "ping"}), 0.0)
    first, *_ = [decode(message)["type"] for message in scene.conversation.link.outbox()]
    assert first == "pong"
