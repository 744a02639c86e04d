"""Subscriptions that have no verdict yet, because the feed has not come to where the reader is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from visdom_transport.core.session import Session

PATIENCE_S: Final = 2.0
"""A feed that follows another is hardly ever further behind than this. After that a position above its head is taken for one of
another epoch."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What was asked for, and until when a feed that could answer is given time to come so far."""

    position: Any
    live_only: bool
    until: float


class Waits:
    """All of them, by feed and session."""

    def __init__(self) -> None:
        self._by_feed: dict[str, dict[Session, Wait]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_feed)

    def add(self, name: str, session: Session, position: Any, *, live_only: bool, now: float) -> Wait:
        """One that asks again, as a poll does, gets no more time."""
        waits = self._by_feed.setdefault(name, {})
        until = waits[session].until if session in waits else now + PATIENCE_S
        wait = waits[session] = Wait(position, live_only, until)
        return wait

    def discard(self, name: str, session: Session) -> None:
        waits = self._by_feed.get(name, {})
        if waits.pop(session, None) is not None and not waits:
            del self._by_feed[name]

    def forget(self, session: Session) -> None:
        """The session's link is over, and what was asked for on it."""
        for name in list(self._by_feed):
            self.discard(name, session)

    def of(self, name: str) -> list[tuple[Session, Wait]]:
        """Who waits for a feed."""
        return list(self._by_feed.get(name, {}).items())

    def over(self, now: float) -> Iterator[tuple[str, Session, Wait]]:
        """Those that have waited long enough."""
        for name in list(self._by_feed):
            for session, wait in self.of(name):
                if wait.until <= now:
                    yield name, session, wait
