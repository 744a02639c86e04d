"""An overview of the whole run in a bounded number of points: what stays, and what it costs."""

from __future__ import annotations

import copy
import json
import math
import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.visdom.updates.oracle import apply_reference, written
from visdom_transport.client.messages import calls
from visdom_transport.visdom.updates import V0_2_4, WindowBounds, apply_update, bound_window
from visdom_transport.visdom.updates.choices import CHOICES
from visdom_transport.visdom.updates.overview import survivors

OVERVIEW = WindowBounds(keep="overview")


def plot(y: list[Any], start: int = 0, **members: Any) -> dict[str, Any]:
    """A window with one trace whose arrays tell which point a value belongs to."""
    trace = {"type": "scatter", "x": list(range(start, start + len(y))), "y": y, **members}
    return {"type": "plot", "contentID": "c", "content": {"data": [trace], "layout": {}}}


def append(
    window: dict[str, Any], y: list[Any], start: int, server_bounds: WindowBounds = OVERVIEW, data_x: list[Any] | None = None
) -> list[Any]:
    """Append points, and check that the operations do to a copy what was done to the window."""
    data = [{"type": "scatter", "x": data_x or list(range(start, start + len(y))), "y": y}]
    before = copy.deepcopy(window)
    operations = apply_update(window, {"data": data, "append": True}, server_bounds, rules=V0_2_4)
    assert written(apply_reference(before, operations)) == written(window)
    return operations


VALUES = st.none() | st.floats(-1e3, 1e3, allow_nan=False) | st.integers(-5, 5) | st.just("a")


