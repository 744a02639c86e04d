"""``POST /events`` and ``POST /update``: what publishers send goes into the state, and what changed goes to the feeds."""

from __future__ import annotations

from typing import Any

from visdom.utils import server_utils

from ..core.encoding import decode, encode
from .delivery import register_window, transport_of
from .updates import UnknownUpdate, UpdateRefused, apply_update, bound_window, refusal_text

VISDOM_TYPES = frozenset({"image_history", "plot_history", "image", "text", "properties", "network", "embeddings"})
"""Windows whose content is not a plot. Everything else needs a layout."""


def refuse(field: str, message: str, status: int = 400) -> UpdateRefused:
    return UpdateRefused(status, field, message)


def answering_refusals(method: Any) -> Any:
    """Wrap a method that takes the parsed body, with Visdom's login check: a refusal is answered as JSON that names the field."""

    @server_utils.check_auth  # type: ignore[untyped-decorator]
    def post(handler: Any) -> None:
        try:
            try:
                args = decode(handler.request.body)
            except ValueError as error:
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
    refusal = refusal_text(window, transport.rules)
    if refusal is not None:
        handler.write(refusal)
        return
    try:
        delta = apply_update(window, args, transport.caps, rules=transport.rules, memo=transport.line_counts)
    except UnknownUpdate:
        type(handler).wrap_func(handler, args)
        return
    transport.window_updated(eid, win, delta)
    handler.write(window["id"])


def create_window(handler: Any, args: dict[str, Any], eid: str) -> None:
    """Make a window as Visdom does, within its bounds, and register it."""
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
    bound_window(window, transport_of(handler).caps, args.get("opts"))
    register_window(handler, window, eid)


def environment_id(args: dict[str, Any]) -> str:
    eid = args.get("eid")
    if eid is not None and not isinstance(eid, str):
        raise refuse("eid", "must be an environment name")
    escaped: str = server_utils.extract_eid(args)
    return escaped
