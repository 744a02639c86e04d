"""Waiting for conditions. No test sleeps for a fixed time: it waits for what it needs and says what it saw instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException

T = TypeVar("T")

INTERVAL_S = 0.05

NOT_YET = (LookupError, TypeError, AttributeError, NoSuchElementException, StaleElementReferenceException)
"""What is raised by a look at something that is not there yet, or not whole."""


def until(
    condition: Callable[[], T | None],
    what: str,
    *,
    timeout_s: float = 30.0,
    seen: Callable[[], object] | None = None,
) -> T:
    """Call `condition` until it returns something true, and return that. One of `NOT_YET` counts as false.

    Raises AssertionError after `timeout_s`, naming `what` was awaited and, with `seen`, what was there instead.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        failure = value = None
        try:
            value = condition()
        except NOT_YET as error:
            failure = error
        if value:
            return value
        if time.monotonic() >= deadline:
            last = f"; seen: {seen()}" if seen is not None and failure is None else f"; last value: {(failure or value)!r}"
            raise AssertionError(f"not within {timeout_s:g} s: {what}{last}") from failure
        time.sleep(INTERVAL_S)  # between two looks: this is the waiting that all tests share


def during(seconds: float, condition: Callable[[], bool | None], what: str) -> None:
    """Let `seconds` pass while `condition` holds (is not False) throughout. Raises AssertionError when it stops holding.

    For the tests where the length of an outage is itself the point.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition() is False:
            raise AssertionError(f"did not hold for {seconds:g} s: {what}")
        time.sleep(INTERVAL_S)  # between two looks: this is the waiting that all tests share
