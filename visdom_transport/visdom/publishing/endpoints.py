"""``POST /events``, ``/update``, ``/close`` and ``/embedding``: publishers change the state, and the feeds are told what changed.

Each endpoint is a plain function of the transport and the parsed body. It returns the text of the reply, or raises
`UpdateRefused` with nothing changed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from visdom.server.handlers import web_handlers
from visdom.utils import server_utils

from visdom_transport.core.causes import Cause
from visdom_transport.core.errors import MessageError
from visdom_transport.core.window_ids import window_id
from visdom_transport.links.flusher import clock
from visdom_transport.visdom.access.answers import answer_error
from visdom_transport.visdom.embedding import EmbeddingWindow, is_embedding, parse
from visdom_transport.visdom.publishing.senders import environments_of, sender_of
from visdom_transport.visdom.serving.broadcasts import transport_of
from visdom_transport.visdom.serving.prepare import LARGE_BODY_BYTES, json_of
from visdom_transport.visdom.updates import (
    UnknownUpdate,
    UpdateRefused,
    WindowBounds,
    apply_update,
    bound_window,
    read_bounds,
    refusal_text,
)
from visdom_transport.visdom.updates.check import optional_object
from visdom_transport.visdom.updates.errors import refuse

if TYPE_CHECKING:
    from visdom_transport.visdom.transport import Transport

logger = logging.getLogger("visdom_transport.publishing")

CONFLICT = 409
"""The status of what cannot be done because of a file in Visdom's directory."""

NOT_FOUND = 404
"""The status of what cannot be done because something is not there."""

NO_WINDOW = "win does not exist"
"""Visdom's answer to an update of a window that is not there."""

Endpoint: TypeAlias = "Callable[[Transport, dict[str, Any]], str]"

VISDOM_TYPES = frozenset({"image_history", "plot_history", "image", "text", "properties", "network", "embeddings"})
"""Windows whose content is not a plot. Everything else needs a layout."""

OTHER_MEMBERS = frozenset({"append", "layout", "name"})
"""What may differ between a body that makes a window and the one that adds to it."""

POINT_MEMBERS = frozenset({"data", "name", "append", "delete"})
"""What makes an update more than one of layout and options."""


def parsed_body(handler: Any) -> dict[str, Any]:
    """The JSON object a request carries. The id of a window in it is text.

    Raises:
        UpdateRefused: it carries something else.
    """
    try:
        args = json_of(handler)
    except (ValueError, RecursionError) as error:
        refuse("body", f"not JSON: {error}")
    if not isinstance(args, dict):
        refuse("body", "must be a JSON object")
    if isinstance(args.get("win"), int | float):
        args["win"] = window_id(args["win"])
        if len(handler.request.body) <= LARGE_BODY_BYTES:
            # Visdom's own handlers read it again. What they are left is small.
            handler.request.body = json.dumps(args).encode()
    return args


def posted(endpoint: Endpoint, content_type: str = "text/plain; charset=UTF-8", *, name: str | None = None) -> Any:
    """A handler's ``post`` for an endpoint, with Visdom's login check. A refusal is answered as JSON that names the field.
    With a ``name`` it is measured.

    The reply repeats what was sent, window ids for instance: it is not called HTML, as which Visdom's would be shown.
    """

    @server_utils.check_auth  # type: ignore[untyped-decorator]
    def post(handler: Any) -> None:
        transport, began, result = transport_of(handler), clock(), "refused"
        handler.set_header("Content-Type", content_type)
        handler.set_header("X-Content-Type-Options", "nosniff")
        try:
            body = parsed_body(handler)
            transport.operations.heard.count(*sender_of(handler, body), environments_of(body), began)
            # The id of a window that was set through /win_data need not be text that can be sent.
            handler.write(endpoint(transport, body).encode(errors="replace"))
            result = "applied"
        except UpdateRefused as refusal:
            refused(handler, refusal.status, as_error(refusal))
        except MessageError as error:
            refused(handler, CONFLICT, error)
        finally:
            if name is not None and transport.measures is not None:
                transport.measures.took(name, result, clock() - began)

    return post


