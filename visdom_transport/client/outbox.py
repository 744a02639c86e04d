"""The messages of one publisher on their way: waiting, numbered, confirmed. No threads, no sockets, no clock.

A message waits, and may take in later ones, until it is given a number; then it stays what it is until the server has it for
good. `docs/protocol.md`, section 9, is the authority for numbers and replies.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeAlias

from visdom_transport.client.calls import Message, Window, capture
from visdom_transport.client.spill import Spill
from visdom_transport.core.encoding import decode

WhenFull: TypeAlias = Literal["block", "drop", "spill"]

REFILL_BYTES = 256_000


@dataclass(slots=True)
class Counters:
    """What became of the calls so far. All but the last three only grow."""

    calls: int = 0
    """Calls that only publish."""
    sent: int = 0
    """Messages that the server has applied or refused; again, if it had lost them."""
    coalesced: int = 0
    """Calls that were sent as part of another one, or not at all because a later one replaced what they showed."""
    dropped: int = 0
    """Calls that were lost, because there was no room or the process ended."""
    resent: int = 0
    """Times that a message was sent again."""
    refused: int = 0
    """Messages that the server did not take."""
    queued_bytes: int = 0
    """What is held in memory."""
    spilled_bytes: int = 0
    """What is held in the file."""
    unconfirmed: int = 0
    """Messages that are sent but not yet kept by the server."""


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


def new_publisher_id() -> str:
    return uuid.uuid4().hex


class Outbox:
    """Messages in order, each sent until the server confirms it.

    Every method but `Request.encoded` is quick, and none may run at the same time as another one.

    Args:
        max_bytes: how much may be held in memory; one larger message may be alone.
        when_full: ``block``: `offer` says no. ``drop``: the oldest messages are lost, updates first. ``spill``: to ``spill``.
        batch_bytes: about how much is sent at once; at least one message is.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 64_000_000,
        when_full: WhenFull = "block",
        batch_bytes: int = 500_000,
        spill: Spill | None = None,
        name: Callable[[], str] = new_publisher_id,
    ) -> None:
        self.counters = Counters()
        self.batch_bytes = batch_bytes
        self._max_bytes = max_bytes
        self._when_full = when_full
        self._spill = spill if when_full == "spill" and spill is not None else None
        self._name = name
        self._bytes = 0
        self._sequence = 0
        self._waiting: OrderedDict[int, Message] = OrderedDict()
        self._recent: dict[Window, list[int]] = {}
        """Waiting messages of each window that later ones may join or replace, the oldest first."""
        self._numbered: deque[Item] = deque()
        self._publisher_id = name()
        self._confirmed = 0
        """The number before that of the first item of `_numbered`."""
        self._applied = 0
        self._server: str | None = None

    # --- what the caller does ---

    def offer(self, message: Message, *, window_exists: bool = True) -> bool:
        """Take a message. Returns False if there is no room and nothing may be lost.

        Args:
            message: changed by nobody from now on.
            window_exists: whether its window surely exists when the message arrives.

        Raises:
            OSError: there is no room, and the file cannot be written.
        """
        # What makes a window is another thing to the server than what changes it.
        message.alone |= message.creates and not message.replaces and not window_exists
        if self._spill is not None and (self._spill or not self._has_room(message)):
            self._spill.put(self._sequence + 1, message.endpoint, message.body(), message.alone)
        else:
            while not self._has_room(message):
                if self._when_full != "drop" or not self._make_room():
                    return False
            self._add(message, self._sequence + 1)
        self._sequence += 1
        self.counters.calls += message.calls
        return True

    @property
    def mark(self) -> int:
        """Stands for everything offered so far, for `settled`."""
        return self._sequence

    def settled(self, mark: int, *, durable: bool = False) -> bool:
        """Whether everything up to ``mark`` is applied, or even kept for good, by the server."""
        if self._waiting and next(iter(self._waiting)) <= mark:
            return False
        spilled = self._spill.first_sequence if self._spill is not None else None
        if spilled is not None and spilled <= mark:
            return False
        oldest = next(iter(self._numbered) if durable else self._unapplied(), None)
        return oldest is None or oldest.sequence > mark

    # --- what the sender does ---

    @property
    def has_news(self) -> bool:
        """Whether there is something that the server has not applied yet."""
        return bool(self._waiting or self._spill) or self._applied < self._confirmed + len(self._numbered)

    @property
    def awaits_confirmation(self) -> bool:
        """Whether the server has something applied that it does not keep for good yet."""
        return self._applied > self._confirmed

    def request(self) -> Request:
        """What to send now: what was not applied yet, up to a batch; without any, the question how far the server is."""
        self._refill()
        items: list[Item] = []
        size = 0
        for item in self._unapplied():
            if items and size + item.message.size_bytes > self.batch_bytes:
                break
            size += item.message.size_bytes
            items.append(item)
        else:
            while self._waiting:
                sequence, message = next(iter(self._waiting.items()))
                if items and size + message.size_bytes > self.batch_bytes:
                    break
                self._take_out(sequence, message)
                item = Item(message, sequence)
                self._numbered.append(item)
                items.append(item)
                size += message.size_bytes
        for item in items:
            self.counters.resent += item.tries > 0
            item.tries += 1
        return Request(self._publisher_id, self._applied + 1, items)

    def receive(self, reply: Mapping[str, Any]) -> Receipt:
        """Take in the server's reply to the last request."""
        applied, durable = reply["applied"], reply["durable"]
        same_server = self._server is not None and reply["server"] == self._server
        self._server = reply["server"]
        last = self._confirmed + len(self._numbered)
        if applied is None or not self._confirmed <= applied <= last:
            # This server's state is what it was, it only forgot the numbers: what it applied need not be sent again.
            confirmed = self._confirm(self._applied) if same_server else []
            return Receipt(known=False, confirmed=confirmed)
        refused = []
        for refusal in reply["refused"]:
            place = refusal["number"] - self._confirmed - 1
            if 0 <= place < len(self._numbered) and not self._numbered[place].given_up:
                refused.append((self._numbered[place], refusal["error"]))
        self.counters.refused += len(refused)
        self.counters.sent += max(0, applied - self._applied)
        self._applied = applied
        kept = applied if durable is None else min(durable, applied)
        return Receipt(known=True, refused=refused, confirmed=self._confirm(kept))

    def begin_again(self, creations: Iterable[Message]) -> int:
        """Begin a new life of this publisher, with what makes its windows again in front. Returns how many are made again.

        Args:
            creations: for windows that the server does not have. Those whose next message makes them anyway are left out.
        """
        first: dict[Window, str] = {}
        for message in [*(item.message for item in self._numbered), *self._waiting.values()]:
            first.setdefault(message.window, message.endpoint)
        again = [Item(creation, 0) for creation in creations if first.get(creation.window) != "events"]
        self._bytes += sum(item.message.size_bytes for item in again)
        self._numbered.extendleft(reversed(again))
        self._publisher_id = self._name()
        self._confirmed = self._applied = 0
        return len(again)

    def give_up(self, item: Item) -> None:
        """Let a message go that cannot be sent. What takes its number is refused by every server, and thereby done with."""
        nothing = Message(item.message.endpoint, {})
        self._bytes += nothing.size_bytes - item.message.size_bytes
        item.message = nothing
        item.given_up = True
        self.counters.refused += 1

    def snapshot(self) -> Counters:
        """The counters of this moment."""
        counters = self.counters
        counters.queued_bytes = self._bytes
        counters.spilled_bytes = self._spill.size_bytes if self._spill is not None else 0
        counters.unconfirmed = len(self._numbered)
        return Counters(**{name: getattr(counters, name) for name in Counters.__slots__})

    @property
    def unsent_calls(self) -> int:
        """At least how many calls would be lost if nothing more could be sent."""
        return sum(message.calls for message in [*self._waiting.values(), *(item.message for item in self._unapplied())])

    def close(self) -> None:
        """Let go of the file."""
        if self._spill is not None:
            self._spill.close()

    # --- waiting ---

    def _has_room(self, message: Message) -> bool:
        growth = message.size_bytes
        recent = self._companions(message)
        tail = self._waiting[recent[-1]] if recent else None
        folded = tail.growth_bytes(message) if tail is not None else None
        if folded is not None:
            growth = folded
        elif message.replaces:
            growth -= sum(self._waiting[sequence].size_bytes for sequence in recent)
        return growth <= 0 or self._bytes == 0 or self._bytes + growth <= self._max_bytes

    def _companions(self, message: Message) -> list[int]:
        """The waiting messages that this one may join or replace."""
        recent = self._recent.get(message.window, [])
        if recent and (message.alone or self._waiting[recent[-1]].eid != message.eid):
            return []
        return recent

    def _add(self, message: Message, sequence: int) -> None:
        if message.alone or message.window[1] is None:
            self._separate(message.window)
        recent = self._companions(message)
        if not recent:
            self._recent.pop(message.window, None)
        tail = self._waiting[recent[-1]] if recent else None
        growth = tail.growth_bytes(message) if tail is not None else None
        if tail is not None and growth is not None:
            tail.fold(message)
            self._bytes += growth
            self.counters.coalesced += message.calls
            return
        if message.replaces and recent:
            # Where the window would have been made is where it has to be made: its place among the others shows that.
            sequence = next((each for each in recent if self._waiting[each].creates), sequence)
            for each in recent:
                outdated = self._waiting[each]
                self._bytes -= outdated.size_bytes
                self.counters.coalesced += 1  # what it had taken in is counted already
                if each != sequence:
                    del self._waiting[each]
            recent.clear()
        self._waiting[sequence] = message
        self._bytes += message.size_bytes
        if not message.alone:
            self._recent.setdefault(message.window, []).append(sequence)

    def _separate(self, window: Window) -> None:
        """Nothing that comes later joins or replaces what waits for this window, or for all of the environment."""
        if window[1] is not None:
            self._recent.pop(window, None)
        else:
            for each in [each for each in self._recent if each[0] == window[0]]:
                del self._recent[each]

    def _take_out(self, sequence: int, message: Message) -> None:
        """Remove a waiting message. What it takes in memory stays counted."""
        del self._waiting[sequence]
        recent = self._recent.get(message.window)
        if recent is not None and sequence in recent:
            recent.remove(sequence)
            if not recent:
                del self._recent[message.window]

    def _make_room(self) -> bool:
        """Lose the oldest update, or else the oldest message. Returns False if there is none to lose."""
        if not self._waiting:
            return False
        updates = (each for each in self._waiting.items() if each[1].endpoint in ("update", "embedding"))
        sequence, message = next(updates, None) or next(iter(self._waiting.items()))
        self._take_out(sequence, message)
        self._bytes -= message.size_bytes
        self.counters.dropped += message.calls
        self.counters.coalesced -= message.calls - 1
        return True

    def _refill(self) -> None:
        if self._spill is None or self._bytes > self._max_bytes // 2:
            return
        target = self._bytes + max(1, min(REFILL_BYTES, self._max_bytes // 2))
        while self._spill and self._bytes < target:
            sequence, endpoint, body, alone = self._spill.take()
            message = capture(endpoint, decode(body))
            message.alone |= alone
            self._add(message, sequence)

    # --- numbered ---

    def _unapplied(self) -> Iterator[Item]:
        return islice(self._numbered, self._applied - self._confirmed, None)

    def _confirm(self, number: int) -> list[Item]:
        confirmed = []
        while self._confirmed < number:
            item = self._numbered.popleft()
            self._bytes -= item.message.size_bytes
            self._confirmed += 1
            confirmed.append(item)
        return confirmed
