"""What a read-only server does with HTTP requests that change something, which Visdom carries out all the same."""

from __future__ import annotations

from typing import Any

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

LARGEST_READ_BYTES = 1_000_000
"""A larger body holds more than names: it is not parsed to find that out."""


def is_refused(handler: Any) -> bool:
    """Whether a request changes something and must not. It is answered then."""
    app = handler.application
    if not (app.readonly and app.transport.settings.readonly_http == "refuse" and _changes_something(app, handler.request)):
        return False
    message = f"this server is read only, and {variable('readonly_http')}=refuse"
    app.transport.hub.causes.count(Cause.REFUSED_WRITES, str(handler.request.remote_ip), handler.request.path[:200])
    answer_error(handler, 403, MessageError("readonly", message))
    return True


def _changes_something(app: Any, request: Any) -> bool:
    if request.method in SAFE_METHODS:
        return False
    path = request.path.removeprefix(app.base_url).strip("/")
    kind = path.partition("/")[0]
    if (kind == "env" or path == "win_data") and len(request.body) > LARGEST_READ_BYTES:
        return True
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
