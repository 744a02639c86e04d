"""An embedding's window: an ordinary Visdom plot with one trace per cluster.

Everything that is known about the points is in the window itself, so what is shown survives a restart and the statistics can be
recomputed from it. Per trace, ``meta`` holds the cluster and how many of its points were judged (have a prediction) and agree;
``customdata`` holds of each point its number in the order of arrival, its phase and its prediction.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from typing import Any

from visdom_transport.core.delta import Operation

from ..updates.errors import refuse
from ..updates.operations import carry_out
from .events import Batch, Label, Point

PALETTE = (
    "#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#eeca3b", "#b279a2", "#ff9da6", "#9d755d", "#bab0ac",
    "#1f4e79", "#a65200", "#1e6b1e", "#8c1c1c", "#2f6f6b",
)  # fmt: skip
UNASSIGNED = "unassigned"
HOVER = "phase %{customdata[1]}<br>predicted %{customdata[2]}"


def is_embedding(window: Any) -> bool:
    """Whether a window was made by `EmbeddingWindow`."""
    return isinstance(window, dict) and isinstance(window.get("embedding"), dict)


class EmbeddingWindow:
    """Works out what a batch does to an embedding's window, and does it.

    Args:
        window: Visdom's window object; changed in place.
        counts_versions: whether this Visdom numbers the versions of a window.
    """

    def __init__(self, window: dict[str, Any], *, counts_versions: bool) -> None:
        self._window = window
        self._counts_versions = counts_versions

    @staticmethod
    def creation(batch: Batch, opts: dict[str, Any]) -> dict[str, Any]:
        """The body of a ``POST /events`` that makes the window of ``batch``."""
        title = str(opts.get("title") or "Embedding")
        traces = _traces(batch.points, first=0)
        layout = {
            "title": title,
            "showlegend": True,
            "legend": {"title": {"text": _agreement(traces)}, "itemsizing": "constant"},
            "margin": {"l": 40, "r": 20, "t": 50, "b": 40},
            "hovermode": "closest",
        }
        return {"data": traces or [_trace(None, False, 0)], "layout": layout, "opts": {"title": title} | opts}

    @property
    def _all(self) -> list[dict[str, Any]]:
        traces: list[dict[str, Any]] = self._window["content"]["data"]
        return traces

    def apply(self, batch: Batch, max_points: int) -> list[Operation]:
        """Add the points of ``batch``, or put them in the place of all that are there, and drop the oldest beyond ``max_points``.

        The cost of adding follows the number of points added and of clusters, not of the points held.

        Raises:
            UpdateRefused: the points have another number of dimensions than those that stay. Nothing is changed.
        """
        if batch.replace:
            operations = self._replace(batch)
        else:
            operations = self._append(batch)
            operations += self._trim(max_points)
        operations += self._statistics()
        return operations

    def _replace(self, batch: Batch) -> list[Operation]:
        traces = _traces(batch.points, first=0, like=self._all) or [_trace(None, self._is_3d, 0)]
        return self._do([["set", ["content", "data"], traces], ["set", ["embedding", "next"], len(batch.points)]])

    @property
    def _is_3d(self) -> bool:
        return bool(self._all) and self._all[0]["type"] == "scatter3d"

    def _append(self, batch: Batch) -> list[Operation]:
        if not batch.points:
            return []
        has_z = batch.points[0].z is not None
        if has_z != self._is_3d and any(trace["x"] for trace in self._all):
            held = 3 if self._is_3d else 2
            refuse("z", f"the window holds points of {held} dimensions; replace them to change that")
        first = self._window["embedding"]["next"]
        fresh = _traces(batch.points, first, like=self._all)
        if has_z != self._is_3d:
            fresh_operations: list[Operation] = [["set", ["content", "data"], fresh]]
        else:
            places = {_key(trace): index for index, trace in enumerate(self._all)}
            fresh_operations = []
            for trace in fresh:
                index = places.get(_key(trace))
                if index is None:
                    fresh_operations.append(["extend", ["content", "data"], [trace]])
                else:
                    fresh_operations += self._extend(index, trace)
        return self._do([*fresh_operations, ["set", ["embedding", "next"], first + len(batch.points)]])

    def _extend(self, index: int, addition: dict[str, Any]) -> list[Operation]:
        path = ["content", "data", index]
        meta = self._all[index]["meta"]
        return [
            *(["extend", [*path, axis], addition[axis]] for axis in ("x", "y", "z", "customdata") if axis in addition),
            ["set", [*path, "meta", "judged"], meta["judged"] + addition["meta"]["judged"]],
            ["set", [*path, "meta", "agree"], meta["agree"] + addition["meta"]["agree"]],
        ]

    def _trim(self, max_points: int) -> list[Operation]:
        excess = sum(len(trace["x"]) for trace in self._all) - max_points
        if excess <= 0:
            return []
        dropped: Counter[int] = Counter()
        heads = {index: trace["customdata"] for index, trace in enumerate(self._all) if trace["x"]}
        for _ in range(excess):
            oldest = min(heads, key=lambda index: heads[index][dropped[index]][0])
            dropped[oldest] += 1
            if dropped[oldest] == len(heads[oldest]):
                del heads[oldest]
        operations: list[Operation] = []
        for index, count in dropped.items():
            operations += self._drop(index, count)
        emptied = [index for index, count in dropped.items() if count == len(self._all[index]["x"])]
        # From the back, so that the indices of the others stay what they are.
        operations += [["delete", ["content", "data", index]] for index in sorted(emptied, reverse=True)]
        return self._do(operations)

    def _drop(self, index: int, count: int) -> list[Operation]:
        path = ["content", "data", index]
        trace = self._all[index]
        cluster = trace["meta"]["cluster"]
        verdicts = [_verdict(item[2], cluster) for item in trace["customdata"][:count]]
        judged = trace["meta"]["judged"] - sum(verdict is not None for verdict in verdicts)
        agree = trace["meta"]["agree"] - sum(verdict is True for verdict in verdicts)
        return [
            *(["drop", [*path, axis], count] for axis in ("x", "y", "z", "customdata") if axis in trace),
            ["set", [*path, "meta", "judged"], judged],
            ["set", [*path, "meta", "agree"], agree],
        ]

    def _statistics(self) -> list[Operation]:
        """What brings legend, version and content id up to date."""
        operations: list[Operation] = []
        for index, trace in enumerate(self._all):
            name = _name(trace["meta"]["cluster"], len(trace["x"]))
            if trace["name"] != name:
                operations.append(["set", ["content", "data", index, "name"], name])
        legend_title = _agreement(self._all)
        if self._window["content"]["layout"]["legend"]["title"]["text"] != legend_title:
            operations.append(["set", ["content", "layout", "legend", "title", "text"], legend_title])
        if self._counts_versions:
            operations.append(["set", ["version"], self._window.get("version", 1) + 1])
        operations.append(["set", ["contentID"], str(uuid.uuid4())])
        return self._do(operations)

    def _do(self, operations: list[Operation]) -> list[Operation]:
        carry_out(self._window, operations)
        return operations


def _key(trace: dict[str, Any]) -> tuple[type, Label]:
    """What tells clusters apart: as keys of a dictionary alone 1, 1.0 and True would be one."""
    cluster = trace["meta"]["cluster"]
    return type(cluster), cluster


def _traces(points: Iterable[Point], first: int, like: Iterable[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """One trace per cluster, in order of appearance; clusters that ``like`` shows keep their colour."""
    colours = {_key(trace): trace["marker"]["color"] for trace in like}
    traces: dict[tuple[type, Label], dict[str, Any]] = {}
    for number, point in enumerate(points, first):
        key = (type(point.cluster), point.cluster)
        trace = traces.get(key)
        if trace is None:
            trace = traces[key] = _trace(point.cluster, point.z is not None, len(colours))
            trace["marker"]["color"] = colours.setdefault(key, trace["marker"]["color"])
        trace["x"].append(point.x)
        trace["y"].append(point.y)
        if point.z is not None:
            trace["z"].append(point.z)
        trace["customdata"].append([number, point.phase, point.predicted])
        trace["meta"]["judged"] += point.agrees is not None
        trace["meta"]["agree"] += point.agrees is True
    for trace in traces.values():
        trace["name"] = _name(trace["meta"]["cluster"], len(trace["x"]))
    return list(traces.values())


def _trace(cluster: Label, is_3d: bool, colour: int) -> dict[str, Any]:
    return {
        "type": "scatter3d" if is_3d else "scatter",
        "mode": "markers",
        "x": [],
        "y": [],
        **({"z": []} if is_3d else {}),
        "name": _name(cluster, 0),
        "marker": {"size": 3 if is_3d else 6, "color": PALETTE[colour % len(PALETTE)]},
        "meta": {"cluster": cluster, "judged": 0, "agree": 0},
        "customdata": [],
        "hovertemplate": HOVER,
    }


def _name(cluster: Label, count: int) -> str:
    return f"{UNASSIGNED if cluster is None else cluster} ({count})"


def _verdict(predicted: Label, cluster: Label) -> bool | None:
    return None if predicted is None or cluster is None else predicted == cluster


def _agreement(traces: Iterable[dict[str, Any]]) -> str:
    judged = sum(trace["meta"]["judged"] for trace in traces)
    agree = sum(trace["meta"]["agree"] for trace in traces)
    return f"{100 * agree / judged:.1f} % of {judged} agree" if judged else ""
