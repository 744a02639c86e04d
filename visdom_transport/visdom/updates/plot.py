"""Plots: layout, options and legend, and traces that are added, deleted, appended to or replaced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from visdom_transport.core.delta import Operation
from visdom_transport.visdom.updates import heatmap, points
from visdom_transport.visdom.updates.check import entry, optional_object
from visdom_transport.visdom.updates.check import member as required
from visdom_transport.visdom.updates.choices import CHOICES, check_choice
from visdom_transport.visdom.updates.errors import refuse
from visdom_transport.visdom.updates.operations import assign
from visdom_transport.visdom.updates.rules import Rules

_RESERVED = frozenset({"command", "content", "contentID", "i", "id", "type", "version"})
"""What tells a window from others: not an option."""

_DATA = ("content", "data")


def plan(window: dict[str, Any], args: dict[str, Any], rules: Rules) -> tuple[list[Operation], Sequence[int]]:
    """Return the operations of an update, and the traces they change or add."""
    content = window.get("content")
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        refuse("win", "its content is not a plot")
    traces: list[Any] = content["data"]
    if not all(isinstance(trace, dict) for trace in traces):
        refuse("win", "its traces are not objects")
    opts = optional_object(args, "opts")
    names, renaming = _rename(traces, opts.get("legend"), args.get("name"), rules)
    operations = _layout(content, optional_object(args, "layout")) + _options(window, opts, rules) + renaming
    if rules.counts_versions:
        version = window.get("version")
        operations.append(["set", ["version"], version + 1 if type(version) is int else 2])
    if args.get("name") is None and args.get("data") is None:
        return operations, ()
    changes, touched = _data(traces, names, args, rules)
    return operations + changes, touched


def trim(window: dict[str, Any], touched: Iterable[int] | None, bound: int | None, keep: str) -> list[Operation]:
    """Keep no more than ``bound`` points of the traces that were ``touched`` (None: of all)."""
    content = window.get("content")
    traces = content.get("data") if isinstance(content, dict) else None
    if bound is None or not isinstance(traces, list):
        return []
    indices = range(len(traces)) if touched is None else touched
    return [operation for i in indices for operation in points.trim(traces[i], [*_DATA, i], bound, window.get("keep", keep))]


def _layout(content: dict[str, Any], layout: dict[str, Any]) -> list[Operation]:
    given = {key: value for key, value in layout.items() if value is not None}
    if given and not isinstance(content.get("layout"), dict):
        return [["set", ["content", "layout"], given]]
    operations = []
    for key, value in given.items():
        operations += assign(content["layout"], ["content", "layout"], key, value)
    return operations


def _options(window: dict[str, Any], opts: dict[str, Any], rules: Rules) -> list[Operation]:
    operations = []
    for key, value in opts.items():
        if value is None:
            continue
        if key in _RESERVED:
            refuse(f"opts.{key}", "is not an option")
        if key in CHOICES:
            check_choice(key, value)
        if key == "caption" and rules.caption_in_content:
            operations += assign(window["content"], ["content"], key, value)
        else:
            operations += assign(window, [], key, value)
    return operations


def _rename(traces: list[Any], legend: Any, name: Any, rules: Rules) -> tuple[list[Any], list[Operation]]:
    """Return the traces' names after a legend was applied, and how."""
    names = [trace.get("name") for trace in traces]
    if legend is None:
        return names, []
    if not isinstance(legend, list):
        refuse("opts.legend", f"must be an array, not {legend!r:.80}")
    renamed = dict(enumerate(legend[: len(traces)]))
    if name is not None and (rules.legend_by_name or len(legend) < len(traces)):
        renamed = {i: legend[0] for i, old in enumerate(names) if legend and old == name}
    operations = []
    for i, new in renamed.items():
        names[i] = new
        operations += assign(traces[i], [*_DATA, i], "name", new)
    return names, operations


def _data(traces: list[Any], names: list[Any], args: dict[str, Any], rules: Rules) -> tuple[list[Operation], Sequence[int]]:
    name, data = args.get("name"), args.get("data")
    matches: Sequence[int] = range(len(traces))
    if name is not None:
        matches = [i for i in matches if names[i] == name]
    if args.get("delete"):
        return _delete(matches, len(traces)), ()
    if not isinstance(data, list):
        refuse("data", "must be an array of traces")
    if name is not None and len(data) != 1:
        refuse("data", f"must have exactly one trace when a name is given, not {len(data)}")
    if len(data) < max(1, len(matches)):
        refuse("data", f"has {len(data)} traces for {len(matches)} of the plot")
    if not matches:
        added = [_new_trace(data, n, name) for n in range(len(data))]
        return [["extend", [*_DATA], added]], range(len(traces), len(traces) + len(added))
    operations = []
    for n, i in enumerate(matches):
        update = heatmap.plan if traces[i].get("type") == "heatmap" else points.plan
        operations += update(traces[i], [*_DATA, i], entry(data, n), f"data[{n}]", args, rules)
    return operations, matches


def _delete(matches: Sequence[int], count: int) -> list[Operation]:
    if matches and len(matches) == count:
        return [["set", [*_DATA], []]]
    return [["delete", [*_DATA, i]] for i in reversed(matches)]


def _new_trace(data: list[Any], n: int, name: Any) -> dict[str, Any]:
    trace = entry(data, n)
    if name is None and "content" in trace:
        # Where Visdom fails. Two of these lines could not be sent as one: for a text they can.
        refuse(f"data[{n}].content", "is that of another kind of window, and no trace of a plot")
    if required(trace, "type", f"data[{n}]") == "heatmap" or name is None:
        return trace
    return {**trace, "name": name}
