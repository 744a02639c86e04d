"""The same updates leave the same state as the installed Visdom, and the operations say exactly what happened."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.visdom.updates.oracle import Stock, apply_reference, written, written_content
from visdom_transport.core.delta import Operation, fold
from visdom_transport.visdom.updates import Memo, UpdateRefused, WindowBounds, apply_update, bound_window

# Adding zero turns -0.0, which a delta may take for 0.0, into 0.0.
FLOATS = st.floats(-1e6, 1e6, width=32).map(lambda value: value + 0.0)
NUMBERS = st.one_of(st.integers(-5, 5), FLOATS)
X = st.one_of(
    st.lists(NUMBERS, max_size=4),
    st.lists(NUMBERS, max_size=4),
    st.lists(st.one_of(NUMBERS, st.none(), st.just(float("nan")), st.just(float("inf"))), max_size=4),
    st.lists(st.sampled_from(["2024-01-01", "2024-01-02"]), min_size=1, max_size=3),
)
NAMES = st.sampled_from(["a", "b", "c"])
COLORS = st.sampled_from(["#000000", "#ff0000"])
MARKERS = st.fixed_dictionaries({}, optional={"size": st.just(10), "color": st.lists(COLORS, max_size=3)})
VALUES = st.one_of(st.none(), st.booleans(), st.sampled_from([1, 1.0, 2, "linear"]), st.lists(st.integers(0, 2), max_size=2))


@st.composite
def traces(draw: st.DrawFn, named: bool = True) -> dict[str, Any]:
    x = draw(X)
    trace: dict[str, Any] = {"x": x, "y": draw(st.lists(NUMBERS, min_size=len(x), max_size=len(x)))}
    trace["type"] = draw(st.sampled_from(["scatter", "scatter", "scattergl", "scatter3d", "custom"]))
    if trace["type"] == "scatter3d" or draw(st.booleans()):
        trace["z"] = list(range(len(x)))
    if named or draw(st.booleans()):
        trace["name"] = draw(NAMES)
    if draw(st.booleans()):
        trace["marker"] = draw(MARKERS)
    if draw(st.booleans()):
        trace["text"] = [f"t{n}" for n in range(len(x))]
    return trace


@st.composite
def heatmaps(draw: st.DrawFn, rows: int | None = None, columns: int | None = None) -> dict[str, Any]:
    rows = draw(st.integers(1, 3)) if rows is None else rows
    columns = draw(st.integers(1, 3)) if columns is None else columns
    trace: dict[str, Any] = {"type": "heatmap", "name": "h"}
    trace["z"] = draw(st.lists(st.lists(NUMBERS, min_size=columns, max_size=columns), min_size=rows, max_size=rows))
    labels = st.sampled_from("klmnopqrstuvw")
    for axis, count in (("x", columns), ("y", rows)):
        trace[axis] = draw(st.none() | st.lists(labels, min_size=count, max_size=count, unique=True))
    trace.update(draw(st.fixed_dictionaries({}, optional={"zmin": VALUES, "colorscale": st.just("Viridis")})))
    return trace


OPTS = st.dictionaries(st.sampled_from(["title", "markers", "mode", "caption", "width", "ytickmin"]), VALUES, max_size=3)
LAYOUTS = st.dictionaries(st.sampled_from(["title", "xaxis", "showlegend"]), VALUES, max_size=2)


@st.composite
def plot_updates(draw: st.DrawFn) -> dict[str, Any]:
    args: dict[str, Any] = {"win": "w", "eid": "main"}
    opts = draw(OPTS)
    if draw(st.integers(0, 3)) == 0:
        opts["legend"] = draw(st.lists(NAMES, max_size=4))
    if opts or draw(st.booleans()):
        args["opts"] = opts
    if draw(st.booleans()):
        args["layout"] = draw(LAYOUTS)
    if draw(st.booleans()):
        args["name"] = draw(NAMES)
    if draw(st.booleans()):
        args["append"] = draw(st.booleans())
    what = draw(st.integers(0, 9))
    if what == 0:
        args["delete"] = True
        args["data"] = []
    elif what < 9:
        count = 1 if "name" in args else draw(st.sampled_from([0, 2, 3, 4, 4, 4]))
        args["data"] = draw(st.lists(traces(), min_size=count, max_size=count))
    return args


@st.composite
def heatmap_updates(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.integers(0, 8)) == 0:
        return {"win": "w", "delete": True, "data": []}
    args: dict[str, Any] = {"win": "w", "eid": "main", "opts": draw(OPTS), "layout": {}}
    args["data"] = [draw(heatmaps())]
    args["updateDir"] = draw(st.sampled_from(["replace", "appendRow", "prependRow", "appendColumn", "prependColumn"]))
    args["append"] = draw(st.booleans()) or args["updateDir"] != "replace"
    if draw(st.integers(0, 5)) == 0:
        args["name"] = draw(st.sampled_from(["h", "a"]))
    if draw(st.integers(0, 5)) == 0:
        args["append"] = not args["append"]
    return args


TEXTS = st.lists(st.sampled_from(["", "a", "<br>", "<b", "r>", "é", "😀", "line"]), max_size=4).map("".join)
text_updates = TEXTS.map(lambda text: {"win": "w", "data": [{"type": "text", "content": text}], "opts": {}})
SELECTED = st.integers(-2, 6)
image_updates = st.one_of(
    st.integers(0, 9).map(lambda n: [{"type": "image_history", "content": {"src": f"data:{n}", "caption": None}}]),
    SELECTED.map(lambda n: [{"type": "image_update_selected", "selected": n}]),
    st.just([{"type": "image", "content": {}}]),
).map(lambda data: {"win": "w", "data": data, "opts": {}})
plot_history_updates = st.one_of(
    st.integers(0, 9).map(lambda n: [{"type": "plot_history", "content": {"data": [n], "layout": {}}}]),
    SELECTED.map(lambda n: [{"type": "plot_update_selected", "selected": n}]),
).map(lambda data: {"win": "w", "data": data})
POINTS = st.lists(st.fixed_dictionaries({"position": st.lists(FLOATS, min_size=2, max_size=2)}), max_size=3)
embeddings_updates = st.one_of(
    st.integers(0, 5).map(lambda n: {"update_type": "EntitySelected", "selected": n}),
    POINTS.map(lambda points: {"update_type": "RegionSelected", "points": points}),
    st.just({"update_type": "Other"}),
).map(lambda data: {"win": "w", "data": data})

SERVER_BOUNDS = st.builds(WindowBounds, *[st.none() | st.integers(1, 5)] * 4, keep=st.sampled_from(["newest", "overview"]))

COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def update_or_none(
    window: dict[str, Any], args: dict[str, Any], server_bounds: WindowBounds, stock: Stock, memo: Memo
) -> list[Operation] | None:
    """Update a window; None if that is refused."""
    try:
        return apply_update(window, args, server_bounds, rules=stock.rules, memo=memo)
    except UpdateRefused as refusal:
        event(f"refused: {refusal.field}")
        return None


def deletes_wrongly(stock: Stock, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Visdom 0.2.4 deletes the wrong ones when several traces match, unless it fails."""
    if stock.is_0_3 or before["type"] != "plot":
        return False
    return len(before["content"]["data"]) - len(after["content"]["data"]) > 1


