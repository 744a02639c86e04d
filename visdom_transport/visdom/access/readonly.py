"""What a read-only server does with HTTP requests that change something, which Visdom carries out all the same."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any
from urllib.parse import unquote

from tornado.escape import json_decode
from visdom.utils import server_utils

from visdom_transport.core.causes import Cause
from visdom_transport.core.errors import MessageError
from visdom_transport.settings import variable
from visdom_transport.visdom.access.answers import answer_error
from visdom_transport.visdom.access.gate import SAFE_METHODS

READS = frozenset(
    {
        "",  # logging in
        "compare",
        "env_state",
        "socket_wrap",
        "transport/logout",
        "transport/poll",
        "transport/send",
        "vis_socket_wrap",
        "win_exists",
        "win_hash",
    }
)
"""What is posted and changes nothing, or only commands, which are refused one by one. What is not known is not let pass."""


def prepare(handler: Any) -> Awaitable[None] | None:
    """In the place of RequestHandler.prepare of all of Visdom's handlers: the body is there, and nothing has happened yet."""
    app = handler.application
    if app.readonly and app.transport.settings.readonly_http == "refuse" and _changes_something(app, handler.request):
        message = f"this server is read only, and {variable('readonly_http')}=refuse"
        app.transport.hub.causes.count(Cause.REFUSED_WRITES, str(handler.request.remote_ip), handler.request.path[:200])
        answer_error(handler, 403, MessageError("readonly", message))
        return None
    if app.login_enabled and not handler.current_user:
        return None
    kind, _, rest = handler.request.path.removeprefix(app.base_url).strip("/").partition("/")
    rest = unquote(rest)
    eids = {"env": [rest], "compare": rest.split("+")}.get(kind, [])
    waiting: Awaitable[None] | None = app.transport.read_ahead.before(handler.request.body, eids)
    return waiting


def _changes_something(app: Any, request: Any) -> bool:
    if request.method in SAFE_METHODS:
        return False
    path = request.path.removeprefix(app.base_url).strip("/")
    kind = path.partition("/")[0]
    if kind == "env":
        eid = _body(request).get("eid")
        # Visdom's client asks for its environment at its start; a page asks to be shown one.
        return eid is not None and not {str(eid), server_utils.escape_eid(str(eid))} & app.state.keys()
    if path == "win_data":
        return "data" in _body(request)
    return path not in READS and kind != "compare"


def _body(request: Any) -> dict[str, Any]:
    """What the handler will find, parsed as it does that; empty where it will fail."""
    try:
        body = json_decode(request.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
