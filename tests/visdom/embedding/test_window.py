"""Whatever arrives, an embedding's window holds the newest points, counts them rightly, and its deltas say what happened."""

from __future__ import annotations

import copy
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from visdom_transport.core.delta import apply, fold
from visdom_transport.visdom.embedding import Batch, EmbeddingWindow, Point, is_embedding
from visdom_transport.visdom.embedding.window import PALETTE
from visdom_transport.visdom.updates import UpdateRefused

COORDINATES = st.one_of(st.integers(-3, 3), st.floats(-1e6, 1e6).map(lambda value: value + 0.0))
CLUSTERS = st.one_of(st.sampled_from(["a", "b", 1, 1.0, True, None, "1", ""]), st.integers(0, 30))
LABELS = st.sampled_from(["a", "b", 1, 2, None])
BOUNDS = st.integers(1, 12)


@st.composite
def batches(draw: st.DrawFn, *, min_size: int = 0, max_size: int = 12, replace: bool = False) -> Batch:
    has_z = draw(st.booleans())
    points = st.builds(
        Point,
        x=COORDINATES,
        y=COORDINATES,
        z=COORDINATES if has_z else st.none(),
        phase=LABELS,
        predicted=LABELS,
        cluster=CLUSTERS,
    )
    return Batch(draw(st.lists(points, min_size=min_size, max_size=max_size)), replace=replace)


def point(cluster: Any = None, x: float = 0, z: float | None = None, predicted: Any = None) -> Point:
    return Point(x, 0, z, None, predicted, cluster)


def create(batch: Batch, **opts: Any) -> dict[str, Any]:
    """The window that Visdom makes of a creation."""
    body = EmbeddingWindow.creation(batch, opts)
    content = {"data": body["data"], "layout": body["layout"]}
    return {
        "type": "plot",
        "title": body["opts"]["title"],
        "contentID": "c",
        "version": 1,
        "content": json.loads(json.dumps(content)),
        "embedding": {"next": len(batch.points)},
    }


