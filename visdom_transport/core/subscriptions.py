"""Who reads which feed, from where: verdicts, at once or when the feed has come so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeAlias

from visdom_transport.core.causes import Cause
from visdom_transport.core.counts import Counts
from visdom_transport.core.errors import MessageError
from visdom_transport.core.event_feed import EventFeed
from visdom_transport.core.feed import Verdict
from visdom_transport.core.keyed_feed import KeyedFeed
from visdom_transport.core.limits import Limits
from visdom_transport.core.position import check_position
from visdom_transport.core.session import Session, Subscription
from visdom_transport.core.waiting import Waits

Feed: TypeAlias = KeyedFeed | EventFeed

GAPS = {"epoch": Cause.GAPS_EPOCH, "trimmed": Cause.GAPS_TRIMMED}
"""The verdicts that say a gap could not be filled."""


class Subscriptions:
    """All subscriptions of one hub. A feed that is not among ``feeds`` is made by its first reader and forgotten with its last.

    Args:
        make: makes a feed. Raises `MessageError` for a name that is no feed.
        on_forget: is called with the name of a feed that is forgotten.
        on_wait: is called with the time at which `answer_late` has something to do.
    """

    def __init__(
        self,
        feeds: dict[str, Feed],
        make: Callable[[str], Feed],
        limits: Limits,
        on_forget: Callable[[str], None],
        on_wait: Callable[[float], None],
        counts: Counts | None = None,
    ) -> None:
        self.readers: dict[str, dict[Session, None]] = {}
        self._feeds = feeds
        self._kept = frozenset(feeds)
        self._make = make
        self._limits = limits
        self._on_forget = on_forget
        self._on_wait = on_wait
        self._counts = counts
        self._waits = Waits()

    def begin(
        self, session: Session, name: str, position: Any, *, live_only: bool = False, began: int | None = None
    ) -> Verdict | None:
        """See `Hub.subscribe`."""
        check_position(position, self._limits.max_position_keys)
        if name not in session.subscriptions and len(session.subscriptions) >= self._limits.max_subscriptions:
            raise MessageError("limit", f"more than max_subscriptions={self._limits.max_subscriptions}", "feed")
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = self._make(name)
        self.readers.setdefault(name, {})[session] = None
        if not feed.is_ready or feed.awaits(position):
            session.subscriptions[name] = Subscription(feed, asked_at=session.seen_at)
            self._wait(session, name, position, live_only=live_only)
            return None
        return self._answer(session, name, position, live_only=live_only, began=began)

    def _answer(
        self, session: Session, name: str, position: Any, *, live_only: bool = False, began: int | None = None
    ) -> Verdict:
        """Give the verdict."""
        self._waits.discard(name, session)
        feed, link = self._feeds[name], session.link
        cursor, verdict = feed.begin(position, live_only=live_only)
        if verdict.reason in GAPS:
            session.count(GAPS[verdict.reason], name)
        if began is not None:
            cursor.offset = began
            verdict = replace(verdict, offset=began)
        first = verdict.offset if position is None else None
        unheard = link is not None and link.kind == "poll" and bool(position and position.get("part"))
        session.subscriptions[name] = subscription = Subscription(feed, cursor if link is not None else None, first, unheard)
        subscription.wait_from(session.seen_at)
        if self._counts is not None:
            self._count(self._counts, subscription, verdict.reason, link.kind if link is not None else None)
        if link is not None:
            link.control.extend(link.dialect.subscribed(name, verdict))
            link.on_news()
        return verdict

    def _count(self, counts: Counts, subscription: Subscription, reason: str, link: str | None) -> None:
        name = subscription.feed.name
        counts.verdict(name, reason)
        if link is not None:
            subscription.traffic = counts.traffic_of(link, name)
        if subscription.asked_at is not None:
            subscription.reason = reason
        else:
            counts.returned(reason, 0)

    def end(self, session: Session, name: str) -> None:
        """See `Hub.unsubscribe`."""
        session.subscriptions.pop(name, None)
        self._waits.discard(name, session)
        readers = self.readers.get(name)
        if readers is None:
            return
        readers.pop(session, None)
        if not readers:
            del self.readers[name]
            if name not in self._kept:
                feed = self._feeds.pop(name)
                if self._counts is not None and isinstance(feed, KeyedFeed):
                    self._counts.encoded.update(feed.encoded)
                self._on_forget(name)

    # --- verdicts that wait ---

    def set_aside(self, name: str, epoch: str) -> None:
        """Nobody can be served by the feed until it gives verdicts again: on where its readers stand in ``epoch``."""
        for session in self.readers.get(name, ()):
            subscription, link = session.subscriptions[name], session.link
            if subscription.cursor is None:
                continue
            position = subscription.cursor.position(epoch)
            subscription.cursor = None
            # Whether a poll's answer has arrived says the next one, which presents where its client stands.
            if link is not None and not (link.kind == "poll" and link.in_flight):
                self._wait(session, name, position)

    def _wait(self, session: Session, name: str, position: Any, *, live_only: bool = False) -> None:
        if session.link is not None:
            # Its client was heard just now, or is told later what it has not asked for.
            wait = self._waits.add(name, session, position, live_only=live_only, now=session.seen_at)
            self._on_wait(wait.until)

    def forget_waits(self, session: Session) -> None:
        """The session's link is over, and what was asked for on it."""
        self._waits.forget(session)

    def answer_waiting(self, names: Iterable[str]) -> None:
        """These feeds have moved."""
        for name in names if self._waits else ():
            feed = self._feeds.get(name)
            if feed is not None and feed.is_ready:
                for session, wait in self._waits.of(name):
                    if not feed.awaits(wait.position):
                        self._answer(session, name, wait.position, live_only=wait.live_only)

    def answer_late(self, now: float) -> None:
        """See `Hub.answer_late`."""
        for name, session, wait in self._waits.over(now):
            if self._feeds[name].is_ready:
                self._answer(session, name, wait.position, live_only=wait.live_only)