def refused(handler: Any, status: int, error: MessageError) -> None:
    """Refuse what a publisher sent, and count that. The message may repeat what it sent, which is not for the log."""
    answer_error(handler, status, error)
    detail = f"{handler.request.path}: {error.code} {error.field}"
    transport, address = transport_of(handler), str(handler.request.remote_ip)
    transport.operations.heard.refuse("", address, detail, clock())
    transport.hub.causes.count(Cause.REFUSED_PAYLOADS, f"publisher at {address}", detail)


def as_error(refusal: UpdateRefused) -> MessageError:
    return MessageError("bad_field", refusal.message, refusal.field)


def events(transport: Transport, args: dict[str, Any]) -> str:
    """Create a window, or replace the one of the same id. With `otherwise` in the body, one that exists is not replaced."""
    if args.get("func") is not None:
        refuse("func", "Lua Torch is not supported")
    eid = environment_id(args)
    if "otherwise" in args:
        other, win = other_form(args), args.get("win")
        environment = transport.environments.readable(eid)
        if environment is not None and isinstance(win, str) and win in environment["jsons"]:
            return update(transport, other) if other is not None else win
    return create_window(transport, args, eid)


def update(transport: Transport, args: dict[str, Any]) -> str:
    """Change a window. One that does not exist is created by an append, or by what `otherwise` in the body makes of it."""
    win = require_id("win", args.get("win"), "window id")
    eid = environment_id(args)
    other = other_form(args) if "otherwise" in args else args if args.get("append") else None
    environment = transport.environments.get(eid) if other is None else transport.environments.readable(eid)
    if eid not in transport.app.state and transport.storage.makes_environments:
        environment = transport.environments.begin(eid)
    if environment is None or win not in environment["jsons"]:
        return create_window(transport, other, eid) if other is not None else NO_WINDOW
    window = environment["jsons"][win]
    if not isinstance(window, dict):
        refuse("win", "is no window: something else was put in its place through /win_data")
    if is_embedding(window) and (args.keys() & POINT_MEMBERS or read_bounds(args.get("opts"))):
        refuse("win", "is a streaming embedding: POST its points and bounds to /embedding")
    refusal = refusal_text(window, transport.rules)
    if refusal is not None:
        return refusal
    try:
        delta = apply_update(window, args, bounds_of(window, transport), rules=transport.rules, memo=transport.line_counts)
    except UnknownUpdate:
        return _left_to_visdom(transport, args)
    transport.changes.window_updated(eid, win, delta)
    return str(window.get("id", win))


def update_over_http(transport: Transport, args: dict[str, Any]) -> str:
    """The same. Without its environment Visdom fails (0.2.4), and to its client a sentence would be the window's id."""
    answer = update(transport, args)
    if answer == NO_WINDOW and (eid := environment_id(args)) not in transport.app.state:
        refuse("eid", f"no environment {eid[:100]!r}", NOT_FOUND)
    return answer


def other_form(args: dict[str, Any]) -> dict[str, Any] | None:
    """What a body with `otherwise` means if the window is not as its endpoint expects. None: nothing is to be done then.

    Raises:
        UpdateRefused: `otherwise` is neither null nor an object of members that may differ.
    """
    other = args["otherwise"]
    if other is None:
        return None
    if not isinstance(other, dict):
        refuse("otherwise", f"must be an object or null, not {other!r:.80}")
    for key in other.keys() - OTHER_MEMBERS:
        refuse(f"otherwise.{key}", f"must be one of {', '.join(sorted(OTHER_MEMBERS))}")
    return {key: value for key, value in args.items() if key != "otherwise"} | other


def _left_to_visdom(transport: Transport, args: dict[str, Any]) -> str:
    answer = _Answer(transport.app)
    web_handlers.UpdateHandler.wrap_func(answer, args)
    if answer.status != 200:
        refuse("win", answer.text, answer.status)
    return answer.text


class _Answer:
    """Stands in for a request handler of Visdom's: has what the application has, and keeps the answer."""

    def __init__(self, app: Any) -> None:
        self.application = app
        self.status = 200
        self.text = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.application, name)

    def set_status(self, status: int, reason: str | None = None) -> None:
        self.status = status

    def write(self, text: str) -> None:
        self.text += text


