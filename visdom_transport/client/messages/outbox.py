"""The messages of one publisher on their way: waiting, numbered, confirmed. No threads, no sockets, no clock.

A message waits, and may take in later ones, until it is given a number; then it stays what it is until the server has it for
good. `docs/protocol.md`, section 9, is the authority for numbers and replies.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from visdom_transport.client.messages.calls import Message, Window, capture
from visdom_transport.client.messages.counters import Counters
from visdom_transport.client.messages.intake import Intake, OnFull
from visdom_transport.client.messages.request import Item, Receipt, Request
from visdom_transport.client.messages.spill import Spill
from visdom_transport.core.encoding import decode

REFILL_BYTES = 256_000


def new_publisher_id() -> str:
    return uuid.uuid4().hex


class Outbox(Intake):
    """Messages in order, each sent until the server confirms it.

    Every method but `Request.encoded` is quick, and none may run at the same time as another one.

    Args:
        max_bytes: how much may be held in memory; one larger message may be alone.
        on_full: what `offer` does then; ``spill`` needs one.
        batch_bytes: about how much is sent at once; at least one message is.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 64_000_000,
        on_full: OnFull = "wait",
        batch_bytes: int = 500_000,
        spill: Spill | None = None,
        name: Callable[[], str] = new_publisher_id,
    ) -> None:
        super().__init__(max_bytes, on_full, batch_bytes)
        self._spill = spill if on_full == "spill" and spill is not None else None
        self._name = name
        self._numbered: deque[Item] = deque()
        self._numbered_bytes = 0
        self._publisher_id = name()
        self._confirmed = 0
        """The number before that of the first item of `_numbered`."""
        self._applied = 0
        self._server: str | None = None
        self._early: list[Item] = []
        self._early_calls = 0
        """Calls that are not kept any more, although the server has not said that they are durable."""

    # --- what the caller does ---

    def settled(self, mark: int, *, durable: bool = False) -> bool:
        """Whether everything up to ``mark`` is applied, or even kept for good, by the server."""
        waiting = self._waiting.first_sequence
        if waiting is not None and waiting <= mark:
            return False
        spilled = self._spill.first_sequence if self._spill is not None else None
        if spilled is not None and spilled <= mark:
            return False
        oldest = next(iter(self._numbered) if durable else self._unapplied(), None)
        return oldest is None or oldest.sequence > mark

    # --- what the sender does ---

    is_held_back = False
    """Whether there is something that is to be on disk before it is sent."""

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
                if items and (items[0].tries or size + self._waiting.first.size_bytes > self.batch_bytes):
                    break
                sequence, message = self._waiting.take()
                item = Item(message, sequence)
                self._numbered.append(item)
                self._numbered_bytes += message.size_bytes
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
            if not same_server:
                self.lose(self._early_calls)
            self._early_calls = 0
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
        if kept >= self._confirmed:
            self._early_calls = 0
        return Receipt(known=True, refused=refused, confirmed=self._confirm(kept))

    def begin_again(self, creations: Iterable[Message]) -> int:
        """Begin a new life of this publisher, with what makes its windows again in front. Returns how many are made again.

        Args:
            creations: for windows that the server does not have. Those whose next message makes them anyway are left out.
        """
        first: dict[Window, str] = {}
        for message in [*(item.message for item in self._numbered), *self._waiting.messages]:
            first.setdefault(message.window, message.endpoint)
        again = [Item(creation, 0) for creation in creations if first.get(creation.window) != "events"]
        self._numbered_bytes += sum(item.message.size_bytes for item in again)
        self._numbered.extendleft(reversed(again))
        self._publisher_id = self._name()
        self._confirmed = self._applied = 0
        return len(again)

    def give_up(self, item: Item) -> None:
        """Let a message go that cannot be sent. What takes its number is refused by every server, and thereby done with."""
        self._empty(item)
        self.counters.refused += 1

    def released(self) -> list[Item]:
        """What is not kept any more for want of room. The server had applied it."""
        early, self._early = self._early, []
        return early

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
        return sum(message.calls for message in [*self._waiting.messages, *(item.message for item in self._unapplied())])

    def close(self) -> None:
        """Let go of the file."""
        if self._spill is not None:
            self._spill.close()

    # --- waiting ---

    @property
    def _bytes(self) -> int:
        return self._waiting.size_bytes + self._numbered_bytes

    def _put_elsewhere(self, message: Message) -> bool:
        if self._spill is None or not (self._spill or not self._has_room(message)):
            return False
        self._spill.put(self._sequence + 1, message.endpoint, message.body(), message.alone)
        return True

    def _make_room(self, *, may_lose: bool, is_away: bool, keeps: bool) -> bool:
        return ((may_lose or not keeps) and self._release()) or (may_lose and self._lose_oldest(is_away))

    def _release(self) -> bool:
        """Not keep the oldest of what the server has applied: it is lost only if the server loses it too."""
        if self._applied == self._confirmed:
            return False
        early = self._confirm(self._confirmed + 1)
        self._early += early
        self._early_calls += sum(item.message.calls for item in early)
        return True

    def _lose_oldest(self, is_away: bool) -> bool:
        """Lose the oldest update, or else the oldest message. Returns False if there is none to lose."""
        if not self._waiting:
            return is_away and self._lose_sent()
        self.lose(self._waiting.lose().calls)
        return True

    def _lose_sent(self) -> bool:
        """Not send again the oldest message that is on its way."""
        oldest = next((item for item in self._numbered if not item.given_up), None)
        if oldest is None:
            return False
        self.lose(oldest.message.calls)
        self._empty(oldest)
        return True

    def _refill(self) -> None:
        if self._spill is None or self._bytes > self._max_bytes // 2:
            return
        target = self._bytes + max(1, min(REFILL_BYTES, self._max_bytes // 2))
        while self._spill and self._bytes < target:
            sequence, endpoint, body, alone = self._spill.take()
            message = capture(endpoint, decode(body))
            message.alone |= alone
            self._waiting.put(message, sequence)

    # --- numbered ---

    def _empty(self, item: Item) -> None:
        self._numbered_bytes -= item.message.size_bytes
        item.message = Message(item.message.endpoint, {})
        item.message.size_bytes = 0  # so that a large message that is alone has room
        item.given_up = True

    def _unapplied(self) -> Iterator[Item]:
        return islice(self._numbered, self._applied - self._confirmed, None)

    def _confirm(self, number: int) -> list[Item]:
        confirmed = []
        while self._confirmed < number:
            item = self._numbered.popleft()
            self._numbered_bytes -= item.message.size_bytes
            self._confirmed += 1
            confirmed.append(item)
        return confirmed
