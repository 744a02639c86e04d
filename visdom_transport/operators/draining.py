"""A server that stops lets go of its clients one after the other, so that they do not all come back in one moment."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Final

from visdom_transport.core.errors import CloseCode
from visdom_transport.core.hub import Hub
from visdom_transport.core.link import Link
from visdom_transport.links.flusher import clock

LINKS_PER_S: Final = 500
"""Few links end at once: time is taken only where there are many."""
STEP_S: Final = 0.02


class Pace:
    """How many of ``count`` links are to be ended, by the seconds that have passed: ``most_s`` for all of them at most."""

    def __init__(self, count: int, most_s: float, links_per_s: float = LINKS_PER_S) -> None:
        self._count = count
        self._spread_s = min(most_s, count / links_per_s)

    def due(self, passed_s: float) -> int:
        if passed_s >= self._spread_s:
            return self._count
        return math.ceil(self._count * passed_s / self._spread_s)


async def drain(hub: Hub, most_s: float, links_per_s: float = LINKS_PER_S) -> None:
    """Take no new clients of our protocol, and end the links of those that are there, with `GOING_AWAY`, in at most ``most_s``.

    What they say until then is acted on.
    """
    hub.is_stopping = True
    links = _links(hub)
    pace = Pace(len(links), most_s, links_per_s)
    began, ended = clock(), 0
    while ended < len(links):
        due = pace.due(clock() - began)
        _end(hub, links[ended:due])
        ended = due
        if ended < len(links):
            await asyncio.sleep(STEP_S)
    # Stock's pages know no such answer, and may have come meanwhile.
    _end(hub, _links(hub))


def _links(hub: Hub) -> list[Link]:
    return [session.link for session in hub.sessions.values() if session.link is not None]


def _end(hub: Hub, links: Iterable[Link]) -> None:
    for link in links:
        session = hub.session_of(link)
        if session is not None and session.link is link:
            hub.end(link, CloseCode.GOING_AWAY, clock())
