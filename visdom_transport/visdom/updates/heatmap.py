"""Heatmaps: rows or columns are added on either side, or the values are replaced."""

from __future__ import annotations

from typing import Any

from visdom_transport.core.delta import Operation
from visdom_transport.visdom.updates.check import array, member
from visdom_transport.visdom.updates.errors import refuse
from visdom_transport.visdom.updates.operations import assign
from visdom_transport.visdom.updates.rules import Rules

_LABELS = {"appendRow": "y", "prependRow": "y", "appendColumn": "x", "prependColumn": "x"}


def plan(
    trace: dict[str, Any], path: list[str | int], data: dict[str, Any], field: str, args: dict[str, Any], rules: Rules
) -> list[Operation]:
    """Grow or replace a heatmap as ``updateDir`` says. Rows or labels that do not fit change nothing, as in Visdom."""
    direction = str(args.get("updateDir"))
    z = member(data, "z", field)
    rest = data
    if args.get("append"):
        rest = {key: value for key, value in data.items() if value is not None and key not in ("x", "y")}
    operations: list[Operation] = []
    if direction != "replace":
        if direction not in _LABELS:
            refuse("updateDir", f"must be replace or one of {', '.join(_LABELS)}, not {direction:.80}")
        axis = _LABELS[direction]
        _check_rows(z, f"{field}.z")
        _check_held_rows(trace.get("z"), axis)
        if not _fits(trace["z"], z, axis) or not _labels_fit(trace, data, axis, field):
            return []
        operations = _grow(path, direction, z, data.get(axis))
        rest = {key: value for key, value in rest.items() if key != "z"}
    for key, value in rest.items():
        operations += assign(trace, path, key, value)
    return operations


def _grow(path: list[str | int], direction: str, z: list[Any], labels: list[Any] | None) -> list[Operation]:
    put = _extend if direction.startswith("append") else _prepend
    operations: list[Operation] = []
    if _LABELS[direction] == "y":
        operations += put([*path, "z"], z)
    else:
        for i, row in enumerate(z):
            operations += put([*path, "z", i], row)
    if labels is not None:
        operations += put([*path, _LABELS[direction]], labels)
    return operations


def _extend(path: list[str | int], items: list[Any]) -> list[Operation]:
    return [["extend", path, items]] if items else []


def _prepend(path: list[str | int], items: list[Any]) -> list[Operation]:
    return [["insert", [*path, i], item] for i, item in enumerate(items)]


def _fits(held: list[Any], z: list[Any], labelled: str) -> bool:
    if labelled == "x":
        return len(held) == len(z)
    return not held or len(held[0]) == len(z[0])


def _labels_fit(trace: dict[str, Any], data: dict[str, Any], axis: str, field: str) -> bool:
    """Whether both sides have labels and the new ones are new, or neither has any."""
    if trace.get(axis) is None or data.get(axis) is None:
        return trace.get(axis) is None and data.get(axis) is None
    held, new = array(trace, axis, "win"), array(data, axis, field)
    return not any(label in held for label in new)


def _check_rows(rows: object, field: str) -> None:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        refuse(field, "must be an array of rows")
    if not rows:
        refuse(field, "must not be empty")


def _check_held_rows(rows: object, labelled: str) -> None:
    # Only the rows that will be looked at: one for a new row, all for a new column.
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in (rows[:1] if labelled == "y" else rows)):
        refuse("win", "its values are not an array of rows")
