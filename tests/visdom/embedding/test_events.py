"""What is accepted, and that a refusal names the place."""

from __future__ import annotations

import math
from typing import Any

import pytest

from visdom_transport.visdom.embedding import Batch, Point, parse
from visdom_transport.visdom.embedding.events import MAX_LABEL_CHARACTERS
from visdom_transport.visdom.updates import UpdateRefused

MAX_POINTS = 5
HUGE = 10**400
"""Valid JSON, and no number a page could draw."""

NOT_COORDINATES = [None, True, False, "1", [1], {"x": 1}, math.nan, math.inf, -math.inf, HUGE]
NOT_LABELS = [[1], {"a": 1}, math.nan, math.inf, HUGE, "x" * (MAX_LABEL_CHARACTERS + 1)]


def single(**members: Any) -> dict[str, Any]:
    return {"type": "embedding", "x": 1, "y": 2.5, **members}


def batch(*points: Any, **members: Any) -> dict[str, Any]:
    return {"type": "embedding_batch", "points": list(points), **members}


def refused(event: dict[str, Any]) -> UpdateRefused:
    with pytest.raises(UpdateRefused) as caught:
        parse(event, MAX_POINTS)
    assert caught.value.status == 400
    assert len(caught.value.message) < 300
    return caught.value


def test_single_event() -> None:
    parsed = parse(single(z=3, phase="train", predicted=4, cluster="a", unknown=[]), MAX_POINTS)
    assert parsed.points == [Point(x=1, y=2.5, z=3, phase="train", predicted=4, cluster="a")]
    assert not parsed.replace


def test_what_is_optional() -> None:
    (point,) = parse(single(), MAX_POINTS).points
    assert (point.z, point.phase, point.predicted, point.cluster) == (None, None, None, None)
    assert parse(single(z=None, phase=None, predicted=None, cluster=None), MAX_POINTS).points == [point]


@pytest.mark.parametrize("replace", [True, False])
def test_batch(replace: bool) -> None:
    parsed = parse(batch({"x": 1, "y": 2}, {"x": 3, "y": 4, "cluster": 7}, replace=replace), MAX_POINTS)
    assert [(point.x, point.y, point.cluster) for point in parsed.points] == [(1, 2, None), (3, 4, 7)]
    assert parsed.replace is replace


def test_batch_appends_unless_told_otherwise() -> None:
    assert parse(batch({"x": 1, "y": 2}), MAX_POINTS).replace is False


def test_empty_batch() -> None:
    assert parse(batch(replace=True), MAX_POINTS).points == []


def test_batch_as_large_as_the_window() -> None:
    assert len(parse(batch(*[{"x": 0, "y": 0}] * MAX_POINTS), MAX_POINTS).points) == MAX_POINTS


@pytest.mark.parametrize("value", NOT_COORDINATES, ids=lambda value: f"{value!r:.20}")
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_bad_coordinate(axis: str, value: Any) -> None:
    if axis == "z" and value is None:
        return
    good = {"x": 1, "y": 2, "z": 3}
    assert refused({"type": "embedding", **good, axis: value}).field == axis
    assert refused(batch(good, good, good, {**good, axis: value})).field == f"points[3].{axis}"


@pytest.mark.parametrize("axis", ["x", "y"])
def test_missing_coordinate(axis: str) -> None:
    point = {"x": 1, "y": 2}
    del point[axis]
    assert refused({"type": "embedding", **point}).field == axis
    assert refused(batch(point)).field == f"points[0].{axis}"


@pytest.mark.parametrize("value", NOT_LABELS, ids=lambda value: f"{value!r:.20}")
@pytest.mark.parametrize("label", ["phase", "predicted", "cluster"])
def test_bad_label(label: str, value: Any) -> None:
    assert refused(single(**{label: value})).field == label
    assert refused(batch({"x": 1, "y": 2}, {"x": 1, "y": 2, label: value})).field == f"points[1].{label}"


@pytest.mark.parametrize("value", ["", "a" * MAX_LABEL_CHARACTERS, 0, -1, 2**63, 0.5, True, None])
@pytest.mark.parametrize("label", ["phase", "predicted", "cluster"])
def test_good_label(label: str, value: Any) -> None:
    (point,) = parse(single(**{label: value}), MAX_POINTS).points
    assert getattr(point, label) is value


@pytest.mark.parametrize("z", [[0, None, 0], [None, None, 0]])
def test_mixed_dimensions(z: list[int | None]) -> None:
    index = next(index for index, value in enumerate(z) if (value is None) != (z[0] is None))
    assert refused(batch(*({"x": 0, "y": 0, "z": value} for value in z))).field == f"points[{index}].z"


@pytest.mark.parametrize("points", [None, 1, "ab", {"0": {"x": 1, "y": 2}}, True])
def test_points_are_no_list(points: Any) -> None:
    assert refused({"type": "embedding_batch", "points": points}).field == "points"
    assert refused({"type": "embedding_batch"}).field == "points"


@pytest.mark.parametrize("point", [None, 1, "ab", [1, 2], True])
def test_point_is_no_object(point: Any) -> None:
    assert refused(batch({"x": 1, "y": 2}, point)).field == "points[1]"


def test_too_many_points() -> None:
    refusal = refused(batch(*[{"x": 0, "y": 0}] * (MAX_POINTS + 1)))
    assert refusal.field == "points"
    assert "6" in refusal.message
    assert "5" in refusal.message


@pytest.mark.parametrize("replace", [None, 0, 1, "true", [], {}])
def test_replace_is_no_boolean(replace: Any) -> None:
    assert refused(batch({"x": 1, "y": 2}, replace=replace)).field == "replace"


@pytest.mark.parametrize("kind", [None, "", "embeddings", 1, ["embedding"], {"a": "x" * 1000}])
def test_unknown_type(kind: Any) -> None:
    assert refused({"type": kind, "x": 1, "y": 2}).field == "type"
    assert refused({"x": 1, "y": 2}).field == "type"


@pytest.mark.parametrize(
    ("predicted", "cluster", "agrees"),
    [(1, 1, True), (1, 2, False), ("a", "a", True), ("1", 1, False), (None, 1, None), (1, None, None), (None, None, None)],
)
def test_agreement(predicted: Any, cluster: Any, agrees: bool | None) -> None:
    assert Point(0, 0, None, None, predicted, cluster).agrees is agrees


def test_a_batch_says_where_its_first_point_is() -> None:
    assert parse(single(), MAX_POINTS).first == ""
    assert parse(batch({"x": 1, "y": 2}), MAX_POINTS).first == "points[0]."
    assert Batch([], replace=False).first == "points[0]."
