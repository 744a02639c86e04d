"""What happens before one of Visdom's handlers begins: the body is there, and nothing has changed yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any
from urllib.parse import unquote

from tornado.escape import json_decode, to_basestring

from visdom_transport.core.errors import MessageError
from visdom_transport.visdom.access import readonly
from visdom_transport.visdom.access.answers import answer_error
from visdom_transport.visdom.access.gate import SAFE_METHODS
from visdom_transport.visdom.durability.stepwise import decode_stepwise
from visdom_transport.visdom.durability.threads import in_thread

LARGE_BODY_BYTES = 4_000_000
"""A smaller body is parsed when it is needed: that takes some ten milliseconds."""

GOING_AWAY = MessageError("going_away", "the server is stopping")

MEANING_MAIN = frozenset({"close", "embedding", "events", "experiments", "update", "win_data", "win_exists", "win_hash"})
"""Where a request that names no environment means this one."""


def prepare(handler: Any) -> Awaitable[Any] | None:
    """In the place of RequestHandler.prepare of all of Visdom's handlers. Returns what Tornado waits for, if anything."""
    app, request = handler.application, handler.request
    if is_too_late(handler):
        return None
    if request.method not in SAFE_METHODS:
        app.in_progress.begin(handler)
    if readonly.is_refused(handler) or (app.login_enabled and not handler.current_user):
        return None
    reading: Awaitable[None] | None = app.transport.read_ahead.before(request.body, _addressed(app, request))
    if len(request.body) <= LARGE_BODY_BYTES or request.files:
        return reading if reading is None else _after(handler, reading)
    parsing = _parse(handler)
    return _after(handler, parsing if reading is None else asyncio.gather(reading, parsing))


def is_too_late(handler: Any) -> bool:
    """Answer a request that may change something, if the state has been saved for the last time. Returns whether that is so.

    `shutdown` turns such requests away when they begin. The body of one that began before that comes later than its headers.
    """
    if handler.request.method in SAFE_METHODS or not handler.application.transport.journal.is_closed:
        return False
    answer_error(handler, 503, GOING_AWAY)
    return True


async def _after(handler: Any, waiting: Awaitable[Any]) -> None:
    await waiting
    is_too_late(handler)


def json_of(handler: Any) -> Any:
    """What the body of a request holds, of a large one as it was parsed before.

    Raises:
        ValueError: it is not JSON. Or RecursionError, of a small one.
    """
    parsed = handler.__dict__.pop("parsed_body", None)
    if isinstance(parsed, ValueError):
        raise parsed
    # As Visdom does: its client sends NaN.
    return json_decode(to_basestring(handler.request.body)) if parsed is None else parsed


async def _parse(handler: Any) -> None:
    try:
        handler.parsed_body = await in_thread(decode_stepwise, handler.request.body)
    except ValueError as error:
        handler.parsed_body = error


def _addressed(app: Any, request: Any) -> list[str]:
    """The environments that an address names, or that a request means which names none."""
    kind, _, rest = request.path.removeprefix(app.base_url).strip("/").partition("/")
    if kind == "env":
        return [unquote(rest)]
    if kind == "compare":
        return unquote(rest).split("+")
    means_main = kind in MEANING_MAIN and request.method == "POST" and b'"eid"' not in request.body
    return ["main"] if means_main else []
