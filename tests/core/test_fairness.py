"""Large values do not starve small ones, small ones do not starve large ones, and the replica converges whatever the order."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from visdom_transport.core.conversation import Conversation
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.entries import PIECES
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits
from visdom_transport.core.replica import StateReplica

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

    def __init__(self, kind: str = "websocket") -> None:
        self.values = Values()
        self.version = 0
        self.hub = Hub(LIMITS, lambda name: self.values)
        self.conversation = Conversation(self.hub, kind, 0.0, lambda session, command: None, {})
        self.conversation.receive(encode({"type": "hello", "role": "browser", "feeds": {FEED: None}}), 0.0)
        self.replica = StateReplica()
        self.undrawn: list[dict[str, Any]] = []
        self.drawn = 0
        self.write("huge", *SMALL)
        if kind == "poll":
            self.conversation.link.on_news = lambda: None
            self.replica.subscribed(self.begin())
            while self.replica.values != dict(self.values):
                self.poll()
        else:
            self.settle()

    def reconnect(self, kind: str, *, lost: bool = False) -> None:
        """Go on where the replica stands, over another link. The reply to a poll's hello may be lost."""
        self.conversation = Conversation(self.hub, kind, 0.0, lambda session, command: None, {})
        self.conversation.link.on_news = lambda: None
        position = self.replica.position()
        self.conversation.receive(encode({"type": "hello", "role": "browser", "feeds": {FEED: position}}), 0.0)
        self.drawn = 0
        self.undrawn.clear()
        if kind == "poll":
            verdict = self.begin()
            if not lost:
                self.replica.subscribed(verdict)

    def write(self, *keys: str) -> None:
        for key in keys:
            self.version += 1
            padding = "p" * HUGE_BYTES if key.startswith("huge") else ""
            self.values[key] = {"version": self.version, "padding": padding}
            self.hub.set(FEED, key)

    def begin(self) -> dict[str, Any]:
        """The verdict that the first poll is answered with."""
        _, verdict, *_ = [decode(message) for message in self.conversation.link.control]
        self.conversation.link.control.clear()
        return dict(verdict)

    def receive(self) -> list[set[str]]:
        """The keys of each batch that is sent now."""
        messages = [decode(message) for message in self.conversation.link.take_messages()]
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

    def poll(self, *, lost: bool = False) -> list[bool]:
        """Poll, and return which verdicts came with the reply."""
        self.conversation.present({FEED: self.replica.position()}, 0.0)
        messages = [decode(message) for message in self.conversation.link.take_messages()]
        for message in [] if lost else messages:
            (self.replica.subscribed if message["type"] == "subscribed" else self.replica.apply)(message)
        return [message["recovered"] for message in messages if message["type"] == "subscribed"]

    def settle(self) -> None:
        """Publishing stops: until nothing more is sent. Then the replica must be equal."""
        self.draw()
        while self.receive():
            self.draw()
        assert self.replica.values == dict(self.values)


def test_small_values_do_not_wait_for_a_huge_one_that_always_changes_nor_does_it_starve() -> None:
    scene = Scene()
    versions = set()
    for turn in range(100):
        scene.write("huge", *SMALL)
        batches = scene.receive()
        assert set(SMALL) <= set().union(*batches), f"small ones waited at turn {turn}"
        versions.add(scene.replica.values["huge"]["version"])
        scene.draw()
    # A piece in each batch, and as many in flight as make a batch.
    assert len(versions) >= 100 // (HUGE_BATCHES * PIECES) + 1
    scene.settle()


def first_load(scene: Scene, position: dict[str, Any] | None = None) -> list[str]:
    """The keys in the order in which a page gets them that begins at ``position``."""
    scene.conversation = Conversation(scene.hub, "websocket", 0.0, lambda session, command: None, {})
    scene.conversation.receive(encode({"type": "hello", "role": "browser", "feeds": {FEED: position}}), 0.0)
    scene.drawn = 0
    scene.undrawn.clear()
    if position is None:
        scene.replica = StateReplica()
    order = list(scene.replica.values)
    while scene.receive():
        order += [key for key in scene.replica.values if key not in order]
        scene.draw()
    assert scene.replica.values == dict(scene.values)
    return order


def test_a_first_load_brings_windows_in_the_order_of_their_creation() -> None:
    scene = Scene()
    scene.write("huge too", "small6", "huge at last", "small7")
    assert first_load(scene) == list(scene.values)


def test_a_first_load_that_was_cut_goes_on_in_the_same_order() -> None:
    scene = Scene()
    scene.write("huge too", "small6")
    scene.conversation = Conversation(scene.hub, "websocket", 0.0, lambda session, command: None, {})
    scene.conversation.receive(encode({"type": "hello", "role": "browser", "feeds": {FEED: None}}), 0.0)
    scene.replica = StateReplica()
    scene.drawn = 0
    while "huge" not in scene.replica.values:
        scene.receive()
        scene.draw()
    assert first_load(scene, scene.replica.position()) == list(scene.values)


