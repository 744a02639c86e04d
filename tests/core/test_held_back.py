"""An acknowledgement asks for more only if something waits for it: otherwise changes are flushed for everybody at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from visdom_transport.core.conversation import Conversation
from visdom_transport.core.encoding import encode
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits

LIMITS = Limits(window_batches=2, batch_bytes=1_000, in_flight_bytes=2_000)


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


class Reader:
    """A conversation that counts how often it was told of news."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.hub = Hub(LIMITS, lambda name: values)
        self.conversation = Conversation(self.hub, "websocket", 0.0, lambda session, command: None, {})
        self.say({"type": "hello", "role": "browser", "feeds": {"env/main": None}})
        self.news = 0
        self.batches = 0
        self.conversation.link.on_news = self._logged

    def _logged(self) -> None:
        self.news += 1

    def say(self, message: dict[str, Any]) -> None:
        self.conversation.receive(encode(message), 0.0)

    def take(self) -> int:
        """Take the outbox; returns the number of batches in it."""
        taken = sum(message.startswith(b'{"type":"batch"') for message in self.conversation.link.take_messages())
        self.batches += taken
        return taken

    def acknowledge(self) -> int:
        """Acknowledge everything; returns how often the link was told of news for it."""
        before = self.news
        self.say({"type": "ack", "batches": self.batches})
        return self.news - before

    def set(self, key: str, value: Any) -> None:
        self.values[key] = value
        self.hub.set("env/main", key)


def test_an_acknowledgement_of_all_there_is_asks_for_nothing() -> None:
    reader = Reader(Values(a="short"))
    assert reader.take() == 1
    reader.set("a", "changed")
    assert reader.acknowledge() == 0, "the flush after the change brings it"
    assert reader.take() == 1


def test_an_acknowledgement_makes_room_for_what_had_no_credit() -> None:
    reader = Reader(Values((f"w{number}", "x" * 900) for number in range(5)))
    assert reader.take() == 2
    assert reader.acknowledge() == 1
    assert reader.take() == 2
    assert reader.acknowledge() == 1
    assert reader.take() == 1
    assert reader.acknowledge() == 0


def test_an_acknowledgement_makes_room_for_a_large_value() -> None:
    reader = Reader(Values(a="x" * 950))
    assert reader.take() == 1
    reader.set("a", "y" * 950)
    reader.set("b", "y" * 200)
    assert reader.take() == 1
    reader.set("b", "z" * 950)
    assert reader.take() == 0, "with the others it would exceed the in-flight bound"
    assert reader.acknowledge() == 1
    assert reader.take() == 1


def test_credit_that_was_withdrawn_holds_back() -> None:
    reader = Reader(Values(a="short"))
    reader.take()
    reader.say({"type": "credit", "window": 0})
    reader.set("a", "changed")
    assert reader.take() == 0
    assert reader.acknowledge() == 1
    assert reader.take() == 0
    reader.say({"type": "credit", "window": 2})
    assert reader.take() == 1
