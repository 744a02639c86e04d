"""The event stream of a source (docs/protocol.md, feed `events`), without I/O and without a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from visdom_transport.core.errors import CloseCode
from visdom_transport.core.replica import EventReplica

Message = dict[str, Any]

FEED: Final = "events"
WINDOW_BATCHES: Final = 4
"""Batches the server may send ahead while handlers run."""


MOST_SECONDS: Final = 86_400.0

_NEEDED: Final[dict[str, dict[str, type | tuple[type, ...]]]] = {
    "welcome": {
        "session": str,
        "secret": str,
        "heartbeat_s": (int, float),
        "dead_after_s": (int, float),
        "poll_wait_s": (int, float),
    },
    "subscribed": {"epoch": str, "offset": int, "recovered": bool, "reason": str},
    "batch": {"epoch": str, "from": int, "to": int, "missed": int, "events": list},
    "close": {"code": int, "reason": str},
}
"""What is taken from the messages of each type, and what it must be."""


class LinkLost(Exception):
    """A link is of no more use. The message says why, `code` what the server closed it with, if it did."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class EventStream:
    """What one reader knows of its feed, over links that come and go.

    Args:
        on_event: is given each event, once and in order.
        on_gap: is told that events were lost before the next one, and how many; None when nobody can know.
    """

    def __init__(self, on_event: Callable[[Any], None], on_gap: Callable[[int | None], None]) -> None:
        self.is_live = False
        """Whether the server has said on the present link where reading goes on: no event after that is lost without a word."""
        self.poll_wait_s = 0.0
        self.dead_after_s = 20.0
        self._heartbeat_s = 8.0
        self._on_event = on_event
        self._on_gap = on_gap
        self._replica = EventReplica()
        self._session: str | None = None
        self._secret: str | None = None
        self._batches = 0
        self._heard_at = 0.0
        self._asked = False

    def open(self, now: float) -> Message:
        """A new link is there: return what to say first."""
        self.is_live = False
        self._batches = 0
        self._hear(now)
        return {
            "type": "hello",
            "role": "source",
            "session": self._session,
            "secret": self._secret,
            "window": WINDOW_BATCHES,
            "feeds": self.feeds(),
        }

    def feeds(self) -> dict[str, Any]:
        """The subscriptions with their positions, as `hello` and each poll present them."""
        return {FEED: self._replica.position()}

    def take(self, message: Mapping[str, Any], now: float) -> list[Message]:
        """Act on a message, after which the events it carried have been handed over; return the answers.

        Raises:
            LinkLost: the server ends the link, or does not speak the protocol. Nothing was taken from that message.
        """
        self._hear(now)
        check(message)
        match message.get("type"):
            case "welcome":
                self._session, self._secret = message["session"], message["secret"]
                self._heartbeat_s, self.dead_after_s = message["heartbeat_s"], message["dead_after_s"]
                self.poll_wait_s = message["poll_wait_s"]
            case "subscribed" if message.get("feed") == FEED:
                # Of the end of a feed's former life nothing is left: its unread events cannot be counted.
                if message["reason"] == "epoch":
                    self._on_gap(None)
                self._replica.subscribed(message)
                self.is_live = True
            case "batch" if message.get("feed") == FEED:
                missed, events = self._replica.apply(message)
                if missed:
                    self._on_gap(missed)
                for event in events:
                    self._on_event(event)
                self._batches += 1
                return [{"type": "ack", "batches": self._batches}]
            case "ping":
                return [{"type": "pong"}]
            case "close":
                self.closed(message["code"])
                raise LinkLost(f"closed by the server: {message['reason']}", message["code"])
        return []

    def closed(self, code: int | None) -> None:
        """The server closed the link with a code."""
        if code in (CloseCode.REPLACED, CloseCode.WRONG_SECRET):
            self._session = self._secret = None

    def check(self, now: float) -> list[Message]:
        """Return what to send to a server that has been silent.

        Raises:
            LinkLost: it has been silent for too long.
        """
        silent_s = now - self._heard_at
        if silent_s >= self.dead_after_s:
            raise LinkLost(f"nothing heard for {silent_s:.0f} s")
        if silent_s < self._heartbeat_s or self._asked:
            return []
        self._asked = True
        return [{"type": "ping"}]

    def heard(self, now: float) -> None:
        """There was a sign of life that is no message."""
        self._hear(now)

    def check_in_s(self, now: float) -> float:
        """Seconds until `check` has something to do."""
        due = self._heard_at + (self.dead_after_s if self._asked else self._heartbeat_s)
        return max(0.0, due - now)

    def _hear(self, now: float) -> None:
        self._heard_at = now
        self._asked = False


def check(message: Any) -> None:
    """Raise `LinkLost` when a message from the server is not what its type promises."""
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str):
        raise LinkLost(f"the server says {message!r:.100}, which is no message")
    if kind in ("subscribed", "batch") and message.get("feed") != FEED:
        return
    for name, types in _NEEDED.get(kind, {}).items():
        value = message.get(name)
        fits = isinstance(value, types) and (types is bool or not isinstance(value, bool))
        if not fits or (name.endswith("_s") and not 0 < value <= MOST_SECONDS):
            raise LinkLost(f"the server says {kind} with {name} {value!r:.100}")
