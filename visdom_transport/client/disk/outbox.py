"""The messages of one publisher on their way to disk, and from there to the server. No threads, no files, no sockets, no clock.

A message waits, and may take in later ones, until it is given a number to be written under. It is sent when it is on disk: then
nobody who comes later can give its number to another one. While the disk cannot be written it is held in memory, and sent from
there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from visdom_transport.client.disk.batches import Batch
from visdom_transport.client.disk.course import WINDOW_BYTES, Course
from visdom_transport.client.messages.calls import Message
from visdom_transport.client.messages.counters import Counters
from visdom_transport.client.messages.intake import Intake, OnFull
from visdom_transport.client.messages.outbox import new_publisher_id
from visdom_transport.client.messages.request import Item, Receipt, Request

BATCH_BYTES: Final = 1_000_000
BATCH_MESSAGES: Final = 1_000
"""A batch is written at once, and made while calls wait."""
MAX_MARKS: Final = 1_000
MAX_CREATIONS_BYTES: Final = 16_000_000
AGAIN_MESSAGES: Final = 20
"""At most so many windows are made again at once."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Messages that have numbers and take in no other, to be written at once."""

    first: int
    items: list[Item]
    confirmed: int
    time_s: float
    environments: tuple[str, ...] = ()
    saves: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        return self.first + len(self.items) - 1

    def batch(self) -> Batch:
        """As it is written. This may take a while."""
        messages = [(item.message.endpoint, item.message.body()) for item in self.items]
        calls = sum(item.message.calls for item in self.items)
        return Batch(self.first, messages, self.confirmed, calls, self.time_s, self.environments, self.saves)


