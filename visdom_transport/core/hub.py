"""The hub: feeds, sessions, and the one reaper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from visdom_transport.core import status
from visdom_transport.core.causes import Cause, Causes, closed
from visdom_transport.core.counts import Counts
from visdom_transport.core.delta import Delta
from visdom_transport.core.entries import Values
from visdom_transport.core.errors import CloseCode, GapError, LinkClosed
from visdom_transport.core.event_feed import EventFeed, SharedMember
from visdom_transport.core.feed import Verdict
from visdom_transport.core.followed_events import FollowedEvents
from visdom_transport.core.followed_feed import FollowedFeed
from visdom_transport.core.keyed_feed import KeyedFeed
from visdom_transport.core.limits import Limits
from visdom_transport.core.link import Link, nothing
from visdom_transport.core.quota import Rate, SessionQuota
from visdom_transport.core.session import Session
from visdom_transport.core.state_feed import StateFeed
from visdom_transport.core.subscriptions import Feed, Subscriptions

HUB = "the server"
"""The client of causes that concern everybody."""


class Hub:
    """Connects what changes with who wants to know.

    ``values`` returns where a state feed of a given name reads its values; it raises `MessageError` for a name that is no feed.
    ``event_feeds`` names the event feeds, which exist always; a state feed exists while a session is subscribed to it.
    ``wake`` is called when, after a time of silence, there is something to flush. ``clock`` tells when that is: the clock of
    every ``now``, asked once for each feed and flush. ``causes`` counts degraded service, ``counts``, if given, what goes well.
    ``on_answer`` is called when a source may be done with the events it was sent.

    A hub that follows another server's feeds has ``follow`` instead of values and event feeds: it makes such a feed.
    ``on_forget`` is called with the name of a feed that nobody reads any more, ``on_wait`` with the time at which `answer_late`
    has something to do. ``on_end`` is called with a session that is forgotten.
    """

    def __init__(
        self,
        limits: Limits,
        values: Callable[[str], Values],
        event_feeds: tuple[str, ...] = (),
        wake: Callable[[], None] = lambda: None,
        causes: Causes | None = None,
        on_answer: Callable[[], None] = nothing,
        follow: Callable[[str], FollowedFeed | FollowedEvents] | None = None,
        on_forget: Callable[[str], None] = nothing,
        on_wait: Callable[[float], None] = nothing,
        on_end: Callable[[Session], None] = nothing,
        clock: Callable[[], float] = lambda: 0.0,
        counts: Counts | None = None,
    ) -> None:
        self.limits = limits
        self.is_stopping = False
        """New clients are sent away: they would only be told to go."""
        self.sessions: dict[str, Session] = {}
        self.feeds: dict[str, Feed] = {
            name: EventFeed(name, max_count=limits.event_count, max_bytes=limits.event_bytes) for name in event_feeds
        }
        self.totals = {"sessions": 0, "resumes": 0, "reaped_sessions": 0, "commands": 0}
        self.causes = causes if causes is not None else Causes()
        self.counts = counts
        self.on_answer = on_answer
        self._on_end = on_end
        self._wake = wake
        self._clock = clock
        self._subscriptions = Subscriptions(self.feeds, follow or self._make_feed, limits, on_forget, on_wait, counts)
        self._readers = self._subscriptions.readers
        self._values = values
        self._waiting: dict[Link, float] = {}
        """Links that have not said hello yet, and since when."""
        self._quota = SessionQuota(limits)
        self._dirty: dict[str, None] = {}

    # --- what changes ---

    def set(self, feed: str, key: str) -> None:
        """The value of ``key`` is new or replaced as a whole. Costs nothing when nobody is subscribed."""
        found = self.feeds.get(feed)
        if isinstance(found, StateFeed):
            found.set(key)
            self._mark(feed, found.offset - 1)

    def update(self, feed: str, key: str, delta: Delta) -> None:
        """``delta`` has been applied to the value of ``key``."""
        found = self.feeds.get(feed)
        if isinstance(found, StateFeed):
            found.update(key, delta)
            self._mark(feed, found.offset - 1)

    def delete(self, feed: str, key: str) -> None:
        """``key`` is gone."""
        found = self.feeds.get(feed)
        if isinstance(found, StateFeed):
            if trimmed := found.delete(key):
                self.causes.count(Cause.TRIMMED_TOMBSTONES, HUB, feed, trimmed)
            self._mark(feed, found.offset - 1)

    def publish(self, feed: str, event: Any, shared: SharedMember | None = None) -> None:
        """Append ``event``, with a ``shared`` member if given, to an event feed. Sources are told at once, browsers with the next
        flush.

        A source's handler answers an event by changing what the next one will carry. The later it is told, the more events
        happen before its answer.
        """
        found = self.feeds[feed]
        assert isinstance(found, EventFeed)
        found.publish(event, shared)
        self._tell(feed, found.offset - 1)

    def _tell(self, feed: str, before: int) -> None:
        """There are new events after the offset ``before``."""
        readers = list(self._readers.get(feed, ()))
        if self.counts is not None:
            self.counts.changed(self.feeds[feed])
        if readers:
            self.feeds[feed].times.add(before, self._clock())
        if any(session.role != "source" for session in readers):
            self._mark(feed)
        for session in readers:
            # Telling one may end another.
            if session.role == "source" and session.link is not None:
                session.link.on_news()

    def awaits_answer(self, feed: str) -> bool:
        """Whether a source has not acknowledged all events of ``feed``: its handlers are still busy. Those of the stock dialect
        do not say."""
        return any(session.role == "source" and session.is_busy for session in self._readers.get(feed, ()))

    def _mark(self, feed: str, before: int | None = None) -> None:
        """There is something to flush; if ``before`` is given, changes after that offset."""
        if feed in self._dirty or feed not in self._readers:
            return
        if before is not None:
            self.feeds[feed].times.add(before, self._clock())
        self._dirty[feed] = None
        if len(self._dirty) == 1:
            self._wake()

    def flush(self) -> None:
        """Tell every link whose session follows a changed feed that there is news, and keep the history within its bound."""
        dirty, self._dirty = self._dirty, {}
        self._subscriptions.answer_waiting(dirty)
        told: dict[Link, None] = {}
        for feed in dirty:
            for session in self._readers.get(feed, ()):
                if session.link is not None:
                    told[session.link] = None
        for link in told:
            link.on_news()
        self._trim(dirty)

    def _trim(self, changed: Iterable[str] = ()) -> None:
        if self.counts is not None:
            self.counts.note(self.feeds, changed)
        feeds = [feed for feed in self.feeds.values() if isinstance(feed, KeyedFeed)]
        excess = sum(feed.retained_bytes for feed in feeds) - self.limits.history_bytes
        while excess > 0 and (freed := max(feeds, key=lambda feed: feed.retained_bytes).shed()):
            excess -= freed
            self.causes.count(Cause.TRIMMED_HISTORY_BYTES, HUB, by=freed)

    # --- what the server that is followed says ---

    def take_verdict(self, name: str, verdict: Mapping[str, Any]) -> None:
        """It has answered a subscription to the feed ``name``. If that is another life now, readers are told without having
        asked, when there is something to tell."""
        feed = self.feeds.get(name)
        if isinstance(feed, FollowedFeed | FollowedEvents):
            epoch = feed.epoch
            feed.subscribed(verdict)
            if feed.epoch != epoch or not feed.is_ready:
                self._subscriptions.set_aside(name, epoch)
            self._mark(name)

    def take_batch(self, name: str, batch: Mapping[str, Any]) -> None:
        """It has sent a batch. Raises `GapError` when that does not fit: subscribe again, with the replica's position."""
        feed = self.feeds.get(name)
        if isinstance(feed, FollowedEvents):
            before = feed.offset
            feed.apply(batch)
            self._tell(name, before)
        elif isinstance(feed, FollowedFeed):
            before = feed.offset
            try:
                feed.apply(batch)
            except GapError:
                self._subscriptions.set_aside(name, feed.epoch)
                raise
            self._mark(name, before)

    def take_refusal(self, name: str, error: Mapping[str, Any]) -> None:
        """It has refused a subscription to the feed ``name``: who asked for it here is told the same."""
        for session in list(self._readers.get(name, ())):
            self.unsubscribe(session, name)
            if session.link is not None:
                session.link.say({**error, "feed": name})

    # --- links without a session ---

    def await_hello(self, link: Link, now: float) -> None:
        """A connection is there that has not said hello yet. Raises `LinkClosed` (LIMIT) when there are too many."""
        self._quota.acquire(link.address)
        self._waiting[link] = now

    def hello(self, link: Link) -> None:
        """The link has said hello, or is gone: it is not waited for."""
        if self._waiting.pop(link, None) is not None:
            self._quota.release(link.address)

    # --- sessions ---

    def open_session(
        self,
        role: str,
        now: float,
        *,
        dialect: str = "own",
        grace_s: float | None = None,
        address: str = "",
        login: str = "",
        identity: tuple[str, str] | None = None,
    ) -> Session:
        """Make a session, of an ``identity`` (id and secret) that another server has given if so. Raises `LinkClosed` (LIMIT)
        when there are too many."""
        self._quota.acquire(address)
        limits = self.limits
        session = Session(
            role,
            limits.grace_s if grace_s is None else grace_s,
            dialect,
            address,
            login,
            self.causes,
            self.counts,
            commands=Rate(limits.max_commands_per_s, now),
            messages=Rate(limits.max_messages_per_s, now),
        )
        if identity is not None:
            session.id, session.secret = identity
        session.detached_at = session.seen_at = now
        self.sessions[session.id] = session
        self.totals["sessions"] += 1
        if self.counts is not None:
            self.counts.opened[role] += 1
        return session

    def resume_session(self, session_id: Any, secret: Any, role: str, login: str = "") -> Session | None:
        """Find a session to resume, or None when it is not known. It goes with this login from now on.

        Raises:
            LinkClosed: WRONG_SECRET.
        """
        session = self.sessions.get(session_id) if isinstance(session_id, str) else None
        if session is None or session.role != role or session.dialect != "own":
            return None
        if not session.knows_secret(secret):
            raise LinkClosed(CloseCode.WRONG_SECRET)
        session.resume(login)
        self.totals["resumes"] += 1
        return session

    @property
    def waiting_links(self) -> int:
        """Links that have not said hello yet."""
        return len(self._waiting)

    def session_of(self, link: Link) -> Session | None:
        """The session that a link belongs to, if it has said hello."""
        return self.sessions.get(link.reader.id) if link.reader is not None else None

    def attach(self, session: Session, link: Link, now: float) -> None:
        """Give ``session`` a link; an older one is replaced. Cursors start over with the link."""
        self._subscriptions.forget_waits(session)
        replaced, session.link, link.reader = session.link, link, session
        link.hear(now)
        for subscription in session.subscriptions.values():
            subscription.cursor = None
        if replaced is not None:
            self.end(replaced, CloseCode.REPLACED, now)

    def detach(self, link: Link, now: float) -> None:
        """The connection is gone; its session waits for another one until its grace period is over."""
        link.let_go()
        self.hello(link)
        session, link.reader = self.session_of(link), None
        if session is None or session.link is not link:
            return
        session.link = None
        session.detached_at = now
        self.on_answer()
        self._subscriptions.forget_waits(session)
        for subscription in session.subscriptions.values():
            subscription.cursor = None
        if session.grace_s <= 0:
            self._remove(session)

    def end(self, link: Link, code: CloseCode, now: float, detail: str = "") -> None:
        """Close ``link`` from this side. ``detail`` says more than the code."""
        session = self.session_of(link)
        if session is not None:
            session.count(closed(code), detail)
        else:
            self.causes.count(closed(code), link.address, detail)
        on_close = link.let_go()
        self.detach(link, now)
        on_close(code)

    def end_login(self, login: str, now: float) -> int:
        """Somebody has logged out: end every session that goes with this login. Returns how many."""
        found = [session for session in self.sessions.values() if session.login == login]
        for session in found:
            self.end_session(session, CloseCode.UNAUTHORIZED, now)
        return len(found)

    def end_session(self, session: Session, code: CloseCode, now: float, detail: str = "") -> None:
        """Close the link of ``session``, if it has one, and forget the session."""
        if session.link is not None:
            self.end(session.link, code, now, detail)
        self._remove(session)

    def _remove(self, session: Session) -> None:
        if self.sessions.pop(session.id, None) is None:
            return
        for name in list(session.subscriptions):
            self.unsubscribe(session, name)
        self._quota.release(session.address)
        self._on_end(session)

    # --- subscriptions ---

    def _make_feed(self, name: str) -> Feed:
        return StateFeed(name, self._values(name), max_tombstones=self.limits.max_tombstones, large_bytes=self.limits.batch_bytes)

    def subscribe(
        self, session: Session, name: str, position: Any, *, live_only: bool = False, began: int | None = None
    ) -> Verdict | None:
        """Begin or restart a subscription; the verdict is queued on the session's link. None: it must wait for the feed.

        ``began`` is where a reader of events without a position began before; it begins there again.

        Raises:
            MessageError: no such feed, a malformed position, or too many subscriptions.
        """
        return self._subscriptions.begin(session, name, position, live_only=live_only, began=began)

    def unsubscribe(self, session: Session, name: str) -> None:
        """End a subscription. A state feed that nobody reads any more is forgotten."""
        self._subscriptions.end(session, name)

    def answer_late(self, now: float) -> None:
        """Who has waited long enough for a feed to come to where it is gets the verdict on where the feed is."""
        self._subscriptions.answer_late(now)

    # --- time ---

    def tick(self, now: float) -> None:
        """The reaper: ping silent links, end dead ones, forget sessions past their grace period and history past its bound.

        Call it at least twice per heartbeat.
        """
        for session in list(self.sessions.values()):
            link = session.link
            if link is None:
                if now - session.detached_at >= session.grace_s:
                    self._remove(session)
                    self.totals["reaped_sessions"] += 1
                continue
            silence = now - link.heard_at
            if silence >= self.limits.dead_after_s:
                self.end(link, CloseCode.SILENT, now)
            elif silence >= self.limits.heartbeat_s and now - link.pinged_at >= self.limits.heartbeat_s:
                link.pinged_at = now
                link.on_ping()
                link.on_news()
        for link, since in list(self._waiting.items()):
            if now - since >= self.limits.dead_after_s:
                self.end(link, CloseCode.SILENT, now, "no hello")
        self.answer_late(now)
        self._trim()

    def excuse(self, lost_s: float, now: float) -> None:
        """The server did nothing for so long: it could neither hear anybody nor ask whether they are there."""
        for session in self.sessions.values():
            if session.link is not None:
                session.link.excuse(lost_s, now)
            else:
                session.detached_at = min(now, session.detached_at + lost_s)
        self._waiting = {link: min(now, since + lost_s) for link, since in self._waiting.items()}

    def status(self, now: float) -> dict[str, Any]:
        """What docs/operations.md shows for ``/transport/status``."""
        totals = {**self.totals, "waiting_links": self.waiting_links, **self.causes.totals}
        return status.of_hub(self.sessions.values(), self.feeds.values(), totals, now)
