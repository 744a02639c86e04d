"""The stock dialect: Visdom's own messages, for clients that know nothing of our protocol (docs/protocol.md, section 8)."""

from __future__ import annotations

from typing import Any

from visdom_transport import feed_names
from visdom_transport.core.catch_up import StateBatch
from visdom_transport.core.dialect import Dialect
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.event_feed import EventBatch
from visdom_transport.core.feed import Batch, Verdict

MAX_EXPECTED_ECHOES = 1_000
"""A page answers each close with its own close command, at once; a few are ever under way."""


class StockDialect(Dialect):
    """What browsers and sources of stock Visdom have in common."""

    values_only = True
    acknowledges = False


class StockBrowser(StockDialect):
    """Speaks to a browser page of stock Visdom: full windows, closes, environment and layout lists.

    ``held`` are the windows the page has been given, which is what a snapshot must take back when they are gone.
    """

    def __init__(self) -> None:
        self.held: dict[str, None] = {}
        self.showing: str | None = None
        """The environment whose windows the page shows; None for a comparison."""
        self._undo: dict[str, bytes] = {}
        self._echoes: dict[str, None] = {}

    def batch(self, batch: Batch) -> list[bytes]:
        if isinstance(batch, EventBatch):
            return [b'{"command":"notification","data":%b}' % event.data for event in batch.events]
        assert isinstance(batch, StateBatch)
        if batch.feed == feed_names.SHARED:
            return [message for entry in batch.entries for message in self._shared(entry.key, entry.value)]
        return self._windows(batch)

    def subscribed(self, feed: str, verdict: Verdict) -> list[bytes]:
        if verdict.header is None:
            return []
        return [encode({"command": "reload", "data": verdict.header["reload"]})]

    def _shared(self, key: str, value: bytes | None) -> list[bytes]:
        kind, eid = feed_names.split(key)
        if value is None:
            self._undo.pop(eid, None)  # of `shared`, only this is ever deleted
            return []
        if key == feed_names.ENVIRONMENTS:
            return [b'{"command":"env_update","data":%b}' % value]
        if key == feed_names.LAYOUTS:
            return [b'{"command":"layout_update","data":%b}' % value]
        if kind == "undo":
            before = self._undo.get(eid, undo_state(eid, b"0"))
            self._undo[eid] = undo_state(eid, value)
            return [self._undo[eid]] if eid == self.showing and self._undo[eid] != before else []
        return []

    def _windows(self, batch: StateBatch) -> list[bytes]:
        kind, eid = feed_names.split(batch.feed)
        messages: list[bytes] = []
        for entry in batch.entries:
            if entry.deleted:
                messages += self._close(entry.key)
            elif entry.value is not None and is_window(entry.value):
                self.held[entry.key] = None
                # 0.3.0's page drops windows that do not name the environment it shows; older pages ignore the member.
                messages.append(b'{"eid":%b,%b' % (encode(eid), entry.value[1:]) if kind == "env" else entry.value)
        if batch.keys is not None:
            for key in set(self.held).difference(batch.keys):
                messages += self._close(key)
            messages.append(b'{"command":"layout"}')
            if eid in self._undo and kind == "env":
                messages.append(self._undo[eid])
        return messages

    def _close(self, key: str) -> list[bytes]:
        if self.held.pop(key, False) is False:
            return []
        self._echoes[key] = None
        if len(self._echoes) > MAX_EXPECTED_ECHOES:
            del self._echoes[next(iter(self._echoes))]
        return [encode({"command": "close", "data": key})]

    def show(self, feed: str) -> None:
        """The page now shows another environment: it clears its windows itself."""
        kind, eid = feed_names.split(feed)
        self.showing = eid if kind == "env" else None
        self.held.clear()

    def is_echo(self, command: dict[str, Any]) -> bool:
        """Whether ``command`` is only the page's answer to a close that it was sent. Carried out, it would delete a window
        that has meanwhile been made again under the same id."""
        key = command.get("data")
        return command.get("cmd") == "close" and isinstance(key, str) and self._echoes.pop(key, False) is None


def undo_state(eid: str, count: bytes) -> bytes:
    """The message that tells how many closed windows can be brought back."""
    return b'{"command":"undo_state","eid":%b,"count":%b}' % (encode(eid), count)


def is_window(value: bytes) -> bool:
    """Whether the encoded value is an object with members: through /win_data, anything can be put in a window's place."""
    return value.startswith(b"{") and value != b"{}"


class StockSource(StockDialect):
    """Speaks to a stock Python client: the events, as they are."""

    def batch(self, batch: Batch) -> list[bytes]:
        return [event.data for event in batch.events] if isinstance(batch, EventBatch) else []


def parse(data: str | bytes) -> dict[str, Any]:
    """Parse what a stock client sends. Raises ValueError naming what is wrong."""
    command = decode(data)
    if not isinstance(command, dict):
        raise ValueError("a command is an object")
    return command
