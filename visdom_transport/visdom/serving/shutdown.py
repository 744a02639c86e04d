"""Ending a server: on SIGTERM and SIGINT it refuses new work, tells the clients, saves everything, and exits with status 0."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.routing import Matcher, Rule
from tornado.web import RequestHandler

from visdom_transport.operators.draining import drain
from visdom_transport.visdom.access.answers import answer_error
from visdom_transport.visdom.access.gate import POLL_PATHS, SAFE_METHODS
from visdom_transport.visdom.serving.prepare import GOING_AWAY

logger = logging.getLogger("visdom_transport")

GOODBYE_S = 0.2
"""How long clients have to read why their links end."""

REQUESTS_S = 2.0
"""How long requests that had begun have to end, before what they do is not kept any more."""

_applications: list[Any] = []


def stop_on_signals(app: Any) -> None:
    """Have SIGTERM and SIGINT end the process gently, once the main thread runs the loop and does nothing else.

    An application made in another thread, or where a loop runs already (a notebook), is a guest: its host decides. A host that
    handles a signal itself keeps it.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        IOLoop.current().add_callback(_take_signals, app)


def _take_signals(app: Any) -> None:
    _applications.append(app)
    if len(_applications) > 1:
        return
    loop = asyncio.get_running_loop()
    defaults: dict[signal.Signals, Any] = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    taken = [number for number, default in defaults.items() if signal.getsignal(number) is default]

    def received(number: int, _: Any) -> None:
        # A second signal does what it always did.
        for each in taken:
            signal.signal(each, defaults[each])
        loop.call_soon_threadsafe(lambda: IOLoop.current().add_callback(_stop_all, signal.Signals(number)))

    for number in taken:
        signal.signal(number, received)


async def _stop_all(why: signal.Signals) -> None:
    logger.info("%s: the server saves and stops", why.name)
    results = [await stop(app, asked=_saves_at(why, app)) for app in _applications]
    await asyncio.sleep(GOODBYE_S)
    if not all(results):
        sys.exit(1)
    IOLoop.current().stop()


def _saves_at(why: signal.Signals, app: Any) -> bool:
    """Whether Visdom itself saves everything then: 0.3.0 does when it is interrupted, without what was closed before."""
    return why is signal.SIGINT and hasattr(app, "storage")


async def stop(app: Any, *, asked: bool = False) -> bool:
    """Refuse what would change something, tell the clients, and save. Returns whether everything could be saved.

    Whoever asks for its health is told first.

    Args:
        asked: this counts as somebody's saving everything as it is.
    """
    app.transport.operations.health.stop()
    app.default_router.rules.insert(0, Rule(_Writes(), StoppingHandler))
    transport = app.transport
    await asyncio.gather(drain(transport.hub, transport.settings.drain_s), app.in_progress.ended(REQUESTS_S))
    if transport.measures is not None:
        await transport.measures.close()
    return bool(await app.transport.journal.close(asked=asked))


class _Writes(Matcher):
    """Requests that may change something. Polls are not: each goes on until its link ends, and whoever begins is sent away."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return None if request.method in SAFE_METHODS or request.path.endswith(POLL_PATHS) else {}


class StoppingHandler(RequestHandler):
    """Answers what comes too late."""

    def prepare(self) -> None:
        answer_error(self, 503, GOING_AWAY)
