"""Image and plot histories: a list of entries, and which of them is shown."""

from __future__ import annotations

from typing import Any

from visdom_transport.core.delta import Operation
from visdom_transport.visdom.updates.bounds import drop
from visdom_transport.visdom.updates.check import first_entry, index, member
from visdom_transport.visdom.updates.errors import refuse
from visdom_transport.visdom.updates.operations import assign

SELECTIONS = {"image_history": "image_update_selected", "plot_history": "plot_update_selected"}


def plan(window: dict[str, Any], args: dict[str, Any], bound: int | None, bound_when_growing: int | None) -> list[Operation]:
    """Add an entry or select one."""
    if not isinstance(window.get("content"), list):
        refuse("win", "its content is not a history")
    data = first_entry(args)
    action = member(data, "type", "data[0]")
    if action == window["type"]:
        added = member(data, "content", "data[0]")
        length = len(window["content"]) + 1
        return [["extend", ["content"], [added]], *_settle(window, length, length - 1, bound_when_growing)]
    length = len(window["content"])
    if action == SELECTIONS[window["type"]]:
        selected = index(data, "selected", "data[0]")
        if length:
            return _settle(window, length, min(max(0, selected), length - 1), bound)
    return trim(window, bound)


def trim(window: dict[str, Any], bound: int | None) -> list[Operation]:
    """Drop the oldest entries beyond ``bound``; what is shown stays shown, or the oldest entry is."""
    if bound is None or not isinstance(window.get("content"), list) or len(window["content"]) <= bound:
        return []
    selected = window.get("selected")
    return _settle(window, len(window["content"]), selected if isinstance(selected, int) else 0, bound)


def _settle(window: dict[str, Any], length: int, selected: int, bound: int | None) -> list[Operation]:
    excess = max(0, length - bound) if bound is not None else 0
    return drop(["content"], length, bound) + assign(window, [], "selected", max(0, selected - excess))
