"""The entry points: one update of one window, the bounds of a new window, and which windows can be updated at all."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from visdom_transport.core.delta import Operation
from visdom_transport.visdom.updates import embeddings, history, plot, text
from visdom_transport.visdom.updates.bounds import WindowBounds, assign_bounds, limit, read_bounds
from visdom_transport.visdom.updates.choices import assign_choices
from visdom_transport.visdom.updates.errors import UnknownUpdate, refuse
from visdom_transport.visdom.updates.operations import carry_out
from visdom_transport.visdom.updates.rules import Rules

_FIXED = frozenset({"image", "properties", "network"})
"""Kinds of window that are only ever replaced."""

_BOUND_OF = {
    "plot": "max_points",
    "text": "max_lines",
    "image_history": "max_images",
    "plot_history": "max_images",
    "embeddings": "max_old_content",
}


def apply_update(
    window: dict[str, Any], args: dict[str, Any], server_bounds: WindowBounds, *, rules: Rules, memo: text.Memo | None = None
) -> list[Operation]:
    """Change a window as ``POST /update`` with the body ``args`` asks.

    Returns the operations that do the same to a copy of the window before.

    The operations share no array or object with the window. The cost follows the update, not what the window holds.

    Args:
        window: Visdom's window object, changed in place; it gets a new ``contentID``.
        args: the parsed body.
        server_bounds: the server's bounds.
        rules: which Visdom this is.
        memo: a dictionary the caller keeps between updates: the lines of a bounded text are then not counted again.

    Raises:
        UpdateRefused: the update makes no sense. The window is unchanged.
        UnknownUpdate: not a kind of window known here. The window is unchanged.
    """
    kind = str(window.get("type"))
    bounds = read_bounds(args.get("opts"))
    bound = limit(_BOUND_OF.get(kind, ""), window, server_bounds, bounds)
    content_id = str(uuid.uuid4())
    _check_kind(kind, args.get("data"), rules)
    if kind == "plot":
        operations = _update_plot(window, args, rules, bound, bounds, server_bounds.keep)
    elif args.get("data") is None and bounds:
        operations = _carried_out(window, assign_bounds(window, bounds)) + _trim(window, kind, bound, server_bounds.keep)
    else:
        # Visdom's own bounds count only where Visdom applies them: when something is added.
        growing = bound if bound is not None else rules.bounds[kind]
        if kind == "text":
            operations = text.update(window, args, growing, content_id, memo)
            operations += _carried_out(window, assign_bounds(window, bounds))
        else:
            module = embeddings if kind == "embeddings" else history
            planned = module.plan(window, args, bound, growing)
            operations = _carried_out(window, assign_bounds(window, bounds) + planned)
    return operations + _carried_out(window, [["set", ["contentID"], content_id]])


def bound_window(window: dict[str, Any], server_bounds: WindowBounds, opts: object = None) -> list[Operation]:
    """Keep what ``opts`` say for a window just created, trim it to its bounds, and return what was done.

    Raises:
        UpdateRefused: a bound is not a positive integer, or an option none of its words. The window is unchanged.
    """
    operations = _carried_out(window, assign_bounds(window, read_bounds(opts)) + assign_choices(window, opts))
    kind = str(window.get("type"))
    return operations + _trim(window, kind, limit(_BOUND_OF.get(kind, ""), window, server_bounds), server_bounds.keep)


def refusal_text(window: Mapping[str, Any], rules: Rules) -> str | None:
    """Return what Visdom answers, with status 200, to an update of a plot whose kind it does not update, or None."""
    if window.get("type") != "plot":
        return None
    content = window.get("content")
    traces = content.get("data") if isinstance(content, Mapping) else None
    if not isinstance(traces, list) or not traces or not isinstance(traces[0], Mapping):
        return None
    kind = str(traces[0].get("type", "scatter"))
    if kind in rules.trace_types:
        return None
    *kinds, last = rules.refusal_kinds
    return f"win is not {', '.join(kinds)}, or {last}; was {kind}"


def _update_plot(
    window: dict[str, Any], args: dict[str, Any], rules: Rules, bound: int | None, bounds: Mapping[str, int], keep: str
) -> list[Operation]:
    operations, touched = plot.plan(window, args, rules)
    tightened = bounds.get("max_points", window.get("max_points")) != window.get("max_points")
    carry_out(window, operations)
    return operations + _carried_out(window, plot.trim(window, None if tightened else touched, bound, keep))


def _trim(window: dict[str, Any], kind: str, bound: int | None, keep: str) -> list[Operation]:
    """Drop what is beyond the bound."""
    if kind == "text":
        return text.trim(window, bound)
    if kind == "plot":
        return _carried_out(window, plot.trim(window, None, bound, keep))
    if kind == "embeddings":
        return _carried_out(window, embeddings.trim(window, bound))
    return _carried_out(window, history.trim(window, bound)) if kind in history.SELECTIONS else []


def _check_kind(kind: str, data: object, rules: Rules) -> None:
    """Selecting an entry is for histories only, whatever else the window could make of the data."""
    for n, item in enumerate(data if isinstance(data, list) else ()):
        action = item.get("type") if isinstance(item, Mapping) else None
        if action in history.SELECTIONS.values() and kind not in history.SELECTIONS:
            refuse("win", f"data[{n}].type is {action}, but the window is of type {kind}")
    if kind in _FIXED:
        refuse("win", f"a window of type {kind} can be replaced, not updated")
    if kind != "plot" and kind not in rules.bounds:
        raise UnknownUpdate(f"windows of type {kind:.80} are unknown")


def _carried_out(window: dict[str, Any], operations: list[Operation]) -> list[Operation]:
    carry_out(window, operations)
    return operations
