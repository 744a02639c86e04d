"""An embedding's window: an ordinary Visdom plot with one trace per cluster.

Everything that is known about the points is in the window itself, so what is shown survives a restart and the statistics can be
recomputed from it. Per trace, ``meta`` holds the cluster and how many of its points were judged (have a prediction) and agree;
``customdata`` holds of each point its number in the order of arrival, its phase and its prediction.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from typing import Any

from visdom_transport.core.delta import Operation
from visdom_transport.visdom.embedding.events import Batch, Label, Point, agreement
from visdom_transport.visdom.updates.bounds import assign_bounds
from visdom_transport.visdom.updates.errors import refuse
from visdom_transport.visdom.updates.operations import assign, carry_out

PALETTE = (
    "#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#eeca3b", "#b279a2", "#ff9da6", "#9d755d", "#bab0ac",
    "#1f4e79", "#a65200", "#1e6b1e", "#8c1c1c", "#2f6f6b",
)  # fmt: skip
TITLE = "Embedding"
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
        title = opts.get("title") or TITLE
        traces = _traces(batch.points, first=0)
        layout = {
            "title": title,
            "showlegend": True,
            "legend": {"title": {"text": _said(traces)}, "itemsizing": "constant"},
            "margin": {"l": 40, "r": 20, "t": 50, "b": 40},
            "hovermode": "closest",
        }
        return {"data": traces or [_trace(None, False, PALETTE[0])], "layout": layout, "opts": opts | {"title": title}}

    @property
    def _all(self) -> list[dict[str, Any]]:
        traces: list[dict[str, Any]] = self._window["content"]["data"]
        return traces

    def apply(
        self, batch: Batch, max_points: int, *, title: str | None = None, bounds: Mapping[str, int] | None = None
    ) -> list[Operation]:
        """Add the points of ``batch``, or put them in the place of all that are there, and drop the oldest beyond ``max_points``.

        The cost of adding follows the number of points added and of clusters, not of the points held.

        Args:
            batch: at most ``max_points`` points.
            max_points: over all clusters.
            title: a new title for the window.
            bounds: to keep with the window.

        Raises:
            UpdateRefused: the points have another number of dimensions than those that stay. Nothing is changed.
        """
        if batch.replace:
            operations = self._replace(batch)
        else:
            operations = self._append(batch)
            operations += self._trim(max_points)
        operations += self._statistics()
        operations += self._headings(title)
        operations += self._do(assign_bounds(self._window, bounds or {}))
        return operations

    def _replace(self, batch: Batch) -> list[Operation]:
        arriving = {_key_of(point.cluster) for point in batch.points}
        staying = [trace for trace in self._all if _key(trace) in arriving]
        traces = _traces(batch.points, first=0, like=staying) or [_trace(None, self._is_3d, PALETTE[0])]
        return self._do([["set", ["content", "data"], traces], ["set", ["embedding", "next"], len(batch.points)]])

    @property
    def _is_3d(self) -> bool:
        return bool(self._all) and self._all[0]["type"] == "scatter3d"

    def _append(self, batch: Batch) -> list[Operation]:
        if not batch.points:
            return []
        first = self._window["embedding"]["next"]
        operations: list[Operation] = []
        if not any(trace["x"] for trace in self._all):
            operations.append(["set", ["content", "data"], _traces(batch.points, first)])
        elif (batch.points[0].z is not None) != self._is_3d:
            held = 3 if self._is_3d else 2
            refuse(f"{batch.first}z", f"the window holds points of {held} dimensions; replace them to change that")
        else:
            places = {_key(trace): index for index, trace in enumerate(self._all)}
            for trace in _traces(batch.points, first, like=self._all):
                index = places.get(_key(trace))
                if index is None:
                    operations.append(["extend", ["content", "data"], [trace]])
                else:
                    operations += self._extend(index, trace)
        return self._do([*operations, ["set", ["embedding", "next"], first + len(batch.points)]])

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
        oldest = [(trace["customdata"][0][0], index) for index, trace in enumerate(self._all) if trace["x"]]
        heapify(oldest)
        for _ in range(excess):
            _, index = oldest[0]
            dropped[index] += 1
            held = self._all[index]["customdata"]
            if dropped[index] < len(held):
                heapreplace(oldest, (held[dropped[index]][0], index))
            else:
                heappop(oldest)
        operations: list[Operation] = []
        # From the back, so that the indices of the others stay what they are.
        for index, count in sorted(dropped.items(), reverse=True):
            is_all = count == len(self._all[index]["x"])
            operations += [["delete", ["content", "data", index]]] if is_all else self._drop(index, count)
        return self._do(operations)

    def _drop(self, index: int, count: int) -> list[Operation]:
        path = ["content", "data", index]
        trace = self._all[index]
        cluster = trace["meta"]["cluster"]
        verdicts = [agreement(item[2], cluster) for item in trace["customdata"][:count]]
        judged = trace["meta"]["judged"] - sum(verdict is not None for verdict in verdicts)
        agree = trace["meta"]["agree"] - sum(verdict is True for verdict in verdicts)
        return [
            *(["drop", [*path, axis], count] for axis in ("x", "y", "z", "customdata") if axis in trace),
            ["set", [*path, "meta", "judged"], judged],
            ["set", [*path, "meta", "agree"], agree],
        ]

    def _statistics(self) -> list[Operation]:
        """The counts in the legend, and what tells that the window has changed."""
        operations: list[Operation] = []
        for index, trace in enumerate(self._all):
            name = _name(trace["meta"]["cluster"], len(trace["x"]))
            if trace["name"] != name:
                operations.append(["set", ["content", "data", index, "name"], name])
        if self._counts_versions:
            operations.append(["set", ["version"], self._window.get("version", 1) + 1])
        operations.append(["set", ["contentID"], str(uuid.uuid4())])
        return self._do(operations)

    def _headings(self, title: str | None) -> list[Operation]:
        """The titles of legend and window. Other requests may have put anything into the layout."""
        layout, path = self._window["content"]["layout"], ["content", "layout"]
        legend = {"title": {"text": _said(self._all)}}
        if isinstance(layout.get("legend"), dict):
            operations = assign(layout["legend"], [*path, "legend"], "title", legend["title"])
        else:
            operations = assign(layout, path, "legend", legend)
        if title is not None:
            operations += assign(layout, path, "title", title) + assign(self._window, [], "title", title)
        return self._do(operations)

    def _do(self, operations: list[Operation]) -> list[Operation]:
        carry_out(self._window, operations)
        return operations


def _key(trace: dict[str, Any]) -> tuple[type, Label]:
    return _key_of(trace["meta"]["cluster"])


def _key_of(cluster: Label) -> tuple[type, Label]:
    """What tells clusters apart: as keys of a dictionary alone 1, 1.0 and True would be one."""
    return type(cluster), cluster


def _traces(points: Iterable[Point], first: int, like: Iterable[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """One trace per cluster, in order of appearance.

    Clusters that ``like`` shows keep their colour, others get the one that is used least.
    """
    colours = {_key(trace): trace["marker"]["color"] for trace in like}
    used = Counter(colours.values())
    traces: dict[tuple[type, Label], dict[str, Any]] = {}
    for number, point in enumerate(points, first):
        key = _key_of(point.cluster)
        trace = traces.get(key)
        if trace is None:
            if key not in colours:
                colours[key] = min(PALETTE, key=lambda colour: used[colour])
                used[colours[key]] += 1
            trace = traces[key] = _trace(point.cluster, point.z is not None, colours[key])
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


def _trace(cluster: Label, is_3d: bool, colour: str) -> dict[str, Any]:
    return {
        "type": "scatter3d" if is_3d else "scatter",
        "mode": "markers",
        "x": [],
        "y": [],
        **({"z": []} if is_3d else {}),
        "name": _name(cluster, 0),
        "marker": {"size": 3 if is_3d else 6, "color": colour},
        "meta": {"cluster": cluster, "judged": 0, "agree": 0},
        "customdata": [],
        "hovertemplate": HOVER,
    }


def _name(cluster: Label, count: int) -> str:
    return f"{UNASSIGNED if cluster is None else cluster} ({count})"


def _said(traces: Sequence[dict[str, Any]]) -> str:
    judged = sum(trace["meta"]["judged"] for trace in traces)
    agree = sum(trace["meta"]["agree"] for trace in traces)
    return f"{100 * agree / judged:.1f} % of {judged} agree" if judged else ""
