"""What is measured beside the counts of the hub, in a process that serves viewers or takes what publishers send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol

from visdom_transport.core.counts import Counts
from visdom_transport.core.histogram import Histogram
from visdom_transport.core.link import nothing
from visdom_transport.feed_names import EVENTS, NOTIFICATIONS, split

FLUSH_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
LAG_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
PUBLISH_S = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
FORWARD_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def kind_of(feed: str) -> str:
    """The kind of a feed: env, compare, shared, operator or event."""
    return "event" if feed in (EVENTS, NOTIFICATIONS) else split(feed)[0]


class Hooks(Protocol):
    """What is called with seconds: after a flush, when the loop has its turn, and when the origin has answered a command."""

    flushed: Callable[[float], None]
    turned: Callable[[float], None]
    forwarded: Callable[[float], None]


class _Nothing:
    flushed = turned = forwarded = staticmethod(nothing)


NOTHING: Hooks = _Nothing()
"""Where nothing is measured."""


class Measures:
    """All of one server or relay."""

    def __init__(self) -> None:
        self.counts = Counts(kind_of)
        self.flush_s = Histogram(FLUSH_S)
        self.loop_lag_s = Histogram(LAG_S)
        """How late the event loop has come to what was due."""
        self.published: Counter[tuple[str, str]] = Counter()
        """Messages of publishers, by endpoint and result: applied, refused, or repeated."""
        self.publish_s: dict[str, Histogram] = {}
        """How long it took to carry them out, by endpoint."""
        self.forward_s = Histogram(FORWARD_S)
        """Of a relay: from a command until the origin has answered it."""
        self.flushed, self.turned, self.forwarded = self.flush_s.observe, self.loop_lag_s.observe, self.forward_s.observe
        self.on_close: Callable[[], Awaitable[None]] | None = None
        """Closes the port where the metrics are, if they have one."""

    def took(self, endpoint: str, result: str, seconds: float) -> None:
        """A publisher's message has been carried out, or refused."""
        self.published[endpoint, result] += 1
        if endpoint not in self.publish_s:
            self.publish_s[endpoint] = Histogram(PUBLISH_S)
        self.publish_s[endpoint].observe(seconds)

    async def close(self) -> None:
        """The server stops: nobody is answered any more at a port of the metrics' own."""
        on_close, self.on_close = self.on_close, None
        if on_close is not None:
            await on_close()

    def repeated(self, messages: int) -> None:
        """A publisher has sent messages once more that were applied before."""
        if messages:
            self.published["publish", "repeated"] += messages
