"""Embeddings windows: selecting a point, showing the points of a region, and going back.

A region's former points move to ``old_content``. The operations have no move, so a delta names them again and weighs
what they weigh.
"""

from __future__ import annotations

import uuid
from typing import Any

from visdom_transport.core.delta import Operation
from visdom_transport.visdom.updates.bounds import drop
from visdom_transport.visdom.updates.check import member
from visdom_transport.visdom.updates.errors import refuse
from visdom_transport.visdom.updates.operations import assign, carry_out


def plan(window: dict[str, Any], args: dict[str, Any], bound: int | None, bound_when_growing: int | None) -> list[Operation]:
    """Select a point (``EntitySelected``) or replace the points (``RegionSelected``)."""
    data = args.get("data")
    if not isinstance(data, dict):
        refuse("data", "must be an object")
    action = member(data, "update_type", "data")
    content = _content(window)
    if action == "EntitySelected":
        return assign(content, ["content"], "selected", member(data, "selected", "data"))
    if action == "RegionSelected":
        points = member(data, "points", "data")
        former = _former(window)
        return [
            ["extend", ["old_content"], [member(content, "data", "win.content")]],
            *drop(["old_content"], len(former) + 1, bound_when_growing),
            *assign(content, ["content"], "selected", None),
            *assign(content, ["content"], "has_previous", True),
            ["set", ["content", "data"], points],
        ]
    return trim(window, bound)


def trim(window: dict[str, Any], bound: int | None) -> list[Operation]:
    """Forget the oldest former points beyond ``bound``."""
    former = window.get("old_content")
    return drop(["old_content"], len(former), bound) if isinstance(former, list) else []


def pop_embeddings(window: dict[str, Any]) -> list[Operation]:
    """Go back to the points before the last region, and return what was done.

    Raises:
        UpdateRefused: not an embeddings window, or there is nothing to go back to.
    """
    if window.get("type") != "embeddings":
        refuse("target", "is not an embeddings window")
    content, former = _content(window), _former(window)
    if not former:
        refuse("target", "has nothing to go back to")
    operations: list[Operation] = [
        *assign(content, ["content"], "selected", None),
        ["set", ["content", "data"], former[-1]],
        ["delete", ["old_content", len(former) - 1]],
        *(assign(content, ["content"], "has_previous", False) if len(former) == 1 else []),
        ["set", ["contentID"], str(uuid.uuid4())],
    ]
    carry_out(window, operations)
    return operations


def _content(window: dict[str, Any]) -> dict[str, Any]:
    content = window.get("content")
    if not isinstance(content, dict):
        refuse("win", "its content is not an embedding")
    return content


def _former(window: dict[str, Any]) -> list[Any]:
    former = window.get("old_content")
    if not isinstance(former, list):
        refuse("win", "it has no old_content")
    return former
