"""How large a publisher's requests are: a server, or a proxy before it, may have a limit that it does not name."""

from __future__ import annotations

from typing import Protocol

from visdom_transport.client.messages.request import Item

TOO_LARGE_TIMES = 3
"""Refusals for its size after which a message is given up, if the server takes an empty request each time."""
LARGER_AFTER_REQUESTS = 50
"""Requests taken before larger ones are tried again: the limit may be gone."""


class Batches(Protocol):
    """What makes requests."""

    batch_bytes: int


class RequestSize:
    """Finds out what the server takes, and has the outbox make requests of that size."""

    def __init__(self, outbox: Batches) -> None:
        self._outbox = outbox
        self._full_bytes = outbox.batch_bytes
        self._taken = 0
        self._too_large: tuple[Item | None, int] = (None, 0)

    def taken(self) -> None:
        """The server has taken a request."""
        self._taken += 1
        if self._taken % LARGER_AFTER_REQUESTS == 0:
            self._outbox.batch_bytes = min(self._full_bytes, 2 * self._outbox.batch_bytes)

    def refused(self, items: list[Item]) -> tuple[Item, int] | None:
        """A request of these was too large. Returns the message that is to be given up for that, if so, and its size."""
        self._taken = 0
        size = sum(item.message.size_bytes for item in items)
        if len(items) > 1:
            self._outbox.batch_bytes = size // 2
            return None
        item, times = self._too_large
        self._too_large = (items[0], times + 1 if item is items[0] else 1)
        return (items[0], size) if self._too_large[1] >= TOO_LARGE_TIMES else None
