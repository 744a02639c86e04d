"""What a publisher sends at once, and what the server says to it (docs/protocol.md, section 9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from visdom_transport.client.messages.calls import Message


@dataclass(slots=True)
class Item:
    """A numbered message."""

    message: Message
    sequence: int
    tries: int = 0
    given_up: bool = False
    """Whether nothing is sent in its place."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to send now."""

    publisher_id: str
    first: int
    items: list[Item]

    def encoded(self) -> bytes:
        """The body for ``/transport/publish``."""
        messages = (item.message for item in self.items)
        parts = (b'{"endpoint":"%b","body":%b}' % (message.endpoint.encode(), message.body()) for message in messages)
        return b'{"producer":"%b","first":%d,"messages":[%b]}' % (self.publisher_id.encode(), self.first, b",".join(parts))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a reply says."""

    known: bool
    """False: the server has lost what this publisher sent. Continue with `Outbox.begin_again`."""
    refused: list[tuple[Item, dict[str, Any]]] = field(default_factory=list)
    confirmed: list[Item] = field(default_factory=list)
    """What is not kept any more."""
