"""When what of a feed changed: exact where it is new, and bounded."""

from __future__ import annotations

import math
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdom_transport.core.change_times import ERROR, MAX_TIMES, ChangeTimes


def test_a_reader_is_told_of_the_first_change_after_its_offset() -> None:
    times = ChangeTimes()
    assert times.since(0) == math.inf, "nothing is known"
    times.add(0, 10.0)
    times.add(3, 20.0)
    assert [times.since(offset) for offset in range(6)] == [10.0, 10.0, 10.0, 20.0, 20.0, 20.0]
    assert times.since(-1) == 10.0, "a reader that holds nothing"


def test_what_is_heard_again_of_an_offset_is_not_newer() -> None:
    times = ChangeTimes()
    times.add(5, 10.0)
    times.add(5, 20.0)
    assert times.since(5) == 10.0


@pytest.mark.parametrize("gap_s", [0.0, 0.01, 1.0, 3_600.0])
def test_the_times_that_are_kept_are_bounded(gap_s: float) -> None:
    times = ChangeTimes()
    for offset in range(20_000):
        times.add(offset, offset * gap_s)
        assert len(times) <= MAX_TIMES


@given(gaps=st.lists(st.floats(0.001, 100.0), min_size=MAX_TIMES, max_size=4 * MAX_TIMES), offset=st.integers(0, 4 * MAX_TIMES))
def test_an_age_is_never_too_small_and_at_most_a_part_too_large(gaps: list[float], offset: int) -> None:
    times, now, known = ChangeTimes(), 0.0, []
    for number, gap in enumerate(gaps):
        now += gap
        known.append(now)
        times.add(number, now)
    offset = min(offset, len(gaps) - 1)
    assert bisect_right(range(len(known)), offset) - 1 == offset
    age = now - known[offset]
    assert age <= now - times.since(offset) <= age / (1 - ERROR) + 1e-6
