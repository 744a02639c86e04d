"""The endpoints that machines ask: ``/transport/livez``, ``/transport/readyz`` and ``/transport/healthz``.

They take no login, as what starts and stops servers has none, and tell nothing that a login would protect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from tornado.web import RequestHandler

from visdom_transport.links.flusher import clock
from visdom_transport.operators.health import Health, report

Look: TypeAlias = Callable[[], Awaitable[None]]
"""Finds out what a check needs to know, within a short time."""


async def no_look() -> None:
    """There is nothing to find out."""


def routes(base_url: str, health: Health, look: Look = no_look) -> list[Any]:
    """For Application.add_handlers."""
    parts = {"health": health, "look": look}
    return [
        (rf"{base_url}/transport/livez", LiveHandler),
        (rf"{base_url}/transport/(?:readyz|healthz)", ReadyHandler, parts),
    ]


class _PlainHandler(RequestHandler):
    """Says something short, which nobody keeps."""

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")

    def _log(self) -> None:
        """Nothing, where Tornado would log the request: whoever asks every second knows the answer, and 503 is no mistake."""


class LiveHandler(_PlainHandler):
    """200, if the loop has turns at all. To start the process again would not help against anything else."""

    def get(self) -> None:
        self.finish("alive\n")

    head = get


class ReadyHandler(_PlainHandler):
    """200 if clients should be sent here, or 503; with ``?verbose`` one line for each check."""

    def initialize(self, health: Health, look: Look) -> None:
        self._health = health
        self._look = look

    async def get(self) -> None:
        await self._look()
        passes, text = report(self._health.verdicts(clock()), verbose=self.get_query_argument("verbose", None) is not None)
        self.set_status(200 if passes else 503)
        self.finish(text)

    head = get
