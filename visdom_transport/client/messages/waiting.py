"""Messages that have no number yet, and may still take in later ones. No threads, no clock."""

from __future__ import annotations

from collections import OrderedDict

from visdom_transport.client.messages.calls import Message, Window
from visdom_transport.client.messages.counters import Counters

_LOST_FIRST = frozenset({"update", "embedding"})
"""Endpoints of what changes a window. Without what makes one, all that comes after it is lost too."""


class Waiting:
    """Messages by the sequence numbers they were put with, the oldest first.

    Args:
        counters: counts the calls that were taken in by others.
    """

    def __init__(self, counters: Counters) -> None:
        self.size_bytes = 0
        self._counters = counters
        self._messages: OrderedDict[int, Message] = OrderedDict()
        self._updates: OrderedDict[int, None] = OrderedDict()
        """Those of them that are lost first, the oldest first."""
        self._recent: dict[Window, list[int]] = {}
        """Waiting messages of each window that later ones may join or replace, the oldest first."""

    def __bool__(self) -> bool:
        return bool(self._messages)

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def messages(self) -> list[Message]:
        """All of them, in order."""
        return list(self._messages.values())

    @property
    def first_sequence(self) -> int | None:
        """The number that the oldest was put with, if there is one."""
        return next(iter(self._messages), None)

    @property
    def first(self) -> Message:
        """The oldest. There must be one."""
        return next(iter(self._messages.values()))

    def growth_bytes(self, message: Message) -> int:
        """By how much a message would add to what is held. It may be less than nothing."""
        recent = self._companions(message)
        tail = self._messages[recent[-1]] if recent else None
        folded = tail.growth_bytes(message) if tail is not None else None
        if folded is not None:
            return folded
        replaced = sum(self._messages[sequence].size_bytes for sequence in recent) if message.replaces else 0
        return message.size_bytes - replaced

    def put(self, message: Message, sequence: int) -> None:
        """Add a message, or have an earlier one take it in."""
        if message.alone or message.window[1] is None:
            self._separate(message.window)
        recent = self._companions(message)
        if not recent:
            self._recent.pop(message.window, None)
        tail = self._messages[recent[-1]] if recent else None
        growth = tail.growth_bytes(message) if tail is not None else None
        if tail is not None and growth is not None:
            tail.fold(message)
            self.size_bytes += growth
            self._counters.coalesced += message.calls
            return
        if message.replaces and recent:
            sequence = self._replace(recent, sequence)
        self._messages[sequence] = message
        if message.endpoint in _LOST_FIRST:
            self._updates[sequence] = None
        self.size_bytes += message.size_bytes
        if not message.alone:
            self._recent.setdefault(message.window, []).append(sequence)

    def take(self) -> tuple[int, Message]:
        """Remove the oldest message, and return it with its number. There must be one."""
        return self._take_out(next(iter(self._messages)))

    def lose(self) -> Message:
        """Remove the oldest update, or else the oldest message, and return it. There must be one."""
        message = self._take_out(next(iter(self._updates or self._messages)))[1]
        self._counters.coalesced -= message.calls - 1
        return message

    # --- inside ---

    def _companions(self, message: Message) -> list[int]:
        """The messages that this one may join or replace."""
        recent = self._recent.get(message.window, [])
        if recent and (message.alone or self._messages[recent[-1]].eid != message.eid):
            return []
        return recent

    def _replace(self, recent: list[int], sequence: int) -> int:
        """Remove the messages that one with this number replaces. Returns the number that it gets."""
        # Where the window would have been made is where it has to be made: its place among the others shows that.
        sequence = next((each for each in recent if self._messages[each].creates), sequence)
        for each in recent:
            self.size_bytes -= self._messages[each].size_bytes
            self._counters.coalesced += 1  # what it had taken in is counted already
            self._updates.pop(each, None)
            if each != sequence:
                del self._messages[each]
        recent.clear()
        return sequence

    def _separate(self, window: Window) -> None:
        """Nothing that comes later joins or replaces what waits for this window, or for all of the environment."""
        if window[1] is not None:
            self._recent.pop(window, None)
        else:
            for each in [each for each in self._recent if each[0] == window[0]]:
                del self._recent[each]

    def _take_out(self, sequence: int) -> tuple[int, Message]:
        message = self._messages.pop(sequence)
        self.size_bytes -= message.size_bytes
        self._updates.pop(sequence, None)
        recent = self._recent.get(message.window)
        if recent is not None and sequence in recent:
            recent.remove(sequence)
            if not recent:
                del self._recent[message.window]
        return sequence, message
