"""``POST /events``, ``/update`` and ``/embedding``: publishers change the state, and the feeds are told what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.escape import json_decode
from visdom.utils import server_utils

from ..core.encoding import encode
from .delivery import register_window, transport_of
from .embedding import EmbeddingWindow, is_embedding, parse
from .updates import Caps, UnknownUpdate, UpdateRefused, apply_update, bound_window, read_bounds, refusal_text
from .updates.check import optional_object

if TYPE_CHECKING:
    from .transport import Transport

VISDOM_TYPES = frozenset({"image_history", "plot_history", "image", "text", "properties", "network", "embeddings"})
"""Windows whose content is not a plot. Everything else needs a layout."""

POINT_MEMBERS = frozenset({"data", "name", "append", "delete"})
"""What makes an update more than one of layout and options."""


def refuse(field: str, message: str, status: int = 400) -> UpdateRefused:
    return UpdateRefused(status, field, message)


def answering_refusals(method: Any) -> Any:
    """Wrap a method that takes the parsed body, with Visdom's login check: a refusal is answered as JSON that names the field."""

    @server_utils.check_auth  # type: ignore[untyped-decorator]
    def post(handler: Any) -> None:
        try:
            try:
                # As Visdom does: its client sends NaN.
                args = json_decode(handler.request.body)
            except (ValueError, RecursionError) as error:
                raise refuse("body", f"not JSON: {error}") from error
            if not isinstance(args, dict):
                raise refuse("body", "must be a JSON object")
            method(handler, args)
        except UpdateRefused as refusal:
            handler.set_status(refusal.status)
            handler.set_header("Content-Type", "application/json")
            handler.write(encode({"error": {"code": "bad_field", "message": refusal.message, "field": refusal.field}}))

    return post


@answering_refusals
def post_events(handler: Any, args: dict[str, Any]) -> None:
    """Create a window, or replace the one of the same id."""
    if args.get("func") is not None:
        raise refuse("func", "Lua Torch is not supported")
    create_window(handler, args, environment_id(args))


@answering_refusals
def post_update(handler: Any, args: dict[str, Any]) -> None:
    """Change a window. An append to one that does not exist creates it."""
    win = args.get("win")
    if not isinstance(win, str):
        raise refuse("win", "must be a window id")
    transport = transport_of(handler)
    eid = environment_id(args)
    environment = transport.environment(eid)
    if environment is None and hasattr(transport.app, "storage"):
        transport.app.state[eid] = {"jsons": {}, "reload": {}}
    if environment is None or win not in environment["jsons"]:
        if args.get("append"):
            create_window(handler, args, eid)
        else:
            handler.write("win does not exist")
        return
    window = environment["jsons"][win]
    if is_embedding(window) and (args.keys() & POINT_MEMBERS or read_bounds(args.get("opts"))):
        raise refuse("win", "is a streaming embedding: POST its points and bounds to /embedding")
    refusal = refusal_text(window, transport.rules)
    if refusal is not None:
        handler.write(refusal)
        return
    try:
        delta = apply_update(window, args, caps_of(window, transport), rules=transport.rules, memo=transport.line_counts)
    except UnknownUpdate:
        type(handler).wrap_func(handler, args)
        return
    transport.window_updated(eid, win, delta)
    handler.write(window["id"])


def create_window(handler: Any, args: dict[str, Any], eid: str, **members: Any) -> None:
    """Make a window as Visdom does, within its bounds, and register it. ``members`` are added to it."""
    data = args.get("data")
    if not isinstance(data, list) or not data or not isinstance(data[0], dict) or not isinstance(data[0].get("type"), str):
        raise refuse("data", "must be a list whose first item is an object with a type")
    if not isinstance(args.get("opts", {}), dict):
        raise refuse("opts", "must be an object")
    if data[0]["type"] not in VISDOM_TYPES and not isinstance(args.get("layout"), dict):
        raise refuse("layout", "a plot needs a layout object")
    try:
        window = server_utils.window(args)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise refuse("data", f"not a window of type {data[0]['type'][:50]}: {error!r}") from error
    window.update(members)
    bound_window(window, caps_of(window, transport_of(handler)), args.get("opts"))
    register_window(handler, window, eid)


def caps_of(window: dict[str, Any], transport: Transport) -> Caps:
    """The server's bounds for a window. A streaming embedding has its own, over all of its traces."""
    return Caps() if is_embedding(window) else transport.caps


def environment_id(args: dict[str, Any]) -> str:
    eid = args.get("eid")
    if eid is not None and not isinstance(eid, str):
        raise refuse("eid", "must be an environment name")
    escaped: str = server_utils.extract_eid(args)
    return escaped


@answering_refusals
def post_embedding(handler: Any, args: dict[str, Any]) -> None:
    """Add points to a streaming embedding, or replace them. The window is made by the first event."""
    transport = transport_of(handler)
    eid = environment_id(args)
    win = "embedding" if args.get("win") is None else args["win"]
    if not isinstance(win, str):
        raise refuse("win", "must be a window id")
    opts = optional_object(args, "opts")
    bounds, title = read_bounds(opts), opts.get("title")
    if title is not None and not isinstance(title, str):
        raise refuse("opts.title", f"must be a string, not {title!r:.80}")
    environment = transport.environment(eid)
    window = environment["jsons"].get(win) if environment is not None else None
    held = window if window is not None else {}
    max_points = bounds.get("max_points") or held.get("max_points") or transport.settings.embedding_points
    batch = parse(args, max_points)
    if window is None:
        create_window(handler, {**EmbeddingWindow.creation(batch, opts), "win": win}, eid, embedding={"next": len(batch.points)})
        return
    if not is_embedding(window):
        raise refuse("win", "is not a streaming embedding")
    embedding = EmbeddingWindow(window, counts_versions=transport.rules.counts_versions)
    delta = embedding.apply(batch, max_points, title=title, bounds=bounds)
    transport.window_updated(eid, win, delta)
    handler.write(window["id"])