def run(stock: Stock, window: dict[str, Any], args: dict[str, Any], memo: Memo) -> None:
    """Update a window and a copy of it here and in Visdom, and compare. Where Visdom fails, only here."""
    before = copy.deepcopy(window)
    expected: dict[str, Any] | None = copy.deepcopy(window)
    try:
        stock.update(expected, args)
    except Exception as error:
        event(f"Visdom fails: {type(error).__name__}")
        expected = None
    else:
        if deletes_wrongly(stock, before, expected):
            expected = None
    operations = update_or_none(window, args, WindowBounds(), stock, memo)
    if operations is None:
        assert expected is None, "refused what Visdom does"
        assert repr(window) == repr(before), "a refusal changed the window"
        return
    if expected is not None:
        assert written_content(window) == written_content(expected)
    assert window["contentID"] != before["contentID"]
    assert written(apply_reference(before, operations)) == written(window)


@COMMON
@given(data=st.lists(traces(), max_size=3), updates=st.lists(plot_updates(), min_size=1, max_size=6))
def test_plots(stock: Stock, data: list[dict[str, Any]], updates: list[dict[str, Any]]) -> None:
    window = stock.window(data=data or [{"type": "scatter"}], layout={"title": "t"}, opts={"title": "t"})
    if not data:
        window["content"]["data"] = []
    for args in updates:
        run(stock, window, args, {})


@COMMON
@given(first=heatmaps(), updates=st.lists(heatmap_updates(), min_size=1, max_size=8))
def test_heatmaps(stock: Stock, first: dict[str, Any], updates: list[dict[str, Any]]) -> None:
    window = stock.window(data=[first], layout={})
    for args in updates:
        if len(window["content"]["data"]) < 2:
            run(stock, window, args, {})


@COMMON
@given(first=TEXTS, updates=st.lists(text_updates, min_size=1, max_size=8))
def test_text(stock: Stock, first: str, updates: list[dict[str, Any]]) -> None:
    window = stock.window(data=[{"type": "text", "content": first}])
    memo: Memo = {}
    for args in updates:
        run(stock, window, args, memo)


def test_text_beyond_visdoms_own_bound(stock: Stock) -> None:
    window = stock.window(data=[{"type": "text", "content": "<br>".join(map(str, range(495)))}])
    memo: Memo = {}
    for n in range(20):
        run(stock, window, {"data": [{"content": f"line {n}<br>second"}]}, memo)
    assert len(window["content"].split("<br>")) == (500 if stock.is_0_3 else 535)


