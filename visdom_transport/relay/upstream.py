"""What a relay follows: the origin's feeds that somebody reads here, over as many links as they need."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from visdom_transport import feed_names
from visdom_transport.client.asking.backoff import Backoff
from visdom_transport.core.errors import CloseCode, GapError, LinkClosed, MessageError
from visdom_transport.core.followed_events import FollowedEvents
from visdom_transport.core.followed_feed import FollowedFeed
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits
from visdom_transport.links.flusher import clock
from visdom_transport.operators.health import GOOD, Verdict
from visdom_transport.relay.link import Away, Message, OriginLink
from visdom_transport.relay.origin import Origin

logger = logging.getLogger("visdom_transport.relay")

Followed: TypeAlias = FollowedFeed | FollowedEvents

FEEDS_OF_A_LINK: Final = 32
"""A session of the origin has at most max_subscriptions of them, 64 by default."""
WINDOW_BATCHES: Final = 16
"""What has arrived is acknowledged at once."""
ASK_AFTER_S: Final = 1.0
"""After so much silence the origin is asked whether it is there: by its answers the relay knows how old its copies may be."""
SILENT_S: Final = 3.0
"""Copies older than this are not what a viewer should be sent to."""
FIRST_PAUSE_S: Final = 0.2
MOST_PAUSE_S: Final = 2.0

EVENT_FEEDS: Final = frozenset({feed_names.EVENTS, feed_names.NOTIFICATIONS})


class Upstream:
    """All links of one relay that carry feeds.

    Args:
        hub: whose feeds these are.
        on_here: is told which server has answered, before it says anything of a feed.
    """

    def __init__(self, origin: Origin, limits: Limits, hub: Callable[[], Hub], on_here: Callable[[str], None]) -> None:
        self._origin = origin
        self._limits = limits
        self._hub = hub
        self._on_here = on_here
        self._strands: list[Strand] = []

    def start(self) -> None:
        """Keep one link, whether or not somebody reads: by it the relay knows whether the origin is there."""
        self._strands.append(Strand(self._origin, self._hub(), self._on_here))

    def follow(self, name: str) -> Followed:
        """Make a feed that follows the origin's of this name. Raises `MessageError` when it has none."""
        limits = self._limits
        feed: Followed
        if name in EVENT_FEEDS:
            feed = FollowedEvents(name, max_count=limits.event_count, max_bytes=limits.event_bytes)
        elif name in (feed_names.SHARED, feed_names.OPERATOR) or feed_names.split(name)[0] in ("env", "compare"):
            feed = FollowedFeed(name, max_tombstones=limits.max_tombstones, large_bytes=limits.batch_bytes)
        else:
            raise MessageError("unknown_feed", f"no feed {name[:100]!r}", "feed")
        strand = next((strand for strand in self._strands if len(strand.feeds) < FEEDS_OF_A_LINK), None)
        if strand is None:
            strand = Strand(self._origin, self._hub(), self._on_here)
            self._strands.append(strand)
        strand.follow(name, feed)
        return feed

    def forget(self, name: str) -> None:
        """Nobody reads it any more."""
        for number, strand in enumerate(self._strands):
            if name in strand.feeds:
                strand.forget(name)
                if number and not strand.feeds:
                    self._strands.remove(strand)
                    strand.stop()
                return

    def stop(self) -> None:
        for strand in self._strands:
            strand.stop()

    def verdict(self, now: float) -> Verdict:
        """Whether all that is followed was read of lately. That sockets are open says nothing of who reads them."""
        if not self._origin.is_here:
            return Verdict(False, "the origin does not answer")
        silent_s = max((now - strand.heard_at for strand in self._strands), default=0.0)
        return GOOD if silent_s < SILENT_S else Verdict(False, f"nothing was read from the origin for {silent_s:.1f} s")


