"""Who publishes, as far as it was heard lately."""

from __future__ import annotations

from typing import Any

import pytest

from visdom_transport.operators import heard
from visdom_transport.operators.heard import FORGOTTEN_AFTER_S, MOST_ENVIRONMENTS, RATE_S, STEADY_POSTS, Heard
from visdom_transport.operators.recent import MOST, Recent


def rows(known: Heard, now: float) -> list[dict[str, Any]]:
    return list(known.part(now).values())


def test_a_publisher_is_counted() -> None:
    known = Heard()
    for step in range(100):
        known.count("a1b2c3", "10.0.0.7", 2, ["main"], 100.0 + step / 10)
    (row,) = rows(known, 110.9)
    assert (row["name"], row["address"], row["environments"]) == ("a1b2c3", "10.0.0.7", ["main"])
    assert (row["messages"], row["heard_s_ago"], row["interval_s"]) == (200, 1.0, 0.1)
    assert row["per_s"] == pytest.approx(20 * (1 - 2.718**-1), rel=0.15)


def test_the_rate_comes_near_what_is_sent_and_ends_with_it() -> None:
    known = Heard()
    for step in range(1_000):
        known.count("", "10.0.0.7", 1, [], step / 10)
    assert rows(known, 100.0)[0]["per_s"] == pytest.approx(10, rel=0.05)
    assert rows(known, 100.0 + 5 * RATE_S)[0]["per_s"] == pytest.approx(0, abs=0.1)


def test_who_has_hardly_sent_anything_has_no_interval() -> None:
    known = Heard()
    for step in range(STEADY_POSTS - 1):
        known.count("", "10.0.0.7", 1, [], float(step))
    assert rows(known, 20.0)[0]["interval_s"] is None


def test_what_was_refused_is_said() -> None:
    known = Heard()
    known.count("a1b2c3", "10.0.0.7", 3, ["x"], 1.0)
    known.refuse("a1b2c3", "", "message 2: bad_field data", 1.0)
    (row,) = rows(known, 2.0)
    assert (row["refused"], row["last_refusal"], row["address"]) == (1, "message 2: bad_field data", "10.0.0.7")


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "MOST", 3)
    known = Heard()
    for n in range(5):
        known.count("", f"10.0.0.{n}", 1, [f"env{m}" for m in range(100)], float(n))
    assert [row["address"] for row in rows(known, 5.0)] == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
    assert len(rows(known, 5.0)[0]["environments"]) == MOST_ENVIRONMENTS
    assert len(rows(known, 3.5 + FORGOTTEN_AFTER_S)) == 1
    assert rows(known, 5.0 + FORGOTTEN_AFTER_S) == []


def test_the_newest_problems_are_kept() -> None:
    recent = Recent()
    for n in range(MOST + 5):
        recent.add(float(n), "browser", "closed_limit", "raise it", f"{n}")
    lines = recent.part(0.0)["recent"]
    assert (len(lines), lines[0]["detail"], lines[-1]["detail"]) == (MOST, "5", str(MOST + 4))