def test_what_a_first_load_has_brought_changes_while_a_huge_value_is_under_way() -> None:
    scene = Scene()
    scene.write("huge too", "small6")
    scene.conversation = Conversation(scene.hub, "websocket", 0.0, lambda session, command: None, {})
    scene.conversation.receive(encode({"type": "hello", "role": "browser", "feeds": {FEED: None}}), 0.0)
    scene.drawn = 0
    scene.replica = StateReplica()
    while "huge too" not in scene.replica.values:
        batches = scene.receive()
        assert batches
        assert "small6" not in scene.replica.values or "huge too" in scene.replica.values
        if "small0" in scene.replica.values:
            assert any("small0" in batch for batch in batches), "it is sent as it changes"
        scene.draw()
        scene.write("small0")
    scene.settle()


def test_pieces_in_flight_are_bounded() -> None:
    scene = Scene()
    scene.write("huge")
    assert scene.receive() == [{"huge"}] * PIECES
    assert scene.receive() == [], "not before they are acknowledged"
    scene.write("small0")
    assert scene.receive() == [{"small0"}]
    scene.settle()


def test_a_huge_value_that_is_small_by_now_goes_whole() -> None:
    scene = Scene()
    scene.write("huge")
    scene.values["huge"] = {"version": 0}
    scene.hub.set(FEED, "huge")
    assert scene.receive() == [{"huge"}]
    assert scene.replica.values["huge"] == {"version": 0}
    scene.settle()


def test_a_huge_value_that_is_deleted_under_way() -> None:
    scene = Scene()
    scene.write("huge", "small0")
    scene.receive()
    del scene.values["huge"]
    scene.hub.delete(FEED, "huge")
    scene.settle()


def test_two_huge_values_that_always_change_do_not_keep_a_catch_up_from_its_end() -> None:
    scene = Scene()
    ends = 0
    for _ in range(400):
        scene.write("huge", "huge too", "small0")
        scene.receive()
        ends += any(batch["complete"] for batch in scene.undrawn)
        scene.draw()
    assert ends >= 3
    scene.settle()


def test_a_poll_goes_on_with_pieces_where_the_last_one_ended() -> None:
    scene = Scene("poll")
    scene.write("huge", *SMALL)
    polls = 0
    while scene.replica.values.get("huge") != scene.values["huge"]:
        assert scene.poll() == [], "no verdict: it goes on"
        polls += 1
        scene.write(*SMALL)
    assert polls == HUGE_BATCHES + 1, "its text is a little longer"


def test_a_poll_whose_reply_was_lost_gets_everything_again() -> None:
    scene = Scene("poll")
    scene.write("huge", *SMALL)
    scene.poll()
    scene.poll(lost=True)
    assert scene.poll() == [True], "the verdict on a position that was not expected"
    while scene.replica.values != dict(scene.values):
        scene.poll()


def test_a_poll_that_begins_again_in_the_middle_of_a_value_gets_on() -> None:
    """It has as much of the catch-up after the first reply as it had before the verdict."""
    scene = Scene("poll")
    scene.write("huge")
    scene.poll()
    assert (scene.replica.position() or {})["part"] == PIECES
    scene.reconnect("poll")
    for _ in range(HUGE_BATCHES + 3):
        scene.poll()
    assert scene.replica.values == dict(scene.values)


def test_a_poll_that_has_not_heard_the_verdict_loses_nothing() -> None:
    """As many entries as it had before could have gone with the verdict, and been lost with it."""
    scene = Scene("poll")
    scene.write("huge")
    scene.poll()
    scene.reconnect("poll", lost=True)
    assert scene.poll() == [True], "the verdict again"
    for _ in range(HUGE_BATCHES + 3):
        scene.poll()
    assert scene.replica.values == dict(scene.values)


def test_a_page_that_is_cut_while_something_is_left_resumes_there() -> None:
    scene = Scene()
    scene.write("huge", *SMALL)
    for _ in range(3):
        scene.receive()
        scene.draw()
        scene.write("huge", *SMALL)
    scene.receive()
    scene.reconnect("websocket")
    scene.settle()


def test_the_answer_to_a_ping_goes_ahead_of_data_and_tells_what_is_still_to_come() -> None:
    scene = Scene()
    scene.conversation.receive(encode({"type": "credit", "window": 0}), 0.0)
    scene.write(*SMALL)
    scene.conversation.receive(encode({"type": "ping"}), 0.0)
    assert [decode(message) for message in scene.conversation.link.take_messages()] == [{"type": "pong", "behind": len(SMALL)}]
    scene.conversation.receive(encode({"type": "credit", "window": 4}), 0.0)
    scene.conversation.receive(encode({"type": "ping"}), 0.0)
    first, *_ = [decode(message)["type"] for message in scene.conversation.link.take_messages()]
    assert first == "pong"
