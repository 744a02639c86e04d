"""Deltas: every operation, and folding by property."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdom_transport.core.delta import Delta, apply, fold
from visdom_transport.core.errors import GapError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "deltas.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_shared_vectors(vector: dict[str, Any]) -> None:
    if vector.get("gap"):
        with pytest.raises(GapError):
            apply(copy.deepcopy(vector["value"]), vector["operations"])
    else:
        assert apply(copy.deepcopy(vector["value"]), vector["operations"]) == vector["result"]


FRESH = [7, "s", [1, 2], {"x": [5], "name": "n"}]


@st.composite
def valid_deltas(draw: st.DrawFn) -> tuple[Any, list[Delta]]:
    """A value and deltas that fit it, drawn by carrying them out."""
    value: Any = {"data": [{"x": [0, 1], "name": "a"}, {"x": [], "name": "b"}], "text": "t", "rows": [[1], [2]]}
    current = copy.deepcopy(value)
    deltas: list[Delta] = []
    for _ in range(draw(st.integers(0, 12))):
        delta: Delta = []
        for _ in range(draw(st.integers(1, 3))):
            operation = draw_operation(draw, current)
            if operation is not None:
                current = apply(current, copy.deepcopy([operation]))
                delta.append(operation)
        deltas.append(delta)
        for _ in range(draw(st.sampled_from([0, 0, 1, 2, 4]))):
            alike = [draw_alike(draw, operation) for operation in delta]
            try:
                current = apply(copy.deepcopy(current), copy.deepcopy(alike))
            except GapError:
                break
            deltas.append(alike)
    return value, deltas


def draw_alike(draw: st.DrawFn, operation: list[Any]) -> list[Any]:
    """The same at the same place, with something else: as appends to one plot follow each other."""
    name, path, *_ = operation
    if name == "set":
        return ["set", path, copy.deepcopy(draw(st.sampled_from(FRESH)))]
    return ["extend", path, draw(st.lists(st.integers(0, 9), max_size=3))] if name == "extend" else copy.deepcopy(operation)


def draw_operation(draw: st.DrawFn, current: Any) -> list[Any] | None:
    places = list(walk(current, []))
    path, target = draw(st.sampled_from(places))
    fresh = copy.deepcopy(draw(st.sampled_from(FRESH)))
    choices = ["set"]
    if path:
        choices.append("delete")
    if isinstance(target, list):
        choices += ["extend", "extend", "drop", "drop", "insert"]
    if isinstance(target, dict):
        choices += ["member"]
    if isinstance(target, str) and path:
        choices += ["append", "append", "drop"]
    choice = draw(st.sampled_from(choices))
    if choice == "set":
        # The whole value stays an object so that there is something to draw from.
        return ["set", path, fresh] if path else None
    if choice == "member":
        return ["set", [*path, draw(st.sampled_from(["p", "q"]))], fresh]
    if choice == "delete":
        return ["delete", path]
    if choice == "extend":
        return ["extend", path, draw(st.lists(st.integers(0, 9), max_size=3))]
    if choice == "drop":
        return ["drop", path, draw(st.integers(0, len(target)))]
    if choice == "insert":
        return ["insert", [*path, draw(st.integers(0, len(target)))], fresh]
    return ["append", path, draw(st.text("ab", max_size=3))]


def walk(value: Any, path: list[Any]) -> Any:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, [*path, key])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, [*path, index])


@given(valid_deltas())
def test_a_folded_delta_has_the_effect_of_all(drawn: tuple[Any, list[Delta]]) -> None:
    value, deltas = drawn
    before = copy.deepcopy(deltas)
    expected = copy.deepcopy(value)
    for delta in deltas:
        expected = apply(expected, copy.deepcopy(delta))
    assert apply(copy.deepcopy(value), copy.deepcopy(fold(deltas))) == expected
    assert deltas == before, "folding must not change its arguments"


@given(valid_deltas(), st.integers(0, 12))
def test_folding_is_associative_in_effect(drawn: tuple[Any, list[Delta]], cut: int) -> None:
    value, deltas = drawn
    once = apply(copy.deepcopy(value), copy.deepcopy(fold(deltas)))
    twice = apply(copy.deepcopy(value), copy.deepcopy(fold([fold(deltas[:cut]), fold(deltas[cut:])])))
    assert once == twice


def test_a_set_stays_when_what_it_put_there_was_changed_in_between() -> None:
    deltas: list[Delta] = [
        [["set", ["a"], {"b": [[1], [2]]}]],
        [["extend", ["a", "b", 1], [3]]],
        [["drop", ["a", "b"], 1]],
        [["set", ["a"], {"b": []}]],
    ]
    assert apply({}, copy.deepcopy(fold(deltas[:3]))) == {"a": {"b": [[2, 3]]}}
    assert apply({}, copy.deepcopy(fold(deltas))) == {"a": {"b": []}}


def test_appends_to_one_plot_fold_in_place() -> None:
    deltas: list[Delta] = [[["extend", ["x"], [i]], ["append", ["text"], str(i)], ["set", ["n"], i]] for i in range(5)]
    assert fold(deltas) == [["extend", ["x"], [0, 1, 2, 3, 4]], ["append", ["text"], "01234"], ["set", ["n"], 4]]
    assert deltas[0] == [["extend", ["x"], [0]], ["append", ["text"], "0"], ["set", ["n"], 0]], "arguments stay"


def test_a_sliding_window_folds_to_one_extend_and_one_drop() -> None:
    deltas: list[Delta] = [[["set", ["contentID"], str(i)], ["extend", ["x"], [i]], ["drop", ["x"], 1]] for i in range(100)]
    folded = fold(deltas)
    assert sorted(operation[0] for operation in folded) == ["drop", "extend", "set"]
    assert apply({"x": [0], "contentID": ""}, folded) == {"x": [99], "contentID": "99"}
