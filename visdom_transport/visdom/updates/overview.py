"""Which points stay when a trace keeps an overview of its whole run: coarse where it is old, exact where it is new.

The newest half of the bound is never touched. What is older is thinned until it fits: of each four neighbours the least and the
greatest stay, so a spike or a dip is there for good. What is thinned has been thinned before where it is older still: the run
becomes coarser towards its beginning, and its first point stays. A trace grows by a quarter of its bound before it is thinned
again, so each appended point pays for about two that are looked at, and for three that are sent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

GROUP: Final = 4

LEAST_BOUND: Final = 8
"""With a smaller bound there is no group to be thinned: the first point and the newest stay."""


def survivors(values: Sequence[Any], bound: int) -> list[int]:
    """Return the indices of at most ``bound`` points, in order. ``values`` are what is drawn; null and NaN are gaps of a line."""
    indices = list(range(len(values)))
    while len(indices) > bound >= LEAST_BOUND:
        newest = len(indices) - bound // 2
        indices = _thinned(values, indices[:newest]) + indices[newest:]
    if len(indices) > bound:
        indices = indices[:1] * (bound > 1) + indices[len(indices) - max(1, bound - 1) :]
    return indices


def _thinned(values: Sequence[Any], indices: list[int]) -> list[int]:
    kept = indices[:1]
    for start in range(1, len(indices), GROUP):
        group = indices[start : start + GROUP]
        numbers = [index for index in group if _is_number(values[index])]
        if numbers:
            chosen = {min(numbers, key=values.__getitem__), max(numbers, key=values.__getitem__)}
            # A line that was interrupted stays so.
            chosen.update(next(([index] for index in group if _is_gap(values[index])), ()))
            kept += sorted(chosen)
        else:
            kept += group if len(group) < GROUP else [group[0], group[-1]]
    return kept


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_gap(value: Any) -> bool:
    return value is None or (type(value) is float and math.isnan(value))
