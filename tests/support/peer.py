"""The client's half of docs/protocol.md without I/O: who a client is, what it holds, what it has asked for, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.outbox import Outbox
from visdom_transport.core.replica import EventReplica, StateReplica

Message = dict[str, Any]

WELCOME = {
    "type": "welcome",
    "session": "s",
    "secret": "x",
    "link": "l",
    "heartbeat_s": 8.0,
    "dead_after_s": 20.0,
    "poll_wait_s": 10.0,
}
"""What a server says first, as far as a client acts on it."""

EVENT_FEEDS = ("events", "notifications")


class Peer:
    """One client, over whichever links: it outlives them."""

    def __init__(self, *feeds: str, role: str = "browser") -> None:
        self.role = role
        self.session: str | None = None
        self.secret: str | None = None
        self.feeds: dict[str, StateReplica | EventReplica] = {}
        self.outbox = Outbox()
        self.events: dict[str, list[Any]] = {}
        """What was read of each feed of events."""
        self.missed = 0
        """How many events it was told that it missed."""
        self.follow(*feeds)

    def follow(self, *names: str) -> None:
        for name in names:
            self.feeds.setdefault(name, EventReplica() if name in EVENT_FEEDS else StateReplica())

    def positions(self) -> dict[str, Any]:
        """What it presents of each feed."""
        return {name: replica.position() for name, replica in self.feeds.items()}

    def hello(self, **members: Any) -> Message:
        """The first message on a link. `members` are added, or stand for its own."""
        identity = {"session": self.session, "secret": self.secret}
        return {"type": "hello", "role": self.role, **identity, "feeds": self.positions(), **members}

    def welcomed(self, message: Mapping[str, Any]) -> list[Message]:
        """Take an identity. Returns the commands to send again."""
        self.session, self.secret = message["session"], message["secret"]
        return self.outbox.welcomed(message["session"])

    def be_nobody(self) -> None:
        """The session is over, or another's."""
        self.session = self.secret = None

    def subscribed(self, message: Mapping[str, Any]) -> None:
        self.feeds[message["feed"]].subscribed(message)

    def apply(self, batch: Mapping[str, Any]) -> None:
        """Take a batch. Raises `GapError` if it does not fit."""
        replica = self.feeds[batch["feed"]]
        if isinstance(replica, EventReplica):
            before = replica.offset
            missed, events = replica.apply(batch)
            self.read(batch, before, missed, events)
        else:
            self.changed(batch, replica.apply(batch))

    def changed(self, batch: Mapping[str, Any], keys: set[str]) -> None:
        """Keys of a state have changed or are gone."""

    def read(self, batch: Mapping[str, Any], before: int, missed: int, events: list[Any]) -> None:
        """Events have come, from the position `before` on."""
        self.missed += missed
        self.events.setdefault(batch["feed"], []).extend(events)

    def take(self, message: Mapping[str, Any]) -> None:
        """Act on what is about a feed that it follows."""
        if message.get("feed") in self.feeds:
            if message["type"] == "subscribed":
                self.subscribed(message)
            elif message["type"] == "batch":
                self.apply(message)

    def state(self, name: str) -> dict[str, Any]:
        replica = self.feeds[name]
        assert isinstance(replica, StateReplica)
        return replica.values