class DiskOutbox(Intake):
    """Messages in order, each held in memory until it is on disk, and sent until the server confirms it.

    Every method is quick, and none may run at the same time as another one.

    Args:
        log_id: of the log that the messages are written to.
        max_bytes: how much may be held in memory; one larger message may be alone.
        on_full: what `offer` does then, while the disk cannot be written.
    """

    def __init__(self, log_id: str, *, max_bytes: int = 64_000_000, on_full: OnFull = "wait", batch_bytes: int = 500_000) -> None:
        super().__init__(max_bytes, on_full, batch_bytes)
        self.course = Course(log_id)
        self.is_failing = False
        """Whether the disk cannot be written."""
        self.is_stuck = False
        """Whether it does not answer."""
        self.size_on_disk_bytes = 0
        self._last = 0
        """The last number that was given."""
        self._held: dict[int, Item] = {}
        """What has a number and is not on disk."""
        self._held_bytes = 0
        self._unwritten: deque[Sealed] = deque()
        self._marks: deque[tuple[int, int]] = deque()
        """Up to which sequence number messages have numbers up to which."""
        self._applied: deque[Item] = deque()
        """What makes or closes windows, and was applied, but is not confirmed."""
        self._again: list[Item] = []
        """What makes windows again that the server has lost."""
        self._asked_again: list[Item] = []

    # --- what the caller does ---

    def settled(self, mark: int, *, durable: bool = False) -> bool:
        """Whether everything up to ``mark`` is applied, or even kept for good, by the server."""
        number = self._number_of(mark)
        return number is not None and not self._again and (self.course.confirmed if durable else self.course.applied) >= number

    @property
    def is_held_back(self) -> bool:
        """Whether there is something that is to be on disk before it is sent."""
        return bool(self._waiting) or self._last > self.course.end

    def finish(self) -> bool:
        """Whether the server has everything for good. Nothing has to be written then."""
        if self.is_held_back or not self.course.is_done:
            return False
        self._unwritten.clear()
        return True

    # --- what the writer does ---

    @property
    def has_unwritten(self) -> bool:
        """Whether there is something to be written."""
        return bool(self._unwritten or self._waiting)

    @property
    def has_waiting(self) -> bool:
        """Whether there is something that has no number yet."""
        return bool(self._waiting)

    def seal(self, environments: Iterable[str] = (), saves: Iterable[str] = (), now_s: float = 0.0) -> Sealed | None:
        """What is to be written next. None if there is nothing."""
        oldest = self._unwritten[0] if self._unwritten else None
        # What cannot be written nor sent goes on taking in what comes.
        if oldest is not None and (not self.is_failing or self._last > self.course.applied):
            return oldest
        first = self._last + 1
        items = self._number()
        sealed = Sealed(first, items, self.course.confirmed, now_s, tuple(environments), tuple(saves))
        if items or sealed.environments or sealed.saves:
            self._unwritten.append(sealed)
        return self._unwritten[0] if self._unwritten else None

    def is_next(self, sealed: Sealed) -> bool:
        """Whether it has still to be written."""
        return bool(self._unwritten) and self._unwritten[0] is sealed

    def written(self, sealed: Sealed) -> None:
        """It is on disk, and may be sent."""
        self.is_failing = False
        if self.is_next(sealed):
            self._unwritten.popleft()
        for item in sealed.items:
            if self._held.pop(item.sequence, None) is not None:
                self._held_bytes -= item.message.size_bytes
        course = self.course
        follows = course.wanted is None and course.window_bytes < WINDOW_BYTES and course.end == sealed.first - 1
        course.end = max(course.end, sealed.last)
        if follows:
            course.load(sealed.items)

    def failed(self) -> None:
        """The disk cannot be written: what has a number is sent from memory."""
        self.is_failing = True
        self.course.end = self._last

    # --- what the sender does ---

    @property
    def has_news(self) -> bool:
        """Whether there is something that can be sent and that the server has not applied yet."""
        return bool(self._again) or self.course.has_news

    @property
    def awaits_confirmation(self) -> bool:
        """Whether the server has something applied that it does not keep for good yet."""
        return self.course.applied > self.course.confirmed

    def load_held(self) -> int | None:
        """Take what is to be sent next from memory. Returns the number of what has to be read from disk instead, if so."""
        while (number := self.course.wanted) is not None:
            if number not in self._held:
                return number
            self.course.load([self._held[number]])
        return None

    def request(self) -> Request:
        """What to send now; without any messages, the question how far the server is."""
        if self._again:
            # Sent twice, these change nothing: they need no numbers that somebody knows.
            self._asked_again = self._again[:AGAIN_MESSAGES]
            return Request(new_publisher_id(), 1, self._asked_again)
        self._asked_again = []
        before = self.course.resent
        request = self.course.request(self.batch_bytes)
        self.counters.resent += self.course.resent - before
        return request

    def receive(self, reply: Mapping[str, Any]) -> Receipt:
        """Take in the server's reply to the last request."""
        if self._asked_again:
            self._again, self._asked_again = self._again[len(self._asked_again) :], []
            return Receipt(known=True)
        sent = self.course.sent
        receipt = self.course.receive(reply)
        self.counters.sent += self.course.sent - sent
        self.counters.refused += len(receipt.refused)
        while self._applied and self._applied[-1].sequence > self.course.applied:
            self._applied.pop()
        self._applied += [item for item in receipt.confirmed if item.message.endpoint in ("events", "close")]
        for number in [number for number in self._held if number <= self.course.confirmed]:
            self._held_bytes -= self._held.pop(number).message.size_bytes
        if self.is_failing:
            self._unwritten = deque(each for each in self._unwritten if not each.items or each.last > self.course.confirmed)
        return Receipt(receipt.known, receipt.refused, self._confirmed())

    def begin_again(self, creations: Iterable[Message]) -> int:
        """Begin a new life, and first make windows again that the server does not have. Returns how many."""
        self._again = [Item(creation, 0) for creation in creations]
        self.course.begin_again(self.course.confirmed)
        return len(self._again)

    def pass_over(self, number: int) -> None:
        """Go on behind a gap that ends before this number. Everything before the gap is confirmed."""
        self.course.begin_again(number - 1)

    def give_up(self, item: Item) -> None:
        """Let a message go that cannot be sent. What takes its number is refused by every server, and thereby done with."""
        if item.sequence in self._held:
            self._held_bytes -= item.message.size_bytes
        self.course.give_up(item)
        self.counters.refused += 1

    def released(self) -> list[Item]:
        """What is not kept any more for want of room, although the server has it only in memory. Nothing: it is on disk."""
        return []

    def snapshot(self) -> Counters:
        """The counters of this moment."""
        counters = self.counters
        counters.queued_bytes = self._bytes
        counters.outbox_bytes = self.size_on_disk_bytes
        counters.unconfirmed = self._last - self.course.confirmed
        return Counters(**{name: getattr(counters, name) for name in Counters.__slots__})

    @property
    def unsent_calls(self) -> int:
        """At least how many calls would be lost if nothing more could be written or sent."""
        held = (item.message for number, item in self._held.items() if number > self.course.applied)
        return sum(message.calls for message in [*self._waiting.messages, *held])

    def close(self) -> None:
        """Nothing to let go of."""

    # --- inside ---

    @property
    def _bytes(self) -> int:
        return self._waiting.size_bytes + self._held_bytes

    def _make_room(self, *, may_lose: bool, is_away: bool, keeps: bool) -> bool:
        """Not hold something any more: what the server has applied, or else the oldest update that waits."""
        if not ((self.is_failing or self.is_stuck) and (may_lose or not keeps)):
            return False  # there is room when it is on disk
        oldest = next(iter(self._held), None)
        if oldest is not None and oldest <= self.course.applied:
            self._held_bytes -= self._held.pop(oldest).message.size_bytes
            return True
        if not may_lose or not self._waiting:
            return False
        self.lose(self._waiting.lose().calls)
        return True

    def _number(self) -> list[Item]:
        """Give numbers to what waits, up to a batch."""
        items: list[Item] = []
        size = 0
        while self._waiting and len(items) < BATCH_MESSAGES:
            if items and size + self._waiting.first.size_bytes > BATCH_BYTES:
                break
            message = self._waiting.take()[1]
            self._last += 1
            item = self._held[self._last] = Item(message, self._last)
            size += message.size_bytes
            items.append(item)
        self._held_bytes += size
        if items:
            waiting = self._waiting.first_sequence
            self._marks.append((self._sequence if waiting is None else waiting - 1, self._last))
            self._forget_marks()
        return items

    def _forget_marks(self) -> None:
        while len(self._marks) > 1 and self._marks[1][1] <= self.course.confirmed:
            self._marks.popleft()
        if len(self._marks) > MAX_MARKS:
            # Who waits for one that is gone waits for the next one.
            self._marks = deque(islice(self._marks, 1, None, 2))

    def _number_of(self, mark: int) -> int | None:
        """The number up to which messages up to ``mark`` have theirs. None if one of them still waits."""
        waiting = self._waiting.first_sequence
        if waiting is not None and waiting <= mark:
            return None
        return next((number for sequence, number in self._marks if sequence >= mark), self._last)

    def _confirmed(self) -> list[Item]:
        """What makes or closes windows and is confirmed now, or is too much to be remembered."""
        confirmed: list[Item] = []
        size = sum(item.message.size_bytes for item in self._applied)
        while self._applied and (self._applied[0].sequence <= self.course.confirmed or size > MAX_CREATIONS_BYTES):
            size -= self._applied[0].message.size_bytes
            confirmed.append(self._applied.popleft())
        return confirmed