def traces(window: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = window["content"]["data"]
    return found


def key(trace: dict[str, Any]) -> tuple[type, Any]:
    return type(trace["meta"]["cluster"]), trace["meta"]["cluster"]


def colours(window: dict[str, Any]) -> dict[tuple[type, Any], str]:
    return {key(trace): trace["marker"]["color"] for trace in traces(window) if trace["x"]}


def held(window: dict[str, Any]) -> list[Point]:
    """The points of a window in the order of arrival."""
    numbered = []
    for trace in traces(window):
        zs = trace.get("z", [None] * len(trace["x"]))
        columns = zip(trace["x"], trace["y"], zs, trace["customdata"], strict=True)
        numbered += [
            (number, Point(x, y, z, phase, predicted, trace["meta"]["cluster"]))
            for x, y, z, (number, phase, predicted) in columns
        ]
    numbers = [number for number, _ in numbered]
    assert len(set(numbers)) == len(numbers)
    return [each for _, each in sorted(numbered, key=lambda pair: pair[0])]


def written(value: Any) -> str:
    """JSON, which tells 1 from 1.0 and true."""
    return json.dumps(value, sort_keys=True)


class Embedding(RuleBasedStateMachine):
    """A window under random batches and bounds, beside the plain list of points it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.points: list[Point] = []
        self.bound = 0
        self.window: dict[str, Any] = {}
        self.deltas: list[Any] = []
        self.written_deltas: list[str] = []
        self.counts_versions = False
        self.created: dict[str, Any] = {}

    @initialize(bound=BOUNDS, data=st.data(), counts_versions=st.booleans())
    def create(self, bound: int, data: st.DataObject, counts_versions: bool) -> None:
        batch = data.draw(batches(max_size=bound))
        self.bound, self.counts_versions = bound, counts_versions
        self.window = create(batch)
        self.created = copy.deepcopy(self.window)
        self.points = list(batch.points)

    @rule(data=st.data())
    def append(self, data: st.DataObject) -> None:
        self.arrive(data.draw(batches(max_size=min(4, self.bound))))

    @rule(data=st.data())
    def append_many(self, data: st.DataObject) -> None:
        self.arrive(data.draw(batches(max_size=self.bound)))

    @rule(data=st.data())
    def replace(self, data: st.DataObject) -> None:
        self.arrive(data.draw(batches(max_size=self.bound, replace=True)))

    @precondition(lambda self: self.points)
    @rule(bound=BOUNDS)
    def change_bound(self, bound: int) -> None:
        self.bound = bound
        self.arrive(Batch([], replace=False))

    def arrive(self, batch: Batch) -> None:
        before = copy.deepcopy(self.window)
        changes_dimensions = bool(
            batch.points and self.points and not batch.replace and (batch.points[0].z is None) != (self.points[0].z is None)
        )
        embedding = EmbeddingWindow(self.window, counts_versions=self.counts_versions)
        if changes_dimensions:
            event("refused")
            with pytest.raises(UpdateRefused) as caught:
                embedding.apply(batch, self.bound)
            assert (caught.value.status, caught.value.field) == (400, "points[0].z")
            assert written(self.window) == written(before)
            return
        delta = embedding.apply(batch, self.bound)
        self.points = ([] if batch.replace else self.points) + batch.points
        if len(self.points) > self.bound:
            event("trimmed")
        self.points = self.points[max(0, len(self.points) - self.bound) :]

        self.deltas.append(delta)
        self.written_deltas.append(written(delta))
        content_id, kept = before["contentID"], colours(before)
        assert written(apply(before, json.loads(written(delta)))) == written(self.window)
        now = colours(self.window)
        assert all(now[cluster] == colour for cluster, colour in kept.items() if cluster in now)
        if len({*kept, *now}) <= len(PALETTE):
            shared = [colour for cluster, colour in now.items() if cluster not in kept and list(now.values()).count(colour) > 1]
            assert not shared, "a new cluster looks like another"
        assert self.window["contentID"] != content_id
        if self.counts_versions:
            assert self.window["version"] == self.created["version"] + len(self.deltas)

    @invariant()
    def holds_the_newest_points(self) -> None:
        if self.window:
            assert written([astuple(each) for each in held(self.window)]) == written([astuple(each) for each in self.points])

    @invariant()
    def counts(self) -> None:
        if not self.window:
            return
        counts = Counter((type(each.cluster), each.cluster) for each in self.points)
        assert len({key(trace) for trace in traces(self.window)}) == len(traces(self.window))
        for trace in traces(self.window):
            members = [each for each in self.points if (type(each.cluster), each.cluster) == key(trace)]
            verdicts = [each.agrees for each in members]
            label = "unassigned" if trace["meta"]["cluster"] is None else trace["meta"]["cluster"]
            assert trace["name"] == f"{label} ({counts[key(trace)]})"
            assert trace["meta"]["judged"] == len(members) - verdicts.count(None)
            assert trace["meta"]["agree"] == verdicts.count(True)
        judged = sum(each.agrees is not None for each in self.points)
        agree = sum(each.agrees is True for each in self.points)
        said = self.window["content"]["layout"]["legend"]["title"]["text"]
        assert said == (f"{100 * agree / judged:.1f} % of {judged} agree" if judged else "")

    @invariant()
    def shows_no_empty_cluster_beside_others(self) -> None:
        if self.window:
            assert len(traces(self.window)) == 1 or all(trace["x"] for trace in traces(self.window))

    @invariant()
    def has_one_kind_of_trace(self) -> None:
        if self.window and self.points:
            kind = "scatter" if self.points[0].z is None else "scatter3d"
            assert {trace["type"] for trace in traces(self.window)} == {kind}

    def teardown(self) -> None:
        assert [written(delta) for delta in self.deltas] == self.written_deltas, "a delta changed after it was returned"
        if self.window:
            folded = fold(copy.deepcopy(self.deltas))
            assert written(apply(self.created, folded)) == written(self.window)


def astuple(each: Point) -> list[Any]:
    return [each.x, each.y, each.z, each.phase, each.predicted, each.cluster]


TestEmbedding = Embedding.TestCase
TestEmbedding.settings = settings(max_examples=100, stateful_step_count=20, deadline=None, derandomize=True, database=None)


# --- single cases that say what is meant ---


def arrive(window: dict[str, Any], *points: Point, replace: bool = False, bound: int = 100, **opts: Any) -> list[Any]:
    return EmbeddingWindow(window, counts_versions=False).apply(Batch(list(points), replace), bound, **opts)


def names(window: dict[str, Any]) -> list[str]:
    return [trace["name"] for trace in traces(window)]


def test_is_embedding() -> None:
    assert is_embedding(create(Batch([], replace=False)))
    assert not is_embedding({"type": "plot", "content": {"data": [], "layout": {}}})
    assert not is_embedding(None)


def test_the_placeholder_of_an_empty_window_goes() -> None:
    window = create(Batch([], replace=False))
    assert names(window) == ["unassigned (0)"]
    arrive(window, point("a"))
    assert names(window) == ["a (1)"]
    arrive(window, replace=True)
    arrive(window, point("b", z=1))
    assert names(window) == ["b (1)"]


def test_a_new_cluster_takes_a_colour_nobody_has() -> None:
    window = create(Batch([point("a"), point("b")], replace=False))
    arrive(window, point("b"), point("b"), bound=2)  # a is gone
    arrive(window, point("c"), bound=2)
    assert names(window) == ["b (1)", "c (1)"]
    assert len(set(colours(window).values())) == 2


def test_a_cluster_keeps_its_colour_through_a_replace() -> None:
    window = create(Batch([point("a"), point("b"), point("c")], replace=False))
    arrive(window, point("c"), point("d"), point("b"), replace=True)
    assert colours(window) == {(str, "c"): PALETTE[2], (str, "d"): PALETTE[0], (str, "b"): PALETTE[1]}


def test_more_clusters_than_colours() -> None:
    window = create(Batch([point(number) for number in range(40)], replace=False))
    used = Counter(colours(window).values())
    assert set(used) == set(PALETTE)
    assert max(used.values()) - min(used.values()) <= 1


def test_the_oldest_go_whatever_their_cluster() -> None:
    window = create(Batch([point("a", 1), point("b", 2), point("a", 3), point("c", 4)], replace=False))
    arrive(window, point("b", 5), bound=3)
    assert [(each.x, each.cluster) for each in held(window)] == [(3, "a"), (4, "c"), (5, "b")]
    assert names(window) == ["a (1)", "b (1)", "c (1)"]


def test_agreement_is_said_and_forgotten_with_its_points() -> None:
    window = create(Batch([point("a", predicted="a"), point("a", predicted="b"), point("a")], replace=False))
    title = window["content"]["layout"]["legend"]["title"]
    assert title["text"] == "50.0 % of 2 agree"
    arrive(window, bound=2)
    assert window["content"]["layout"]["legend"]["title"]["text"] == "0.0 % of 1 agree"
    arrive(window, bound=1)
    assert window["content"]["layout"]["legend"]["title"]["text"] == ""


@pytest.mark.parametrize("legend", [None, "none", {}, {"title": None}, {"title": "mine"}, {"x": 1, "title": {"side": "top"}}])
def test_a_layout_changed_by_others(legend: Any) -> None:
    """`update_window_opts` and 0.3.0's plot editor may put anything there."""
    window = create(Batch([point("a")], replace=False))
    window["content"]["layout"]["legend"] = legend
    before = copy.deepcopy(window)
    delta = arrive(window, point("a", predicted="a"))
    assert apply(before, delta) == window
    assert window["content"]["layout"]["legend"]["title"]["text"] == "100.0 % of 1 agree"
    if isinstance(legend, dict) and "x" in legend:
        assert window["content"]["layout"]["legend"]["x"] == 1


def test_a_layout_without_a_legend() -> None:
    window = create(Batch([point("a")], replace=False))
    del window["content"]["layout"]["legend"]
    arrive(window, point("a", predicted="a"))
    assert window["content"]["layout"]["legend"] == {"title": {"text": "100.0 % of 1 agree"}}


def test_a_new_title() -> None:
    window = create(Batch([point("a")], replace=False), title="Digits")
    assert (window["title"], window["content"]["layout"]["title"]) == ("Digits", "Digits")
    before = copy.deepcopy(window)
    delta = arrive(window, point("a"), title="More digits")
    assert apply(before, delta) == window
    assert (window["title"], window["content"]["layout"]["title"]) == ("More digits", "More digits")
    assert "title" not in {operation[1][-1] for operation in arrive(window, point("a"), title="More digits")}


@pytest.mark.parametrize("title", [None, ""])
def test_a_window_without_a_title_gets_one(title: str | None) -> None:
    assert create(Batch([], replace=False), title=title)["title"] == "Embedding"
    assert create(Batch([], replace=False))["title"] == "Embedding"