def close(transport: Transport, args: dict[str, Any]) -> str:
    """Close a window, or all windows of the environment. What is not there is closed already."""
    eid, win = environment_id(args), args.get("win")
    if win is not None:
        require_id("win", win, "window id, or null for all windows")
    environment = transport.environments.get(eid)
    if environment is None:
        return ""
    windows = environment["jsons"]
    popped = [(each, windows.pop(each, None)) for each in (list(windows) if win is None else [win])]
    closed = [(each, window) for each, window in popped if window is not None]
    if closed:
        transport.changes.windows_closed(eid, closed)
    return ""


def create_window(transport: Transport, args: dict[str, Any], eid: str, **members: Any) -> str:
    """Make a window as Visdom does, within its bounds, and put it into the state. ``members`` are added to it. Returns its id."""
    data = args.get("data")
    if not isinstance(data, list) or not data or not isinstance(data[0], dict) or not isinstance(data[0].get("type"), str):
        refuse("data", "must be a list whose first item is an object with a type")
    if not isinstance(args.get("opts", {}), dict):
        refuse("opts", "must be an object")
    if isinstance(args.get("win"), str):
        require_id("win", args["win"], "window id")
    if data[0]["type"] not in VISDOM_TYPES and not isinstance(args.get("layout"), dict):
        refuse("layout", "a plot needs a layout object")
    try:
        window = server_utils.window(args)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        refuse("data", f"not a window of type {data[0]['type'][:50]}: {error!r}")
    window.update(members)
    bound_window(window, bounds_of(window, transport), args.get("opts"))
    transport.environments.put_window(window, eid)
    return str(window["id"])


def bounds_of(window: dict[str, Any], transport: Transport) -> WindowBounds:
    """The server's bounds for a window. A streaming embedding has its own, over all of its traces."""
    return WindowBounds() if is_embedding(window) else transport.window_bounds


def require_id(field: str, value: Any, what: str) -> str:
    """Check an id of a window or environment, which must be text that a reply can carry: no half of a surrogate pair.

    Raises:
        UpdateRefused: it is none.
    """
    if not isinstance(value, str):
        refuse(field, f"must be a {what}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        refuse(field, f"must be a {what} in Unicode: {error}")
    return value


def environment_id(args: dict[str, Any]) -> str:
    if args.get("eid") is not None:
        require_id("eid", args["eid"], "environment name")
    escaped: str = server_utils.extract_eid(args)
    return escaped


def embedding(transport: Transport, args: dict[str, Any]) -> str:
    """Add points to a streaming embedding, or replace them. The window is made by the first event."""
    eid = environment_id(args)
    win = require_id("win", "embedding" if args.get("win") is None else args["win"], "window id")
    opts = optional_object(args, "opts")
    bounds, title = read_bounds(opts), opts.get("title")
    if title is not None and not isinstance(title, str):
        refuse("opts.title", f"must be a string, not {title!r:.80}")
    environment = transport.environments.readable(eid)
    window = environment["jsons"].get(win) if environment is not None else None
    held = window if window is not None else {}
    max_points = bounds.get("max_points") or held.get("max_points") or transport.settings.embedding_points
    batch = parse(args, max_points)
    if window is None:
        creation = {**EmbeddingWindow.creation(batch, opts), "win": win}
        return create_window(transport, creation, eid, embedding={"next": len(batch.points)})
    if not is_embedding(window):
        refuse("win", "is not a streaming embedding")
    held_points = EmbeddingWindow(window, counts_versions=transport.rules.counts_versions)
    transport.changes.window_updated(eid, win, held_points.apply(batch, max_points, title=title, bounds=bounds))
    return str(window["id"])


ENDPOINTS: dict[str, Endpoint] = {"events": events, "update": update, "close": close, "embedding": embedding}

post_events = posted(events, name="events")
post_update = posted(update_over_http, name="update")
post_close = posted(close, name="close")
post_embedding = posted(embedding, name="embedding")
