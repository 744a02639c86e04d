"""What happens before one of Visdom's handlers begins: the body is there, and nothing has changed yet."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any
from urllib.parse import unquote

from visdom_transport.visdom.access import readonly


def prepare(handler: Any) -> Awaitable[None] | None:
    """In the place of RequestHandler.prepare of all of Visdom's handlers. Returns what Tornado waits for, if anything."""
    app = handler.application
    if readonly.is_refused(handler) or (app.login_enabled and not handler.current_user):
        return None
    waiting: Awaitable[None] | None = app.transport.read_ahead.before(handler.request.body, _addressed(app, handler.request.path))
    return waiting


def _addressed(app: Any, path: str) -> list[str]:
    """The environments that the address of a page names."""
    kind, _, rest = path.removeprefix(app.base_url).strip("/").partition("/")
    if kind == "env":
        return [unquote(rest)]
    return unquote(rest).split("+") if kind == "compare" else []
