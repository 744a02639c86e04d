"""Whether a loop was blocked, by when it had its turns."""

from __future__ import annotations

import pytest

from visdom_transport.operators.loop_turns import INTERVAL_S, LATE_S, REMEMBERED_S, LoopTurns


@pytest.fixture
def turns() -> LoopTurns:
    return LoopTurns(100.0)


def test_turns_in_time_pass(turns: LoopTurns) -> None:
    now = 100.0
    for _ in range(20):
        now += INTERVAL_S + 0.9 * LATE_S
        assert turns.verdict(now).passes
        turns.turn(now)
        assert turns.verdict(now).passes


def test_a_late_turn_fails_for_a_while(turns: LoopTurns) -> None:
    late = 100.0 + INTERVAL_S + 3.0
    turns.turn(late)
    assert turns.verdict(late) == turns.verdict(late)
    assert "was blocked for 3.0 s, 0.0 s ago" in turns.verdict(late).text
    now = late
    while now + INTERVAL_S < late + REMEMBERED_S:
        now += INTERVAL_S
        turns.turn(now)
        assert not turns.verdict(now).passes
    turns.turn(late + REMEMBERED_S)
    assert turns.verdict(late + REMEMBERED_S).passes


def test_who_asks_before_the_late_turn_is_told(turns: LoopTurns) -> None:
    verdict = turns.verdict(100.0 + INTERVAL_S + 2.0)
    assert not verdict.passes
    assert verdict.text == "the event loop has been blocked for 2.0 s"
