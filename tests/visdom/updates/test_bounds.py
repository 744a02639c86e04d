"""Bounds are kept first in, first out, on every path that can grow."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.visdom.updates.oracle import apply_reference, written
from visdom_transport.visdom.updates import (
    V0_2_4,
    V0_3_0,
    Memo,
    UpdateRefused,
    WindowBounds,
    apply_update,
    bound_window,
    read_bounds,
)

OFF = WindowBounds()


def trace(start: int, count: int, **members: Any) -> dict[str, Any]:
    """Points that carry their number in every array."""
    numbers = list(range(start, start + count))
    held = {
        "type": "scatter",
        "name": "a",
        "x": numbers,
        "y": numbers,
        "text": [f"t{n}" for n in numbers],
        "customdata": [[n] for n in numbers],
        "ids": [str(n) for n in numbers],
        "marker": {"color": [f"#{n:06}" for n in numbers], "size": numbers, "symbol": "dot", "line": {"color": numbers}},
        **members,
    }
    # No two arrays are one list: a window came from JSON.
    result: dict[str, Any] = json.loads(json.dumps(held))
    return result


def plot(*traces: dict[str, Any]) -> dict[str, Any]:
    return {"type": "plot", "contentID": "c", "content": {"data": list(traces), "layout": {}}}


def done(
    window: dict[str, Any], args: dict[str, Any], server_bounds: WindowBounds = OFF, memo: Memo | None = None
) -> list[list[Any]]:
    before = copy.deepcopy(window)
    operations = apply_update(window, args, server_bounds, rules=V0_2_4, memo=memo)
    assert written(apply_reference(before, operations)) == written(window)
    return operations


def test_appended_points_push_out_the_oldest() -> None:
    window = plot(trace(0, 3))
    server_bounds = WindowBounds(max_points=4)
    for n in range(3, 20):
        operations = done(window, {"data": [trace(n, 1)], "append": True}, server_bounds)
        held = window["content"]["data"][0]
        assert held["x"] == held["y"] == list(range(max(0, n - 3), n + 1))
        assert held["marker"]["color"][-1] == f"#{n:06}"
        assert len(held["marker"]["color"]) == len(held["x"])
        if n > 4:
            assert ["drop", ["content", "data", 0, "x"], 1] in operations


def test_every_array_of_a_trace_stays_aligned() -> None:
    window = plot(trace(0, 10, textposition="right"))
    before = copy.deepcopy(window)
    operations = bound_window(window, OFF, {"max_points": 4})
    assert written(apply_reference(before, operations)) == written(window)
    assert window["content"]["data"] == [trace(6, 4, textposition="right")]
    assert window["max_points"] == 4


def test_points_without_a_text_of_their_own_do_not_shift_the_others() -> None:
    """Visdom appends no text: the first points have one, the appended have none."""
    window = plot(trace(0, 4))
    done(window, {"data": [{"x": [4, 5], "y": [4, 5]}], "append": True}, WindowBounds(max_points=3))
    held = window["content"]["data"][0]
    assert (held["x"], held["text"]) == ([3, 4, 5], ["t3"])
    done(window, {"data": [{"x": [6, 7, 8, 9], "y": [6, 7, 8, 9]}], "append": True}, WindowBounds(max_points=3))
    assert (held["x"], held["text"]) == ([7, 8, 9], [])


def test_replacements_and_new_traces_are_bounded() -> None:
    window = plot(trace(0, 2))
    server_bounds = WindowBounds(max_points=3)
    done(window, {"data": [trace(0, 9)], "name": "a"}, server_bounds)
    done(window, {"data": [trace(0, 9)], "name": "b"}, server_bounds)
    assert [held["x"] for held in window["content"]["data"]] == [[6, 7, 8], [6, 7, 8]]


def test_a_tightened_bound_holds_for_every_trace() -> None:
    window = plot(trace(0, 5), trace(0, 5, name="b"))
    done(window, {"opts": {"max_points": 2}})
    assert [held["x"] for held in window["content"]["data"]] == [[3, 4], [3, 4]]


def test_points_in_space_are_bounded() -> None:
    window = plot(trace(0, 5, type="scatter3d", z=[0, 1, 2, 3, 4], line={"color": [0, 1, 2, 3, 4]}))
    bound_window(window, WindowBounds(max_points=2))
    assert window["content"]["data"][0]["z"] == [3, 4]
    assert window["content"]["data"][0]["line"]["color"] == [3, 4]


@pytest.mark.parametrize("kind", ["bar", "box", "heatmap", "surface"])
def test_what_does_not_grow_by_points_is_left_alone(kind: str) -> None:
    window = plot({"type": kind, "x": [1, 2, 3], "y": [1, 2, 3], "z": [[1], [2], [3]]})
    assert bound_window(window, WindowBounds(max_points=1)) == []


def test_the_windows_own_bound_goes_before_the_servers() -> None:
    window = plot(trace(0, 9))
    bound_window(window, WindowBounds(max_points=2), {"max_points": 5})
    assert len(window["content"]["data"][0]["x"]) == 5


def test_a_damaged_bound_in_a_saved_window_does_not_count() -> None:
    window = {**plot(trace(0, 9)), "max_points": "many"}
    bound_window(window, WindowBounds(max_points=2))
    assert len(window["content"]["data"][0]["x"]) == 2


@pytest.mark.parametrize("memo", [None, {}])
def test_text_keeps_its_last_lines(memo: Memo | None) -> None:
    window = {"type": "text", "contentID": "c", "content": "0<br>1"}
    for n in range(2, 30):
        done(window, {"data": [{"content": str(n)}]}, WindowBounds(max_lines=3), memo)
        assert window["content"].split("<br>") == [str(m) for m in range(max(0, n - 2), n + 1)]


def test_one_long_message_pushes_out_its_own_beginning() -> None:
    window = {"type": "text", "contentID": "c", "content": "é<br>😀"}
    operations = done(window, {"data": [{"content": "a<br>b<br>c<br>d"}], "opts": {"max_lines": 2}})
    assert window["content"] == "c<br>d"
    assert window["max_lines"] == 2
    assert ["drop", ["content"], len("é<br>😀<br>a<br>b<br>")] in operations


def test_the_line_memo_is_not_trusted_for_other_content() -> None:
    memo: Memo = {}
    window = {"type": "text", "contentID": "c", "content": "a"}
    done(window, {"data": [{"content": "b"}]}, WindowBounds(max_lines=3), memo)
    window["content"] = "a<br>b<br>c<br>d<br>e"
    done(window, {"data": [{"content": "f"}]}, WindowBounds(max_lines=3), memo)
    assert window["content"] == "d<br>e<br>f"


def test_the_line_memo_is_bounded() -> None:
    memo: Memo = {}
    for n in range(3000):
        done({"type": "text", "contentID": str(n), "content": "a"}, {"data": [{"content": "b"}]}, WindowBounds(max_lines=3), memo)
    assert len(memo) == 1024


@pytest.mark.parametrize("kind", ["image_history", "plot_history"])
def test_histories_keep_their_last_entries(kind: str) -> None:
    window = {"type": kind, "contentID": "c", "content": [0], "selected": 0}
    for n in range(1, 9):
        before = copy.deepcopy(window)
        operations = apply_update(window, {"data": [{"type": kind, "content": n}]}, WindowBounds(max_images=3), rules=V0_3_0)
        assert written(apply_reference(before, operations)) == written(window)
    assert window["content"] == [6, 7, 8]
    assert window["selected"] == 2


def test_what_is_shown_stays_shown_when_older_images_go() -> None:
    for selected, expected in ((4, 2), (2, 0), (0, 0)):
        window = {"type": "image_history", "contentID": "c", "content": [0, 1, 2, 3, 4], "selected": selected}
        done(window, {"opts": {"max_images": 3}})
        assert (window["content"], window["selected"]) == ([2, 3, 4], expected)


def test_a_bound_goes_before_visdoms_own() -> None:
    window = {"type": "image_history", "contentID": "c", "content": [0], "selected": 0}
    for n in range(1, 9):
        apply_update(window, {"data": [{"type": "image_history", "content": n}]}, WindowBounds(max_images=6), rules=V0_3_0)
    assert window["content"] == [3, 4, 5, 6, 7, 8]


def test_former_points_are_bounded() -> None:
    window = {"type": "embeddings", "contentID": "c", "content": {"data": [0]}, "old_content": []}
    for n in range(1, 9):
        done(window, {"data": {"update_type": "RegionSelected", "points": [n]}}, WindowBounds(max_old_content=2))
    assert window["old_content"] == [[6], [7]]
    done(window, {"opts": {"max_old_content": 1}})
    assert window["old_content"] == [[7]]


def test_a_new_window_is_not_cut_to_visdoms_own_bounds() -> None:
    """Visdom does not do so either: its own bounds count when something is added."""
    window = {"type": "text", "contentID": "c", "content": "<br>".join("x" * 600)}
    assert bound_window(window, OFF) == []


@pytest.mark.parametrize("name", ["max_points", "max_lines", "max_images", "max_old_content"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True, [3]])
def test_bounds_are_positive_integers(name: str, value: object) -> None:
    with pytest.raises(UpdateRefused) as refusal:
        read_bounds({name: value})
    assert (refusal.value.status, refusal.value.field) == (400, f"opts.{name}")
    window = plot(trace(0, 2))
    before = copy.deepcopy(window)
    for change in (
        lambda: apply_update(window, {"data": [trace(2, 1)], "append": True, "opts": {name: value}}, OFF, rules=V0_2_4),
        lambda: bound_window(window, OFF, {name: value}),
    ):
        with pytest.raises(UpdateRefused):
            change()
    assert window == before


def test_a_plot_keeps_its_detail() -> None:
    window = plot(trace(0, 2))
    assert bound_window(window, OFF, {"detail": "full"}) == [["set", ["detail"], "full"]]
    done(window, {"opts": {"detail": "screen"}})
    assert window["detail"] == "screen"
    done(window, {"opts": {"detail": None}})
    assert window["detail"] == "screen"
    text = {"type": "text", "contentID": "c", "content": ""}
    assert bound_window(text, OFF, {"detail": "whatever"}) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("detail", value) for value in ("", "fully", 1, True, ["full"])),
        *(("keep", value) for value in ("", "all", 1, True, ["overview"])),
    ],
)
def test_another_word_is_refused_and_nothing_changes(name: str, value: object) -> None:
    window = plot(trace(0, 2))
    before = copy.deepcopy(window)
    for change in (
        lambda: apply_update(window, {"data": [trace(2, 1)], "append": True, "opts": {name: value}}, OFF, rules=V0_2_4),
        lambda: apply_update(window, {"opts": {name: value}}, OFF, rules=V0_2_4),
        lambda: bound_window(window, OFF, {name: value}),
    ):
        with pytest.raises(UpdateRefused) as refusal:
            change()
        assert refusal.value.field == f"opts.{name}"
    assert window == before


def test_null_is_no_bound() -> None:
    assert read_bounds({"max_points": None, "title": "t"}) == {}
    assert read_bounds(None) == {}