@given(runs=st.lists(st.lists(VALUES, max_size=60), min_size=1, max_size=12), bound=st.integers(1, 70))
@example([["a", None, 0.0, 1.0, None, None, None, None, None]], 8)
def test_the_whole_run_stays_in_a_bounded_number_of_points(runs: list[list[Any]], bound: int) -> None:
    window = plot([])
    bound_window(window, OVERVIEW, {"max_points": bound})
    everything: list[Any] = []
    for run in runs:
        append(window, run, len(everything))
        everything += run
        trace = window["content"]["data"][0]
        x, y = trace["x"], trace["y"]
        assert len(x) == len(y) <= bound
        assert x == sorted(x)
        assert [everything[i] for i in x] == y, "every point is one that was published"
        if not everything:
            continue
        assert x[-1] == len(everything) - 1
        newest = min(len(everything), max(1, bound // 2))
        assert x[-newest:] == list(range(len(everything) - newest, len(everything))), "what is new is exact"
        if bound == 1:
            continue
        assert x[0] == 0
        if bound >= 8:
            numbers = [value for value in everything if type(value) in (int, float)]
            held = [value for value in y if type(value) in (int, float)]
            assert (min(held, default=None), max(held, default=None)) == (min(numbers, default=None), max(numbers, default=None))
            assert len(x) >= min(len(everything), bound // 2)


@pytest.mark.parametrize("dates", [False, True], ids=["numbers", "dates"])
def test_the_beginning_is_no_coarser_than_the_middle(dates: bool) -> None:
    """However often it was thinned. x need not be regular."""
    window = plot([])
    bound_window(window, OVERVIEW, {"max_points": 400})
    begin = datetime(2026, 1, 1)
    for n in range(0, 20_000, 10):
        x = [number + (0.5 if number % 3 else 0) for number in range(n, n + 10)]
        shown = [(begin + timedelta(minutes=minute)).isoformat(" ") for minute in x] if dates else x
        append(window, [math.sin(number) for number in x], n, data_x=shown)
    held = window["content"]["data"][0]["x"]
    minutes = [(datetime.fromisoformat(value) - begin).total_seconds() / 60 for value in held] if dates else held
    tenths = [sum(1 for minute in minutes if k * 2_000 <= minute < (k + 1) * 2_000) for k in range(9)]
    assert max(tenths) <= 2 * min(tenths), tenths
    assert sum(tenths) >= 60


def test_points_in_no_order_are_counted() -> None:
    chance = random.Random(3)
    x = [chance.random() for _ in range(100)]
    assert survivors(x, x, 40) == survivors(range(100), x, 40)
    assert survivors(["a"] * 100, x, 40) == survivors(range(100), x, 40)
    assert survivors([1] * 100, x, 40) == survivors(range(100), x, 40)


def test_a_gap_of_a_line_stays_a_gap() -> None:
    window = plot([float(n % 7) for n in range(40)] + [None] * 3 + [float(n % 7) for n in range(57)])
    bound_window(window, OVERVIEW, {"max_points": 60})
    trace = window["content"]["data"][0]
    assert None in trace["y"]
    assert 40 <= trace["x"][trace["y"].index(None)] <= 42


def test_every_array_that_holds_one_value_per_point_keeps_the_same_points() -> None:
    numbers = list(range(40))
    y = [math.sin(n) for n in numbers]
    text, color, size = [f"t{n}" for n in numbers], [f"#{n:06}" for n in numbers], numbers[:10]
    window = plot(y, text=text, marker={"color": color, "size": size, "symbol": "dot"}, textposition="right")
    bound_window(window, OVERVIEW, {"max_points": 16})
    trace = window["content"]["data"][0]
    kept = trace["x"]
    assert len(kept) <= 16
    assert trace["text"] == [text[i] for i in kept]
    assert trace["marker"] == {"color": [color[i] for i in kept], "size": [i for i in kept if i < 10], "symbol": "dot"}
    assert trace["textposition"] == "right"


def test_in_space_the_third_axis_tells_what_is_extreme() -> None:
    z = [0.0] * 40
    z[7], z[11] = 9.0, -9.0
    window = plot([0.0] * 40, z=z)
    window["content"]["data"][0]["type"] = "scatter3d"
    bound_window(window, OVERVIEW, {"max_points": 16})
    trace = window["content"]["data"][0]
    assert {7, 11} <= set(trace["x"])
    assert len(trace["z"]) == len(trace["x"]) <= 16


def test_each_trace_keeps_its_own_run() -> None:
    window = plot([float(n) for n in range(20)])
    window["content"]["data"].append(copy.deepcopy(plot([0.0, 5.0])["content"]["data"][0]))
    bound_window(window, OVERVIEW, {"max_points": 16})
    assert len(window["content"]["data"][0]["x"]) <= 16
    assert window["content"]["data"][1]["y"] == [0.0, 5.0]


def test_a_windows_own_word_goes_before_the_servers() -> None:
    window = plot([float(n) for n in range(40)])
    bound_window(window, OVERVIEW, {"max_points": 16, "keep": "newest"})
    assert window["keep"] == "newest"
    assert window["content"]["data"][0]["x"] == list(range(24, 40))
    window = plot([float(n) for n in range(40)])
    bound_window(window, WindowBounds(max_points=16), {"keep": "overview"})
    assert window["content"]["data"][0]["x"][0] == 0
    apply_update(window, {"opts": {"keep": "newest"}}, WindowBounds(max_points=16), rules=V0_2_4)
    append(window, [0.0] * 8, 40, WindowBounds(max_points=16))
    assert window["content"]["data"][0]["x"][0] > 0


def test_the_client_knows_the_same_words() -> None:
    assert {name: words[1:] for name, words in calls._CHOICES.items()} == CHOICES


def test_a_long_run_costs_what_is_appended() -> None:
    """Bytes of the operations, of which most are those of the appended points: a first-in-first-out window has 1.0."""
    chance = random.Random(1)
    bound, appended, bytes_sent, bytes_appended, thinned = 400, 20_000, 0, 0, 0
    window = plot([])
    bound_window(window, OVERVIEW, {"max_points": bound})
    for n in range(appended):
        y = [chance.random()]
        data = [{"type": "scatter", "x": [n], "y": y}]
        operations = apply_update(window, {"data": data, "append": True}, OVERVIEW, rules=V0_2_4)
        thinned += any(operation[0] == "set" and operation[1][-1] == "x" for operation in operations)
        bytes_sent += len(json.dumps(operations))
        bytes_appended += len(json.dumps([operation for operation in operations if operation[0] == "extend"]))
    assert thinned <= appended / (bound / 4) * 1.1, "the whole is only looked at after a quarter of it is new"
    assert bytes_sent < 5 * bytes_appended
    assert 0.5 * bound <= len(window["content"]["data"][0]["x"]) <= bound
