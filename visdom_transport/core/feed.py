"""What state feeds and event feeds share: verdicts, batches, and what a link allows the next batch to be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from visdom_transport.core.encoding import encode
from visdom_transport.core.packing import Fragment, Message, Outgoing, is_worth_it

NOTHING = -1
"""The offset of a reader that holds nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a subscription: where the reader starts and whether its gap can be filled completely."""

    epoch: str
    offset: int
    recovered: bool
    reason: str
    header: Any = None


@dataclass(slots=True)
class Allowance:
    """What the next batch may be."""

    budget_bytes: int
    """A batch is cut at about this size; a single larger entry goes alone."""
    room_bytes: int | None = None
    """No larger entry is begun. None: nothing is in flight, so any size may go."""
    pieces: bool = True
    """Whether a piece of a large value may go."""
    values_only: bool = False
    """The reader understands neither deltas nor pieces."""

    def has_room(self, size_bytes: int) -> bool:
        return self.room_bytes is None or size_bytes <= self.room_bytes


class Batch:
    """What moves a reader of one feed from offset ``start`` to ``end``, or a part of it unless ``complete``."""

    __slots__ = ("complete", "end", "epoch", "feed", "since", "start")

    conflated = 0
    """Changes of the range that were not sent one by one; counted when the range is complete."""
    missed = 0
    """Events of the range that are lost."""
    piece_bytes = 0
    """How much of the batch is a piece of a large value."""

    def __init__(self, feed: str, epoch: str, start: int, end: int, complete: bool) -> None:
        self.feed = feed
        self.epoch = epoch
        self.start = start
        self.end = end
        self.complete = complete
        self.since = math.inf
        """When the oldest change in it happened, as far as is known."""

    @property
    def data(self) -> bytes:
        """The batch as one message of docs/protocol.md, section 4."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """Bytes of that message."""
        return len(self.data)

    @property
    def message(self) -> Outgoing:
        """The same for a link that compresses, if it is worth it."""
        data = self.data
        return Message([Fragment(data)]) if is_worth_it(len(data)) else data

    def _head(self, members: dict[str, Any]) -> bytes:
        """The beginning of the message, with ``members`` in it. What follows is encoded already."""
        head = {
            "type": "batch",
            "feed": self.feed,
            "epoch": self.epoch,
            "from": self.start,
            "to": self.end,
            "complete": self.complete,
            **members,
        }
        return b"%b," % encode(head)[:-1]
