"""Counts of values by size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdom_transport.core.histogram import Histogram


def test_a_value_is_counted_once_up_to_the_first_bound_that_it_does_not_exceed() -> None:
    histogram = Histogram((1.0, 5.0))
    for value in (0.5, 1.0, 1.1, 5.0, 7.0):
        histogram.observe(value)
    assert (histogram.counts, histogram.sum, histogram.count) == ([2, 2, 1], 14.6, 5)


def test_a_clock_that_was_asked_too_early_makes_no_value_below_zero() -> None:
    histogram = Histogram((1.0,))
    histogram.observe(-0.5)
    histogram.observe(float("-inf"))
    assert (histogram.counts, histogram.sum) == ([2, 0], 0.0)


def test_histograms_of_the_same_bounds_add_up() -> None:
    first, second = Histogram((1.0,)), Histogram((1.0,))
    first.observe(0.5)
    second.observe(2.0)
    first.add(second)
    assert (first.counts, first.sum) == ([1, 1], 2.5)


@given(values=st.lists(st.one_of(st.sampled_from([0.0, 1.0, 5.0, float("-inf")]), st.floats(-1.0, 10.0))))
def test_many_at_once_are_counted_as_one_by_one(values: list[float]) -> None:
    one_by_one, at_once = Histogram((1.0, 5.0)), Histogram((1.0, 5.0))
    for value in values:
        one_by_one.observe(value)
    at_once.observe_all(values)
    assert at_once.counts == one_by_one.counts
    assert at_once.sum == pytest.approx(one_by_one.sum)
