"""When a page acknowledges: the rule of `js/src/connecting/acknowledging.js`, for clients that draw without a page.

Both are held to `tests/vectors/acknowledgements.json`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

WAIT_S = 0.2
MOST_CHARS = 65_536
SERVER_WINDOW = 16


class Acknowledging:
    """One WebSocket's acknowledgements and credit.

    Args:
        credit: batches that may be undrawn, as the hello said.
        now: seconds.
        call_later: has something called after so many seconds; what it returns has ``cancel``.
        say: sends a message.
    """

    def __init__(
        self,
        credit: int,
        now: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Any],
        say: Callable[[Any], None],
    ) -> None:
        self._credit = self._granted = credit
        self._now, self._call_later, self._say = now, call_later, say
        self._extra = 0
        self._received = self._drawn = self._acknowledged = 0
        self._drawn_at = 0.0
        self._undrawn: deque[int] = deque()
        self._chars = 0
        self._arrivals: deque[float] = deque()
        self._alarm: Any = None

    def received(self, chars: int) -> None:
        """A batch has come."""
        self._received += 1
        self._undrawn.append(chars)
        self._arrivals.append(self._now())

    def drew(self, batches: int) -> None:
        """So many more batches are drawn."""
        self._drawn += batches
        self._drawn_at = self._now()
        self._chars += sum(self._undrawn.popleft() for _ in range(batches))
        self._settle(0 if self._undrawn else self._room)

    def grant(self, credit: int) -> None:
        """Batches that may be undrawn from now on; 0 for a hidden page."""
        self._credit = credit
        self._settle(self._room)
        self._tell_window()

    @property
    def _room(self) -> int:
        return max(0, SERVER_WINDOW - self._credit) if self._credit else 0

    def _settle(self, room: int) -> None:
        waiting = self._drawn - self._acknowledged
        if not room or waiting > min(room, self._extra) or self._chars > MOST_CHARS:
            self._tell(room)
        elif waiting and self._alarm is None:
            self._alarm = self._call_later(WAIT_S, lambda: self._tell(room))

    def _tell(self, room: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        now = self._now()
        while self._arrivals and self._arrivals[0] <= now - WAIT_S:
            self._arrivals.popleft()
        wanted = min(room, max(1, len(self._arrivals)))
        if wanted > self._extra or wanted < self._extra / 2:
            self._extra = wanted
        if self._drawn == self._acknowledged:
            return
        self._acknowledged = self._drawn
        self._chars = 0
        ago_ms = round((now - self._drawn_at) * 1000)
        self._say({"type": "ack", "batches": self._drawn} | ({"ago_ms": ago_ms} if ago_ms > 0 else {}))
        self._tell_window()

    def _tell_window(self) -> None:
        window = self._credit + min(self._room, self._extra)
        if window != self._granted:
            self._granted = window
            self._say({"type": "credit", "window": window})
