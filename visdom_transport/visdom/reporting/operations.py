"""Puts together what the person who runs a server is shown of it: its health, and the operator's page."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from visdom_transport import __version__, feed_names
from visdom_transport.core.causes import Cause, Level
from visdom_transport.core.entries import Values
from visdom_transport.core.hub import Hub
from visdom_transport.core.link import nothing
from visdom_transport.links.flusher import clock
from visdom_transport.operators.board import BoardFeed
from visdom_transport.operators.health import Verdict
from visdom_transport.operators.heard import Heard
from visdom_transport.operators.loop_turns import watched
from visdom_transport.operators.recent import Recent
from visdom_transport.visdom import flavour
from visdom_transport.visdom.observed import is_lazy
from visdom_transport.visdom.reporting import rows
from visdom_transport.visdom.reporting.advice import advice, log_once, printable


class Journal(Protocol):
    """What is asked of the journal."""

    @property
    def condition(self) -> Condition:
        """Whether it can be written."""

    def status(self) -> dict[str, Any]:
        """For people."""


class Condition(Protocol):
    """Whether something can be written."""

    async def look(self) -> None:
        """Find out, if that was not done lately."""

    def verdict(self, now: float) -> Verdict:
        """As far as is known."""


ENVIRONMENTS_SHOWN: Final = 200
"""Those with the most viewers, and the most changes."""


class Operations:
    """Of one application. ``on_turn`` is told how late each turn of the loop is, in seconds."""

    def __init__(self, app: Any, hub: Callable[[], Hub], journal: Journal, on_turn: Callable[[float], None] = nothing) -> None:
        self.health, self.loop_watch = watched({"journal": journal.condition.verdict}, on_turn)
        self.heard = Heard()
        self.recent = Recent()
        self._app = app
        self._hub = hub
        self._journal = journal
        self._began = clock()
        self._offsets: dict[str, tuple[float, int]] = {}
        """When each feed was looked at last, and where it was."""
        self._looking: asyncio.Future[Any] | None = None
        self._feed = BoardFeed(hub, self._parts())

    def log_once(self, client: str, cause: Cause, detail: str, by: int = 1) -> None:
        """Log a cause that came up for a client for the first time, and remember it."""
        log_once(client, cause, detail, by)
        if cause.level is not Level.COUNTED:
            self.recent.add(time.time(), printable(client), cause.value, advice(cause), printable(detail))

    def values(self) -> Values:
        """What the operator's page shows. For a feed that begins."""
        return self._feed.values()

    def _parts(self) -> list[Callable[[float], Mapping[str, Any]]]:
        return [
            self._server,
            lambda now: rows.sessions(self._hub(), now),
            self.heard.part,
            self._environments,
            lambda now: rows.limits(self._hub(), now),
            self._disk,
            lambda now: rows.relays(self._hub(), now),
            self.recent.part,
        ]

    def _server(self, now: float) -> dict[str, Any]:
        failing = {name: each.text for name, each in self.health.verdicts(now).items() if not each.passes}
        return {
            "server": {
                "version": __version__,
                "visdom": flavour.recognise(),
                "uptime_s": int(now - self._began),
                "readonly": bool(self._app.readonly),
                "failing": failing,
            }
        }

    def _disk(self, now: float) -> dict[str, Any]:
        # In the background: a directory that does not answer must not hold up the loop. The next look has the answer.
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._journal.condition.look())
        verdict, journal = self._journal.condition.verdict(now), self._journal.status()
        members = {name: journal[name] for name in ("journal", "journal_bytes", "on_disk", "last_error")}
        return {"disk": {**members, "well": verdict.passes, "text": verdict.text}}

    def _environments(self, now: float) -> dict[str, Any]:
        hub = self._hub()
        viewers = Counter(name for session in hub.sessions.values() if session.link is not None for name in session.subscriptions)
        found = [self._environment(hub, eid, environment, viewers, now) for eid, environment in dict.items(self._app.state)]
        found.sort(key=lambda each: (-each["viewers"], -each["changes_per_s"]))
        self._offsets = {name: seen for name, seen in self._offsets.items() if name in hub.feeds}
        return {f"env/{each['name']}": each for each in found[:ENVIRONMENTS_SHOWN]}

    def _environment(self, hub: Hub, eid: str, environment: Any, viewers: Mapping[str, int], now: float) -> dict[str, Any]:
        name = feed_names.environment(eid)
        windows = None if is_lazy(environment) or environment is None else len(environment["jsons"])
        return {"name": eid, "windows": windows, "viewers": viewers.get(name, 0), "changes_per_s": self._rate(hub, name, now)}

    def _rate(self, hub: Hub, name: str, now: float) -> float:
        feed = hub.feeds.get(name)
        if feed is None:
            return 0.0
        since, before = self._offsets.get(name, (now, feed.offset))
        if now - since >= 1.0 or name not in self._offsets:
            self._offsets[name] = (now, feed.offset)
        return round((feed.offset - before) / (now - since), 1) if now > since else 0.0
