"""Which points stay when a trace keeps an overview of its whole run: coarse where it is old, exact where it is new.

The newest half of the bound is never touched. What is older is divided into equal stretches of x, and of each the least and
the greatest point stay: the run is as coarse at its beginning as in its middle, and becomes coarser as it goes on. A spike or a
dip is there for good. A trace grows by about a quarter of its bound before it is thinned again, so each appended point pays for
about two that are looked at, and for three that are sent.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from operator import le
from typing import Any, Final

LEAST_BOUND: Final = 8
"""A smaller bound makes no stretch of x: the first point and the newest stay."""

_NUMBERS: Final = frozenset({int, float})


def survivors(x: Sequence[Any], y: Sequence[Any], bound: int) -> list[int]:
    """Return the indices of at most ``bound`` points, in order.

    Args:
        x: where the points are. In order, as numbers or as dates, it is divided; anything else counts by the number of points.
        y: what is drawn, as many. Null and NaN are gaps of a line.
        bound: at least 1.
    """
    count = len(y)
    if count <= bound:
        return list(range(count))
    if bound < LEAST_BOUND:
        return [0] * (bound > 1) + list(range(count - max(1, bound - 1), count))
    old = count - bound // 2
    return [*_thinned(_places(x[:old]), y[:old], bound // 8), *range(old, count)]


def _thinned(places: Sequence[float], y: Sequence[Any], stretches: int) -> list[int]:
    """The first point, and at most three of each stretch."""
    kept = {0}
    first, last = places[0], places[-1]
    begin = 0
    for number in range(1, stretches + 1):
        end = bisect_left(places, first + (last - first) * number / stretches, begin) if number < stretches else len(places)
        if end > begin:
            kept |= _told_by(range(begin, end), y)
        begin = end
    return sorted(kept)


def _told_by(indices: range, y: Sequence[Any]) -> set[int]:
    """Those of a stretch that make the same picture of it: its extremes, and that a line is interrupted."""
    values = y[indices.start : indices.stop]
    if _are_numbers(values):
        return {indices.start + values.index(min(values)), indices.start + values.index(max(values))}
    numbers = [index for index in indices if _is_number(y[index])]
    if not numbers:
        return {indices[0]}
    gap = next(([index] for index in indices if _is_gap(y[index])), [])
    return {min(numbers, key=y.__getitem__), max(numbers, key=y.__getitem__), *gap}


def _places(x: Sequence[Any]) -> Sequence[float]:
    """Where the points are, in order and not all at one place."""
    places = x
    if not _are_numbers(x):
        try:
            places = [float(value) if _is_number(value) else datetime.fromisoformat(value).timestamp() for value in x]
        except (TypeError, ValueError, OverflowError):
            return range(len(x))
    is_ordered = all(map(le, places, islice(places, 1, None))) and places[0] < places[-1]
    return places if is_ordered and math.isfinite(places[-1] - places[0]) else range(len(x))


def _are_numbers(values: Sequence[Any]) -> bool:
    """Whether all of them are numbers. False also when that cannot be told at once."""
    try:
        return _NUMBERS.issuperset(map(type, values)) and math.isfinite(sum(values))
    except OverflowError:  # integers without a bound
        return False


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_gap(value: Any) -> bool:
    return value is None or (type(value) is float and math.isnan(value))
