"""The cost of a point follows the number of clusters, not the number of points the window holds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from visdom_transport.visdom.embedding import Batch, EmbeddingWindow, Point

CLUSTERS = 7


class Counted(list[Any]):
    """A list that counts how many of its items are looked at."""

    looks = 0

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            Counted.looks += 1
            yield item

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        Counted.looks += len(found) if isinstance(index, slice) else 1
        return found

    def __eq__(self, other: object) -> bool:
        Counted.looks += len(self)
        return super().__eq__(other)

    def copy(self) -> list[Any]:
        Counted.looks += len(self)
        return super().copy()

    __hash__ = None  # type: ignore[assignment]


def full(size: int, clusters: int = CLUSTERS) -> dict[str, Any]:
    """A window that holds `size` points, in lists that are watched."""
    points = [Point(n, n, None, None, n % 2, n % clusters) for n in range(size)]
    body = EmbeddingWindow.creation(Batch(points, replace=False), {})
    for trace in body["data"]:
        for axis in ("x", "y", "customdata"):
            trace[axis] = Counted(trace[axis])
    content = {"data": body["data"], "layout": body["layout"]}
    return {"type": "plot", "contentID": "c", "version": 1, "content": content, "embedding": {"next": size}}


def lines_run(function: Callable[[], object]) -> int:
    """How many lines of Python a call runs: work that neither the clock nor the machine changes."""
    lines = 0

    def trace(frame: Any, kind: str, argument: object) -> Any:
        nonlocal lines
        lines += kind == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return lines


def append_one(window: dict[str, Any], bound: int) -> tuple[int, int, int]:
    """Looks at held items, lines run and operations of one appended point."""
    embedding = EmbeddingWindow(window, counts_versions=True)
    batch = Batch([Point(1, 1, None, None, 1, 1)], replace=False)
    delta: list[Any] = []
    Counted.looks = 0
    lines = lines_run(lambda: delta.extend(embedding.apply(batch, bound)))
    return Counted.looks, lines, len(delta)


@pytest.mark.parametrize("room", [0, 10], ids=["full", "growing"])
def test_one_point_costs_the_same_in_a_large_window(room: int) -> None:
    small, large = 10 * CLUSTERS, 5000 * CLUSTERS
    assert append_one(full(large), large + room) == append_one(full(small), small + room)


def test_one_point_touches_each_cluster_a_few_times() -> None:
    looks, _, operations = append_one(full(1000), 1000)
    assert looks <= 2 * CLUSTERS
    assert operations < 20


def test_many_points_in_many_clusters_do_not_cost_their_product() -> None:
    """As many clusters as points, all of which go: at worst n log n."""

    def replace_all_by_appending(size: int) -> int:
        window = full(size, clusters=size)
        batch = Batch([Point(n, n, None, None, 1, size + n) for n in range(size)], replace=False)
        return lines_run(lambda: EmbeddingWindow(window, counts_versions=True).apply(batch, size))

    assert replace_all_by_appending(400) < 6 * replace_all_by_appending(100)


def test_the_instruments_notice() -> None:
    held = Counted([1, 2, 3])
    Counted.looks = 0
    assert (list(held), held[0], held[1:], held == [1, 2, 3], sum(held)) == ([1, 2, 3], 1, [2, 3], True, 6)
    assert Counted.looks >= 9
    assert lines_run(lambda: None) < lines_run(lambda: full(100))
