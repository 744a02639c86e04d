"""What is in one frame of a log: numbered messages, as they are sent, and what else was asked for before them. No I/O.

A frame holds lines of JSON: its head, and one for each message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from visdom_transport.core.encoding import decode, encode
from visdom_transport.writing.framing import frame

_START: Final = b'{"endpoint":"'
_MIDDLE: Final = b'","body":'
_END: Final = b"}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages with numbers that follow each other.

    Attributes:
        first: the number of the first message, or of the next one if there is none in here.
        messages: endpoints and bodies.
        confirmed: the number up to which the server had everything for good when this was written.
        calls: how many calls are in the messages.
        time_s: when it was written, by the clock of that machine.
        environments: those to be made before the messages are sent.
        saves: those to be saved when the messages have arrived.
    """

    first: int
    messages: Sequence[tuple[str, bytes]] = ()
    confirmed: int = 0
    calls: int = 0
    time_s: float = 0.0
    environments: Sequence[str] = field(default=())
    saves: Sequence[str] = field(default=())

    @property
    def last(self) -> int:
        """The number of the last message."""
        return self.first + len(self.messages) - 1

    def encoded(self) -> bytes:
        """The frame."""
        head: dict[str, Any] = {
            "first": self.first,
            "count": len(self.messages),
            "confirmed": self.confirmed,
            "calls": self.calls,
            "time": self.time_s,
        }
        head |= {name: list(each) for name, each in (("make", self.environments), ("save", self.saves)) if each}
        pieces = [encode(head)]
        for endpoint, body in self.messages:
            pieces += (b"\n", _START, endpoint.encode(), _MIDDLE, body, _END)
        return frame(pieces)


def decode_batch(content: bytes) -> Batch:
    """The batch in a frame.

    Raises:
        ValueError: it holds something else.
    """
    head, *lines = content.split(b"\n")
    values = decode(head)
    try:
        batch = Batch(
            values["first"],
            [_message(line) for line in lines],
            values["confirmed"],
            values["calls"],
            values["time"],
            tuple(values.get("make", ())),
            tuple(values.get("save", ())),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a batch: {error!r}") from None
    if len(lines) != values["count"]:
        raise ValueError("not a batch: it holds another number of messages")
    return batch


def _message(line: bytes) -> tuple[str, bytes]:
    middle = line.find(_MIDDLE)
    if not line.startswith(_START) or middle < 0 or not line.endswith(_END):
        raise ValueError("not a message")
    return line[len(_START) : middle].decode(), line[middle + len(_MIDDLE) : -len(_END)]
