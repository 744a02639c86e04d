"""Waiting for conditions."""

from __future__ import annotations

import pytest

from tests.support.wait import until


def test_what_cannot_be_looked_at_yet_is_waited_for() -> None:
    windows: dict[str, str | None] = {}
    states: dict[str, dict[str, str | None]] = {"missing": {}, "unfinished": {"a": None}, "there": {"a": "Loss"}}
    looks = iter(["missing", "unfinished", "there"])

    def title() -> str:
        windows.update(states[next(looks)])
        return (windows["a"] or "").strip()

    assert until(title, "there is a title") == "Loss"


def test_it_says_why_the_last_look_failed() -> None:
    windows: dict[str, str] = {}
    with pytest.raises(AssertionError, match=r"not within 0 s: there is a window; last value: KeyError\('a'\)") as caught:
        until(lambda: windows["a"], "there is a window", timeout_s=0)
    assert isinstance(caught.value.__cause__, KeyError)


def test_other_errors_are_not_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        until(lambda: 1 / 0, "it is reached")