@COMMON
@given(updates=st.lists(image_updates, min_size=1, max_size=12))
def test_image_history(stock: Stock, updates: list[dict[str, Any]]) -> None:
    window = stock.window(data=[{"type": "image_history", "content": {"src": "data:", "caption": None}}], opts={})
    for args in updates:
        run(stock, window, args, {})


@COMMON
@given(updates=st.lists(plot_history_updates, min_size=1, max_size=8))
def test_plot_history(stock: Stock, updates: list[dict[str, Any]]) -> None:
    if "plot_history" not in stock.rules.bounds:
        pytest.skip("this Visdom has no plot history")
    window = stock.window(data=[{"type": "plot_history", "content": {"data": [], "layout": {}}}], opts={})
    for args in updates:
        run(stock, window, args, {})


@COMMON
@given(first=POINTS, updates=st.lists(embeddings_updates, min_size=1, max_size=8))
def test_embeddings(stock: Stock, first: list[Any], updates: list[dict[str, Any]]) -> None:
    window = stock.window(data=[{"type": "embeddings", "content": {"data": first}}], opts={})
    for args in updates:
        run(stock, window, args, {})


def test_embeddings_beyond_visdoms_own_bound(stock: Stock) -> None:
    window = stock.window(data=[{"type": "embeddings", "content": {"data": [0]}}], opts={})
    for n in range(60):
        run(stock, window, {"data": {"update_type": "RegionSelected", "points": [n]}}, {})
    assert len(window["old_content"]) == (50 if stock.is_0_3 else 60)


KINDS = {
    "plot": (
        {"type": "scatter", "name": "a", "x": [1, 2, 3], "y": [1, 2, 3], "marker": {"color": ["#000000"] * 3}},
        plot_updates(),
    ),
    "heatmap": ({"type": "heatmap", "name": "h", "z": [[1, 2]], "x": None, "y": None}, heatmap_updates()),
    "text": ({"type": "text", "content": "a<br>b"}, text_updates),
    "image_history": ({"type": "image_history", "content": {"src": ""}}, image_updates),
    "embeddings": ({"type": "embeddings", "content": {"data": []}}, embeddings_updates),
}


def containers(value: Any) -> Iterator[int]:
    if isinstance(value, list | dict):
        yield id(value)
        for item in value.values() if isinstance(value, dict) else value:
            yield from containers(item)


BOUND_OPTS = st.dictionaries(st.sampled_from(["max_points", "max_lines", "max_images", "max_old_content"]), st.integers(1, 6))


@pytest.mark.parametrize("kind", KINDS)
@COMMON
@given(data=st.data(), server_bounds=SERVER_BOUNDS)
def test_the_operations_are_the_change(stock: Stock, kind: str, data: st.DataObject, server_bounds: WindowBounds) -> None:
    """With bounds as well: applied to the window before, one by one or folded, the operations give the window after."""
    entry, updates = KINDS[kind]
    window = stock.window(data=[entry], layout={})
    first = copy.deepcopy(window)
    deltas = [bound_window(window, server_bounds, data.draw(BOUND_OPTS))]
    memo: Memo = {}
    for args in data.draw(st.lists(updates, max_size=6)):
        if data.draw(st.booleans()):
            args["opts"] = {**args.get("opts", {}), **data.draw(BOUND_OPTS)}
        before = copy.deepcopy(window)
        operations = update_or_none(window, args, server_bounds, stock, memo)
        if operations is None:
            assert repr(window) == repr(before)
            continue
        assert written(apply_reference(before, operations)) == written(window)
        assert not set(containers(operations)) & set(containers(window)), "a later update would change the delta"
        deltas.append(operations)
    assert written(apply_reference(first, fold(deltas))) == written(window)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, float("nan"), "a", "h", "replace", "appendRow"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "z", "type", "color"]), inner),
    max_leaves=6,
)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(item)


@pytest.mark.parametrize("kind", KINDS)
@COMMON
@given(data=st.data())
def test_any_request_is_done_or_refused(stock: Stock, kind: str, data: st.DataObject) -> None:
    """A request that is wrong somewhere ends in no other error, half a change, or a delta that differs from the change."""
    entry, updates = KINDS[kind]
    window = stock.window(data=[entry], layout={})
    for args in data.draw(st.lists(updates, min_size=1, max_size=3)):
        wrong = copy.deepcopy(args)
        holder = data.draw(st.sampled_from(list(objects(wrong))))
        key = data.draw(st.sampled_from([*holder, "data", "marker", "opts", "name", "updateDir", "delete", "x"]))
        if data.draw(st.booleans()):
            holder.pop(key, None)
        else:
            holder[key] = data.draw(JSON)
        before = copy.deepcopy(window)
        operations = update_or_none(window, wrong, WindowBounds(max_points=4), stock, {})
        if operations is None:
            assert repr(window) == repr(before)
        else:
            assert written(apply_reference(before, operations)) == written(window)
