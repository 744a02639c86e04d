"""Where an outbox begins: it takes what calls leave behind, as far as there is room. No threads, no clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias

from visdom_transport.client.messages.calls import Message
from visdom_transport.client.messages.counters import Counters
from visdom_transport.client.messages.waiting import Waiting

OnFull: TypeAlias = Literal["drop_if_away", "drop", "wait", "spill"]
"""What happens to a message for which there is no room.

`wait`: it is not taken, and nothing is lost. `drop`: the oldest messages are lost, and counted. `drop_if_away`: as `drop` while
the server cannot be reached, otherwise as `wait`. `spill`: it goes to a file, and when that cannot be written, as `wait`.
"""


class Intake(ABC):
    """The part of an outbox that takes messages and holds them until they are given numbers.

    Args:
        max_bytes: how much may be held in memory; one larger message may be alone.
        on_full: what `offer` does then.
        batch_bytes: about how much is sent at once; at least one message is.
    """

    def __init__(self, max_bytes: int, on_full: OnFull, batch_bytes: int) -> None:
        self.counters = Counters()
        self.lost = 0
        """Calls that there was no room for, since somebody set this to 0."""
        self.batch_bytes = batch_bytes
        self._max_bytes = max_bytes
        self._on_full = on_full
        self._sequence = 0
        self._waiting = Waiting(self.counters)

    def offer(self, message: Message, *, window_exists: bool = True, is_away: bool = False, keeps: bool = True) -> bool:
        """Take a message. Returns False if there is no room and nothing may be lost.

        Args:
            message: changed by nobody from now on.
            window_exists: whether its window surely exists when the message arrives.
            is_away: whether the server cannot be reached.
            keeps: whether what the server has applied is kept until it is durable, even if that leaves no room.

        Raises:
            OSError: there is no room, and the file cannot be written.
        """
        # What makes a window is another thing to the server than what changes it.
        message.alone |= message.creates and not message.replaces and not window_exists
        if not self._put_elsewhere(message):
            may_lose = self._on_full == "drop" or (is_away and self._on_full == "drop_if_away")
            while not self._has_room(message):
                if not self._make_room(may_lose=may_lose, is_away=is_away, keeps=keeps):
                    return False
            self._waiting.put(message, self._sequence + 1)
        self._sequence += 1
        self.counters.calls += message.calls
        return True

    @property
    def mark(self) -> int:
        """Stands for everything offered so far, for `settled`."""
        return self._sequence

    def lose(self, calls: int) -> None:
        """So many calls will not arrive."""
        self.counters.dropped += calls
        self.lost += calls

    # --- what is behind it ---

    @property
    @abstractmethod
    def _bytes(self) -> int:
        """What is held in memory."""

    @abstractmethod
    def _make_room(self, *, may_lose: bool, is_away: bool, keeps: bool) -> bool:
        """Hold something less. Returns False if there is nothing that may go."""

    def _put_elsewhere(self, message: Message) -> bool:
        """Whether the message, which gets the next number, is held by something else than memory."""
        return False

    def _has_room(self, message: Message) -> bool:
        held_bytes = self._bytes
        # Nothing grows by more than the message: only where room is short does it matter what takes it in.
        if held_bytes == 0 or held_bytes + message.size_bytes <= self._max_bytes:
            return True
        growth = self._waiting.growth_bytes(message)
        return growth <= 0 or held_bytes + growth <= self._max_bytes
