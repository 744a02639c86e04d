"""What pages of stock Visdom show: one environment or comparison at a time, which the server chooses for them."""

from __future__ import annotations

from visdom_transport import feed_names
from visdom_transport.core.hub import Hub
from visdom_transport.core.session import Session
from visdom_transport.visdom.state.environments import Environments
from visdom_transport.visdom.state.values import FeedValues


class StockPages:
    """Has pages of stock Visdom follow feeds."""

    def __init__(self, hub: Hub, environments: Environments, values: FeedValues) -> None:
        self._hub = hub
        self._environments = environments
        self._values = values

    def show(self, session: Session, feed: str) -> None:
        """Have a page show the environment or comparison of ``feed`` instead of what it shows now.

        Raises:
            MessageError: it cannot be shown; the page goes on with what it shows now.
        """
        # Held until the feed reads from it: a comparison that nobody holds is combined again by the next who asks.
        _held = self._values.of(feed)
        kind, shown = feed_names.split(feed)
        for eid in [shown] if kind == "env" else feed_names.compared(shown)[0]:
            self._environments.get(eid)
        self.follow(session, feed, live_only=False)

    def follow(self, session: Session, feed: str, *, live_only: bool = True) -> None:
        """Have a page follow ``feed`` from now on; it has, or will ask for, what is there already.

        Raises:
            MessageError: there is no such feed.
        """
        self._values.of(feed)
        for name in [name for name in session.subscriptions if feed_names.split(name)[0] in ("env", "compare")]:
            self._hub.unsubscribe(session, name)
        if session.link is not None:
            session.link.dialect.show(feed)
        self._hub.subscribe(session, feed, None, live_only=live_only)
