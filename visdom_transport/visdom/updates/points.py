"""Traces made of points: appending, replacing, and keeping no more than a bound."""

from __future__ import annotations

import math
from typing import Any

from visdom_transport.core.delta import Operation
from visdom_transport.visdom.updates.bounds import drop
from visdom_transport.visdom.updates.check import array
from visdom_transport.visdom.updates.errors import refuse
from visdom_transport.visdom.updates.operations import are_atoms, assign
from visdom_transport.visdom.updates.overview import survivors
from visdom_transport.visdom.updates.rules import Rules

_TRACE_TYPES = frozenset({"scatter", "scattergl", "scatter3d", "custom"})

_AXES = ("x", "y", "z")

_POINT_ARRAYS: tuple[tuple[str, ...], ...] = (
    *((axis,) for axis in _AXES),
    *((name,) for name in ("text", "hovertext", "textposition", "hoverinfo", "customdata", "ids")),
    *(("marker", name) for name in ("color", "size", "symbol", "opacity")),
    *(("marker", "line", name) for name in ("color", "width")),
    *(("textfont", name) for name in ("color", "size", "family")),
    *((f"error_{axis}", name) for axis in _AXES for name in ("array", "arrayminus")),
    ("line", "color"),
)
"""Where a trace may hold one value per point."""


def plan(
    trace: dict[str, Any], path: list[str | int], data: dict[str, Any], field: str, args: dict[str, Any], rules: Rules
) -> list[Operation]:
    """Append to a trace's points, or replace them. New points without a single x value change nothing."""
    if _is_void(data, field, rules):
        return []
    append = bool(args.get("append"))
    axes = _AXES if rules.third_axis and trace.get("type") == "scatter3d" else _AXES[:2]
    operations = []
    for axis in axes:
        operations += _extend_or_set(trace, path, axis, array(data, axis, field), field, append)
    return operations + _marker(trace, path, data.get("marker"), field, append)


def trim(trace: Any, path: list[str | int], bound: int | None, keep: str) -> list[Operation]:
    """Drop the points beyond ``bound`` from every array that holds one value per point: the oldest, or with "overview" those that
    the whole run can be seen without."""
    if bound is None or not isinstance(trace, dict) or str(trace.get("type", "scatter")) not in _TRACE_TYPES:
        return []
    length = max((len(trace[axis]) for axis in _AXES if isinstance(trace.get(axis), list)), default=0)
    if length <= bound:
        return []
    arrays = {address: held for address in _POINT_ARRAYS if (held := _array_at(trace, address))}
    if keep == "overview":
        x, y = (_filled(arrays.get((axis,), []), length) for axis in ("x", "z" if "z" in trace else "y"))
        kept = survivors(x, y, bound)
        return [["set", [*path, *address], [held[i] for i in kept if i < len(held)]] for address, held in arrays.items()]
    excess = length - bound
    operations: list[Operation] = []
    for address, held in arrays.items():
        operations += drop([*path, *address], len(held), max(0, len(held) - excess))
    return operations


def _filled(values: list[Any], length: int) -> list[Any]:
    return [*values, *[None] * (length - len(values))]


def _array_at(trace: dict[str, Any], address: tuple[str, ...]) -> list[Any] | None:
    holder: Any = trace
    for key in address:
        holder = holder.get(key) if isinstance(holder, dict) else None
    return holder if isinstance(holder, list) else None


def _is_void(data: dict[str, Any], field: str, rules: Rules) -> bool:
    x = array(data, "x", field)
    if not are_atoms(x):
        refuse(f"{field}.x", "must hold numbers, strings or nulls")
    is_void = _is_not_finite if rules.skips_infinite else math.isnan
    return all(value is None or (isinstance(value, float) and is_void(value)) for value in x)


def _is_not_finite(value: float) -> bool:
    return not math.isfinite(value)


def _marker(trace: dict[str, Any], path: list[str | int], marker: Any, field: str, append: bool) -> list[Operation]:
    if marker is None:
        return []
    if not isinstance(marker, dict):
        refuse(f"{field}.marker", f"must be an object, not {marker!r:.80}")
    operations: list[Operation] = []
    held = trace.get("marker")
    if held is None:
        held = {}
        operations.append(["set", [*path, "marker"], {}])
    if "color" not in marker:
        return operations
    if not isinstance(held, dict):
        refuse(f"{field}.marker", "cannot be changed: what the trace holds is not an object")
    if not append:
        return operations + assign(held, [*path, "marker"], "color", marker["color"])
    if marker["color"] is None:
        return operations
    color = array(marker, "color", f"{field}.marker")
    if "color" not in held:
        return [*operations, ["set", [*path, "marker", "color"], color]]
    return operations + _extend_or_set(held, [*path, "marker"], "color", color, f"{field}.marker", append)


def _extend_or_set(
    holder: dict[str, Any], path: list[str | int], key: str, items: list[Any], field: str, append: bool
) -> list[Operation]:
    if not append:
        return assign(holder, path, key, items)
    if not isinstance(holder.get(key), list):
        refuse(f"{field}.{key}", "cannot be appended: what the trace holds is not an array")
    return [["extend", [*path, key], items]] if items else []
