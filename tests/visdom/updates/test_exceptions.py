"""Where we differ from Visdom on purpose (docs/equivalence.md): what Visdom does, and what we do instead."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.visdom.updates.oracle import Stock, apply_reference, written
from visdom_transport.visdom.updates import (
    V0_2_4,
    V0_3_0,
    Rules,
    UnknownUpdate,
    UpdateRefused,
    WindowBounds,
    apply_update,
    pop_embeddings,
    refusal_text,
)

BOTH = pytest.mark.parametrize("rules", [V0_2_4, V0_3_0], ids=["0.2.4", "0.3.0"])
Window = dict[str, Any]


def trace(name: str, **members: Any) -> dict[str, Any]:
    return {"type": "scatter", "name": name, "x": [1, 2], "y": [3, 4], **members}


def plot(*traces: dict[str, Any], **members: Any) -> Window:
    # No two traces share a list: a window came from JSON.
    content = {"data": copy.deepcopy([*traces]), "layout": {}, "caption": None}
    return {"type": "plot", "id": "w", "contentID": "c", "version": 1, "content": content, **members}


def refused(window: Window, args: dict[str, Any], rules: Rules) -> str:
    """The field of the refusal, after checking that nothing changed."""
    before = copy.deepcopy(window)
    with pytest.raises(UpdateRefused) as refusal:
        apply_update(window, args, WindowBounds(), rules=rules)
    assert refusal.value.status == 400
    assert repr(window) == repr(before)
    return refusal.value.field


def done(window: Window, args: dict[str, Any], rules: Rules) -> list[list[Any]]:
    before = copy.deepcopy(window)
    operations = apply_update(window, args, WindowBounds(), rules=rules)
    assert written(apply_reference(before, operations)) == written(window)
    return operations


def visdom_fails(stock: Stock, window: Window, args: dict[str, Any]) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, Visdom answers 500
        stock.update(copy.deepcopy(window), args)


REFUSED: dict[str, tuple[Window, dict[str, Any], str]] = {
    "fewer traces than the plot": (
        plot(trace("a"), trace("b")),
        {"data": [trace("a")], "append": True, "layout": {"title": "t"}},
        "data",
    ),
    "no traces": (plot(trace("a")), {"data": []}, "data"),
    "a line of text for a plot without traces": (plot(), {"data": [{"type": "text", "content": "a"}]}, "data[0].content"),
    "several traces for one name": (plot(trace("a")), {"data": [trace("a"), trace("a")], "name": "a"}, "data"),
    "one trace for several of a name": (plot(trace("a"), trace("a")), {"data": [trace("a")], "name": "a"}, "data"),
    "a name without data": (plot(trace("a")), {"name": "a"}, "data"),
    "no x": (plot(trace("a")), {"data": [{"y": [1]}], "append": True}, "data[0].x"),
    "no y": (plot(trace("a")), {"data": [{"x": [1]}], "append": True}, "data[0].y"),
    "x is no array": (plot(trace("a")), {"data": [{"x": 1, "y": [1]}]}, "data[0].x"),
    "x holds arrays": (plot(trace("a")), {"data": [{"x": [[1]], "y": [1]}]}, "data[0].x"),
    "nothing to append to": (plot(trace("a", y=None)), {"data": [trace("a")], "append": True}, "data[0].y"),
    "marker is no object": (plot(trace("a")), {"data": [trace("a", marker=5)]}, "data[0].marker"),
    "color for a marker that is no object": (
        plot(trace("a", marker=[])),
        {"data": [trace("a", marker={"color": ["red"]})]},
        "data[0].marker",
    ),
    "color of a marker is no array": (
        plot(trace("a", marker={"color": ["red"]})),
        {"data": [trace("a", marker={"color": "red"})], "append": True},
        "data[0].marker.color",
    ),
    "color that is held is no array": (
        plot(trace("a", marker={"color": "red"})),
        {"data": [trace("a", marker={"color": ["red"]})], "append": True},
        "data[0].marker.color",
    ),
    "a new trace without type": (plot(trace("a")), {"data": [{"x": [], "y": []}], "name": "b"}, "data[0].type"),
    "an entry that is no trace": (plot(trace("a")), {"data": [5]}, "data[0]"),
    "opts is no object": (plot(trace("a")), {"opts": 5}, "opts"),
    "layout is no object": (plot(trace("a")), {"layout": [1]}, "layout"),
    "legend is no array": (plot(trace("a")), {"opts": {"legend": 5}}, "opts.legend"),
    "heatmap without direction": (
        plot({"type": "heatmap", "z": [[1]], "x": None, "y": None}),
        {"data": [{"type": "heatmap", "z": [[1]], "x": None, "y": None}]},
        "updateDir",
    ),
    "heatmap without values": (
        plot({"type": "heatmap", "z": [[1]], "x": None, "y": None}),
        {"data": [{"type": "heatmap"}], "updateDir": "replace"},
        "data[0].z",
    ),
    "heatmap with no rows": (
        plot({"type": "heatmap", "z": [[1]], "x": None, "y": None}),
        {"data": [{"type": "heatmap", "z": [], "x": None, "y": None}], "updateDir": "appendRow"},
        "data[0].z",
    ),
    "content that is no plot": ({"type": "plot", "content": None}, {"data": [trace("a")]}, "win"),
    "image": ({"type": "image", "content": {"src": ""}}, {"data": [trace("a")]}, "win"),
    "network": ({"type": "network", "content": {"nodes": []}}, {"data": [trace("a")]}, "win"),
    "properties": ({"type": "properties", "content": []}, {"data": [trace("a")]}, "win"),
    "text that is no text": ({"type": "text", "content": "a"}, {"data": [{"content": 5}]}, "data[0].content"),
    "no text": ({"type": "text", "content": "a"}, {"data": [{}]}, "data[0].content"),
    "no data for a text": ({"type": "text", "content": "a"}, {}, "data"),
    "a text window without text": ({"type": "text", "content": None}, {"data": [{"content": "a"}]}, "win"),
    "an image without content": (
        {"type": "image_history", "content": []},
        {"data": [{"type": "image_history"}]},
        "data[0].content",
    ),
    "a selection that is no number": (
        {"type": "image_history", "content": [1]},
        {"data": [{"type": "image_update_selected", "selected": "1"}]},
        "data[0].selected",
    ),
    "a selection elsewhere": (plot(trace("a")), {"data": [{"type": "image_update_selected", "selected": 1}]}, "win"),
    "no update_type": ({"type": "embeddings", "content": {"data": []}, "old_content": []}, {"data": {}}, "data.update_type"),
    "no points": (
        {"type": "embeddings", "content": {"data": []}, "old_content": []},
        {"data": {"update_type": "RegionSelected"}},
        "data.points",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_visdom_fails_and_we_refuse(stock: Stock, case: str) -> None:
    window, args, field = REFUSED[case]
    visdom_fails(stock, window, args)
    assert refused(window, args, stock.rules) == field


@BOTH
@pytest.mark.parametrize("key", ["command", "content", "contentID", "i", "id", "type", "version"])
def test_an_option_cannot_change_what_a_window_is(rules: Rules, key: str) -> None:
    assert refused(plot(trace("a")), {"opts": {key: "x"}}, rules) == f"opts.{key}"


@BOTH
def test_a_legend_that_is_a_string_does_not_name_traces_by_its_letters(rules: Rules) -> None:
    assert refused(plot(trace("a")), {"opts": {"legend": "train"}}, rules) == "opts.legend"


@BOTH
def test_y_that_is_no_array_cannot_replace(rules: Rules) -> None:
    assert refused(plot(trace("a")), {"data": [{"x": [1], "y": None}]}, rules) == "data[0].y"


@BOTH
def test_an_unknown_direction_is_refused(rules: Rules) -> None:
    heatmap = {"type": "heatmap", "z": [[1]], "x": None, "y": None}
    assert refused(plot(heatmap), {"data": [heatmap], "updateDir": "appendDiagonal"}, rules) == "updateDir"


HEATMAP = {"type": "heatmap", "z": [["a", "b"]], "x": ["k", "l"], "y": ["m"]}

DAMAGED: dict[str, tuple[Window, dict[str, Any], str]] = {
    "a marker that is a string": (plot(trace("a")), {"data": [trace("a", marker="red")]}, "data[0].marker"),
    "colors joined to one word": (
        plot(trace("a", marker={"color": "red"})),
        {"data": [trace("a", marker={"color": "blue"})], "append": True},
        "data[0].marker.color",
    ),
    "a column added letter by letter": (
        plot(HEATMAP),
        {"data": [{"z": ["cd"], "x": ["n", "o"]}], "updateDir": "appendColumn", "append": True},
        "data[0].z",
    ),
    "labels added letter by letter": (
        plot(HEATMAP),
        {"data": [{"z": [["c", "d"]], "y": "no"}], "updateDir": "appendRow", "append": True},
        "data[0].y",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_visdom_damages_the_window_and_we_refuse(stock: Stock, case: str) -> None:
    window, args, field = DAMAGED[case]
    stock.update(copy.deepcopy(window), args)
    assert refused(window, args, stock.rules) == field


@pytest.mark.parametrize("selected", [0.5, True])
def test_a_selected_plot_has_a_whole_number(selected: object) -> None:
    window: Window = {"type": "plot_history", "content": [1, 2], "selected": 1}
    assert refused(window, {"data": [{"type": "plot_update_selected", "selected": selected}]}, V0_3_0) == "data[0].selected"
    done({**window, "content": []}, {"data": [{"type": "plot_update_selected", "selected": 1}]}, V0_3_0)


@BOTH
def test_a_selection_is_not_added_as_text(rules: Rules) -> None:
    data = [{"type": "image_update_selected", "selected": 1, "content": "a"}]
    assert refused({"type": "text", "content": "a"}, {"data": data}, rules) == "win"


@BOTH
def test_x_may_be_dates(stock: Stock, rules: Rules) -> None:
    window = plot(trace("a", x=["2024-01-01", "2024-01-02"]))
    args = {"data": [{"x": ["2024-01-03"], "y": [5]}], "append": True}
    visdom_fails(stock, window, args)
    assert ["extend", ["content", "data", 0, "x"], ["2024-01-03"]] in done(window, args, rules)
    assert window["content"]["data"][0]["y"] == [3, 4, 5]


@BOTH
@pytest.mark.parametrize("x", [[None, None], [float("nan"), None], []])
def test_x_without_a_single_value_is_skipped(rules: Rules, x: list[Any]) -> None:
    window = plot(trace("a"), trace("b"))
    done(window, {"data": [{"x": x, "y": [9] * len(x)}, {"x": [7], "y": [8]}], "append": True}, rules)
    assert [held["y"] for held in window["content"]["data"]] == [[3, 4], [3, 4, 8]]


@BOTH
def test_x_may_begin_with_null(rules: Rules) -> None:
    window = plot(trace("a"))
    done(window, {"data": [{"x": [None, 5], "y": [1, None]}], "append": True}, rules)
    assert window["content"]["data"][0]["x"] == [1, 2, None, 5]


def test_z_is_updated_by_0_3_0_only() -> None:
    for rules, z in ((V0_2_4, [5, 6]), (V0_3_0, [5, 6, 7])):
        window = plot(trace("a", type="scatter3d", z=[5, 6]))
        done(window, {"data": [{"x": [1], "y": [1], "z": [7]}], "append": True}, rules)
        assert window["content"]["data"][0]["z"] == z


def test_infinite_x_is_skipped_by_0_3_0_only() -> None:
    for rules, x in ((V0_2_4, [1, 2, float("inf")]), (V0_3_0, [1, 2])):
        window = plot(trace("a"))
        done(window, {"data": [{"x": [float("inf")], "y": [1]}], "append": True}, rules)
        assert window["content"]["data"][0]["x"] == x


@BOTH
def test_deleting_several_traces_of_a_name(rules: Rules) -> None:
    window = plot(trace("a"), trace("b"), trace("a"), trace("c"), trace("a"))
    done(window, {"data": [], "name": "a", "delete": True}, rules)
    assert [held["name"] for held in window["content"]["data"]] == ["b", "c"]
    done(window, {"data": [], "delete": True}, rules)
    assert window["content"]["data"] == []


@BOTH
def test_deleting_by_name_needs_no_data(stock: Stock, rules: Rules) -> None:
    window = plot(trace("a"), trace("b"))
    visdom_fails(stock, window, {"name": "a", "delete": True})
    done(window, {"name": "a", "delete": True}, rules)
    assert [held["name"] for held in window["content"]["data"]] == ["b"]


@BOTH
def test_a_plot_without_traces_takes_new_ones(stock: Stock, rules: Rules) -> None:
    for args in ({"data": [trace("b")], "name": "a"}, {"data": [trace("a")], "append": True}):
        window = plot()
        visdom_fails(stock, window, args)
        done(window, args, rules)
        assert [held["name"] for held in window["content"]["data"]] == ["a"]


@BOTH
def test_a_plot_without_traces_takes_every_heatmap(rules: Rules) -> None:
    """Visdom keeps the first only: the background, when a color for NaN is given."""
    heatmap = {"type": "heatmap", "z": [[1]], "x": None, "y": None}
    window = plot()
    done(window, {"data": [heatmap, {**heatmap, "z": [[2]]}], "updateDir": "replace"}, rules)
    assert [held["z"] for held in window["content"]["data"]] == [[[1]], [[2]]]


@BOTH
def test_several_heatmaps_grow_together(stock: Stock, rules: Rules) -> None:
    """A heatmap with a color for NaN is two traces."""
    heatmap = {"type": "heatmap", "z": [[0]], "x": None, "y": None}
    window = plot(heatmap)
    window["content"]["data"].append({**heatmap, "z": [[1]]})
    args = {"data": [heatmap, {**heatmap, "z": [[2]]}], "updateDir": "appendRow", "append": True}
    visdom_fails(stock, window, args)
    done(window, args, rules)
    assert [held["z"] for held in window["content"]["data"]] == [[[0], [0]], [[1], [2]]]


@BOTH
def test_a_trace_without_name_or_type_is_no_obstacle(rules: Rules) -> None:
    window = plot({"x": [1], "y": [1]}, trace("a"))
    done(window, {"data": [trace("a")], "name": "a", "append": True}, rules)
    assert window["content"]["data"][1]["x"] == [1, 2, 1, 2]
    assert refusal_text(window, rules) is None


def test_a_short_legend_renames_what_it_reaches() -> None:
    window = plot(trace("a"), trace("b"))
    done(window, {"opts": {"legend": ["z"]}}, V0_2_4)
    assert [held["name"] for held in window["content"]["data"]] == ["z", "b"]


@BOTH
def test_a_short_legend_with_a_name_renames_the_traces_of_that_name(rules: Rules) -> None:
    window = plot(trace("a"), trace("b"))
    done(window, {"data": [trace("b")], "name": "b", "append": True, "opts": {"legend": ["b"]}}, rules)
    assert [(held["name"], len(held["x"])) for held in window["content"]["data"]] == [("a", 2), ("b", 4)]


@BOTH
def test_null_is_as_good_as_absent(rules: Rules) -> None:
    window = plot(trace("a"))
    window["content"]["layout"] = None
    done(window, {"opts": None, "layout": None}, rules)
    done(window, {"opts": {"legend": None, "title": None}, "layout": {"title": "t"}}, rules)
    done(window, {"data": [trace("a", marker=None)], "append": True}, rules)
    assert window["content"]["layout"] == {"title": "t"}
    assert "marker" not in window["content"]["data"][0]


def test_a_window_without_version_gets_one() -> None:
    window = plot(trace("a"))
    del window["version"]
    done(window, {"opts": {}}, V0_3_0)
    assert window["version"] == 2


@BOTH
def test_an_image_can_be_selected(rules: Rules) -> None:
    window = {"type": "image_history", "content": ["a", "b", "c"], "selected": 2}
    for selected, expected in ((1, 1), (-4, 0), (9, 2), (0.0, 0)):
        done(window, {"data": [{"type": "image_update_selected", "selected": selected}]}, rules)
        assert window["selected"] == expected


@BOTH
def test_going_back_to_former_points(rules: Rules) -> None:
    window: Window = {"type": "embeddings", "content": {"data": [1], "has_previous": False}, "old_content": []}
    first = copy.deepcopy(window)
    done(window, {"data": {"update_type": "RegionSelected", "points": [2]}}, rules)
    before = copy.deepcopy(window)
    operations = pop_embeddings(window)
    assert written(apply_reference(before, operations)) == written(window)
    assert {**window["content"], "selected": None} == {**first["content"], "selected": None}
    assert window["old_content"] == []
    with pytest.raises(UpdateRefused, match="nothing to go back to"):
        pop_embeddings(window)


@BOTH
def test_unknown_windows_are_left_to_visdom(rules: Rules) -> None:
    window = {"type": "table", "content": []}
    with pytest.raises(UnknownUpdate):
        apply_update(window, {"data": [{"type": "table"}]}, WindowBounds(), rules=rules)
    assert window == {"type": "table", "content": []}


def test_plots_that_are_not_updated() -> None:
    window = plot({"type": "bar"})
    old = "win is not scatter, heatmap, custom, image_history, embeddings, or text; was bar"
    assert refusal_text(window, V0_2_4) == old
    assert refusal_text(window, V0_3_0) == old.replace("image_history,", "image_history, plot_history,")
    for kind in ("scatter", "scattergl", "custom", "heatmap"):
        assert refusal_text(plot({"type": kind}), V0_2_4) is None
    assert refusal_text(plot({"type": "scatter3d"}), V0_2_4) is not None
    assert refusal_text(plot({"type": "scatter3d"}), V0_3_0) is None
    assert refusal_text(plot(), V0_2_4) is None
    assert refusal_text({"type": "text", "content": ""}, V0_2_4) is None


@BOTH
def test_only_what_changes_is_said(rules: Rules) -> None:
    """The client sends its options with every append."""
    opts = {"mode": "lines", "markersize": 10, "legend": ["a"]}
    window = plot(trace("a"), **opts)
    operations = done(window, {"data": [trace("a")], "name": "a", "append": True, "opts": opts, "layout": {}}, rules)
    paths = [operation[1] for operation in operations]
    version = [["version"]] if rules.counts_versions else []
    assert paths == [*version, ["content", "data", 0, "x"], ["content", "data", 0, "y"], ["contentID"]]
