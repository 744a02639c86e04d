"""How far a log has been sent: which numbers the server has applied, which it has for good, what to send next. No I/O.

Numbers are those of the log. On the wire they count from where the publisher's present id begins, because a server that has lost
all it knew, or a log with a gap in it, needs a new id, whose first number is 1. That id follows from the log's own id and the
place, so whoever sends a log, and however often, sends each message under the same id and number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from visdom_transport.client.messages.calls import Message
from visdom_transport.client.messages.request import Item, Receipt, Request

WINDOW_BYTES: Final = 4_000_000
"""About how much of a log is held in memory to be sent next."""


class Course:
    """The way of one log to its server.

    Args:
        log_id: chosen at random for this log.
        confirmed: the number up to which the server has everything for good.
        offset: where the present id begins; 0 is the log's own id.
        asks_first: whether the server may be further than that.
    """

    def __init__(self, log_id: str, confirmed: int = 0, offset: int = 0, *, asks_first: bool = False) -> None:
        self.confirmed = self.applied = confirmed
        self.end = confirmed
        """The last number that may be sent."""
        self.offset = offset
        self.window_bytes = 0
        self.sent = 0
        """Messages that the server has taken since this object was made."""
        self.resent = 0
        self._log_id = log_id
        self.asks = asks_first
        """Whether the server is asked how far it is before anything is sent."""
        self._window: deque[Item] = deque()
        """What follows the applied number."""
        self._server: str | None = None

    @property
    def publisher_id(self) -> str:
        """The present id."""
        return f"{self._log_id}.{self.offset + 1}" if self.offset else self._log_id

    @property
    def has_news(self) -> bool:
        """Whether there is something that the server has not applied yet."""
        return self.applied < self.end or self.asks

    @property
    def is_done(self) -> bool:
        """Whether the server has everything for good."""
        return not self.asks and self.confirmed >= self.end

    @property
    def wanted(self) -> int | None:
        """The number of the message to be loaded next. None if enough of them are held."""
        following = self.applied + len(self._window) + 1
        return following if following <= self.end and (not self._window or self.window_bytes < WINDOW_BYTES) else None

    def load(self, items: Sequence[Item]) -> None:
        """Hold messages that follow those that are held. The `sequence` of each is its number."""
        for item in items:
            if item.sequence == self.applied + len(self._window) + 1:
                self._window.append(item)
                self.window_bytes += item.message.size_bytes

    def request(self, batch_bytes: int) -> Request:
        """What to send now; without any messages, the question how far the server is."""
        items: list[Item] = []
        size = 0
        for item in () if self.asks else self._window:
            if items and size + item.message.size_bytes > batch_bytes:
                break
            size += item.message.size_bytes
            items.append(item)
            self.resent += item.tries > 0
            item.tries += 1
        return Request(self.publisher_id, self.applied - self.offset + 1, items)

    def receive(self, reply: Mapping[str, Any]) -> Receipt:
        """Take in the server's reply to the last request."""
        same_server = self._server is not None and reply["server"] == self._server
        self._server = reply["server"]
        self.asks = False
        applied, durable = (None if each is None else each + self.offset for each in (reply["applied"], reply["durable"]))
        if applied is None or applied < self.confirmed:
            if same_server:
                # This server's state is what it was, it only forgot the numbers: what it applied need not be sent again.
                self.confirmed = self.applied
            self._rewind(self.confirmed)
            return Receipt(known=False)
        # It may have been sent more than was written.
        applied = min(applied, self.end)
        refused = []
        for refusal in reply["refused"]:
            place = refusal["number"] + self.offset - self.applied - 1
            if 0 <= place < len(self._window) and not self._window[place].given_up:
                refused.append((self._window[place], refusal["error"]))
        self.sent += max(0, applied - self.applied)
        taken = self._move(applied)
        self.confirmed = max(self.confirmed, applied if durable is None else min(durable, applied))
        return Receipt(known=True, refused=refused, confirmed=taken)

    def begin_again(self, number: int) -> None:
        """Begin a new life with the message after ``number``, under another id. Everything before is done with."""
        self.confirmed = self.offset = number
        self.end = max(self.end, number)
        self._rewind(number)

    def give_up(self, item: Item) -> None:
        """Let a message go that cannot be sent. What takes its number is refused by every server, and thereby done with."""
        self.window_bytes -= item.message.size_bytes
        item.message = Message(item.message.endpoint, {})
        item.message.size_bytes = 0
        item.given_up = True

    # --- inside ---

    def _move(self, applied: int) -> list[Item]:
        """The server has applied so much. Returns what it has taken of what was held."""
        taken: list[Item] = []
        if applied < self.applied or applied > self.applied + len(self._window):
            self._rewind(applied)
            return taken
        while self.applied < applied:
            item = self._window.popleft()
            self.window_bytes -= item.message.size_bytes
            self.applied += 1
            taken.append(item)
        return taken

    def _rewind(self, applied: int) -> None:
        self.applied = applied
        self._window.clear()
        self.window_bytes = 0