class Strand:
    """One link, made again whenever it is lost, and the feeds that it carries."""

    def __init__(self, origin: Origin, hub: Hub, on_here: Callable[[str], None]) -> None:
        self.feeds: dict[str, Followed] = {}
        self.heard_at = clock()
        """When something was read last."""
        self._origin = origin
        self._hub = hub
        self._on_here = on_here
        self._link: OriginLink | None = None
        self._identity: dict[str, str | None] = {"session": None, "secret": None}
        self._asked: dict[str, int] = {}
        """Verdicts to come, by feed: what is said of it before the last one is about former subscriptions."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def follow(self, name: str, feed: Followed) -> None:
        self.feeds[name] = feed
        self._subscribe(name)

    def forget(self, name: str) -> None:
        del self.feeds[name]
        if self._link is not None:
            self._link.say({"type": "unsubscribe", "feed": name})

    def stop(self) -> None:
        self._task.cancel()

    def _subscribe(self, name: str) -> None:
        if self._link is not None:
            self._asked[name] = self._asked.get(name, 0) + 1
            self._link.say({"type": "subscribe", "feed": name, "position": self.feeds[name].replica.position()})

    async def _run(self) -> None:
        backoff = Backoff(FIRST_PAUSE_S, MOST_PAUSE_S)
        while True:
            try:
                await self._follow(backoff)
            except (Away, LinkClosed) as error:
                why = str(error)
                if isinstance(error, LinkClosed):
                    self._identity = dict.fromkeys(self._identity)
                    if error.code is CloseCode.UNAUTHORIZED:
                        self._origin.refused()
                        why = "it asks for a login: VISDOM_USERNAME and VISDOM_PASSWORD"
                if self._origin.is_here or not backoff.failures:
                    logger.warning("the origin %s is away: %s", self._origin.url, why)
                self._origin.away(why)
            except Exception as error:
                logger.exception("what the origin says cannot be followed")
                self._origin.away(f"it says what cannot be followed: {error!r}")
            await asyncio.sleep(backoff.failed())

    async def _follow(self, backoff: Backoff) -> None:
        """Use one link for as long as it lasts."""
        presented = {name: feed.replica.position() for name, feed in self.feeds.items()}
        origin = self._origin
        hello = {
            "type": "hello",
            "role": "browser",
            **self._identity,
            "window": WINDOW_BATCHES,
            "feeds": presented,
            "relay": {"name": origin.relay, "viewer": False},
        }
        link = await OriginLink.open(
            origin.socket_url("/socket"), await origin.own_headers(), hello, self._heard, ask_after_s=ASK_AFTER_S
        )
        try:
            self._identity = {"session": link.welcome["session"], "secret": link.welcome["secret"]}
            if not origin.is_here:
                logger.info("the origin %s is there", origin.url)
            origin.here(link.welcome["server"])
            backoff.succeeded()
            self._on_here(link.welcome["server"])
            self._begin(link, presented)
            await self._read(link)
        finally:
            self._link = None
            link.close()

    def _heard(self) -> None:
        self.heard_at = clock()
        self._origin.heard()

    def _begin(self, link: OriginLink, presented: Mapping[str, object]) -> None:
        """What has changed since the hello was written."""
        self._link = link
        self._asked = dict.fromkeys(presented, 1)
        for name in presented.keys() - self.feeds.keys():
            link.say({"type": "unsubscribe", "feed": name})
        for name in self.feeds.keys() - presented.keys():
            self._subscribe(name)

    async def _read(self, link: OriginLink) -> None:
        batches = 0
        while True:
            message = await link.read()
            if message.get("type") == "batch":
                batches += 1
                self._take_batch(message)
                link.say({"type": "ack", "batches": batches})
            elif message.get("type") == "subscribed" and self._is_last(message):
                self._hub.take_verdict(message["feed"], message)
            elif message.get("type") == "error" and "feed" in message and self._is_last(message):
                self._hub.take_refusal(message["feed"], message)

    def _is_last(self, message: Message) -> bool:
        """Whether it answers the last subscription, or none."""
        name = message["feed"]
        asked = self._asked.pop(name, 0) - 1
        if asked > 0:
            self._asked[name] = asked
        return asked <= 0 and name in self.feeds

    def _take_batch(self, batch: Message) -> None:
        name = batch["feed"]
        if name in self._asked or name not in self.feeds:
            return
        try:
            self._hub.take_batch(name, batch)
        except GapError as error:
            logger.warning("%s begins again: %s", name, error)
            self._subscribe(name)
