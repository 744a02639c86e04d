"""What ``POST <base_url>/embedding`` accepts, checked before anything is applied."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

from visdom_transport.visdom.updates.errors import refuse

Label: TypeAlias = str | int | float | bool | None

MAX_LABEL_CHARACTERS = 200
MAX_LABEL_BITS = 64


@dataclass(frozen=True, slots=True)
class Point:
    """One point of an embedding, in two dimensions (``z`` is None) or three."""

    x: float
    y: float
    z: float | None
    phase: Label
    predicted: Label
    cluster: Label

    @property
    def agrees(self) -> bool | None:
        """Whether the prediction is the cluster; None when either is missing."""
        return agreement(self.predicted, self.cluster)


@dataclass(frozen=True, slots=True)
class Batch:
    """Points that arrive together, after those that are there or (``replace``) instead of them."""

    points: list[Point]
    replace: bool
    first: str = "points[0]."
    """Where in the event the first point is, for errors."""


def agreement(predicted: Label, cluster: Label) -> bool | None:
    """Whether a prediction is the cluster; None when either is missing."""
    return None if predicted is None or cluster is None else predicted == cluster


def parse(event: dict[str, Any], max_points: int) -> Batch:
    """Return the points of an ``embedding`` or ``embedding_batch`` event.

    Raises:
        UpdateRefused: 400, naming the point's index and the field.
    """
    kind = event.get("type")
    if kind == "embedding":
        return Batch([_point(event, "")], replace=False, first="")
    if kind != "embedding_batch":
        refuse("type", f"must be embedding or embedding_batch, not {kind!r:.80}")
    points = event.get("points")
    if not isinstance(points, list):
        refuse("points", "must be a list")
    if len(points) > max_points:
        refuse("points", f"has {len(points)} points, and the window keeps at most {max_points}")
    replace = event.get("replace", False)
    if not isinstance(replace, bool):
        refuse("replace", f"must be true or false, not {replace!r:.80}")
    parsed = [_point(point, f"points[{index}]") for index, point in enumerate(points)]
    for index, point in enumerate(parsed):
        if (point.z is None) != (parsed[0].z is None):
            refuse(f"points[{index}].z", "all points of a batch have a z, or none has")
    return Batch(parsed, replace)


def _point(item: Any, where: str) -> Point:
    if not isinstance(item, dict):
        refuse(where, "must be an object")
    prefix = f"{where}." if where else ""
    return Point(
        x=_coordinate(item.get("x"), f"{prefix}x"),
        y=_coordinate(item.get("y"), f"{prefix}y"),
        z=None if item.get("z") is None else _coordinate(item["z"], f"{prefix}z"),
        phase=_label(item.get("phase"), f"{prefix}phase"),
        predicted=_label(item.get("predicted"), f"{prefix}predicted"),
        cluster=_label(item.get("cluster"), f"{prefix}cluster"),
    )


def _coordinate(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(field, f"must be a number, not {value!r:.80}")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        refuse(field, "must be finite")
    return value


def _label(value: Any, field: str) -> Label:
    if value is not None and not isinstance(value, str | int | float):
        refuse(field, f"must be a string, a number, true, false or null, not {value!r:.80}")
    if isinstance(value, str) and len(value) > MAX_LABEL_CHARACTERS:
        refuse(field, f"must have at most {MAX_LABEL_CHARACTERS} characters")
    if isinstance(value, int) and value.bit_length() > MAX_LABEL_BITS:
        refuse(field, f"must have at most {MAX_LABEL_BITS} bits")
    if isinstance(value, float) and not math.isfinite(value):
        refuse(field, "must be finite")
    return value
