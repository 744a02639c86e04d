"""Large values are written at a pace, and none of them waits for longer than promised."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from visdom_transport.visdom.durability.changes import Part
from visdom_transport.visdom.durability.pace import LONGEST_WAIT_S, SAVED_S, Pace

RATE = 2_000_000
INTERVAL_S = 2.0


def part(name: str) -> Part:
    return ("main", "window", name)


def written(sizes: dict[str, int], seconds: int, *, change_s: float = 1.0) -> list[tuple[float, str]]:
    """When each of these windows is written, if all of them are replaced so often."""
    pace = Pace(RATE, INTERVAL_S)
    waiting: dict[Part, int] = {}
    times = []
    now, changed = 0.0, 0.0
    while now < seconds:
        now += INTERVAL_S
        while changed < now:
            waiting |= {part(name): size for name, size in sizes.items()}
            changed += change_s
        for each in pace.due(waiting, now):
            del waiting[each]
            times.append((now, each[2]))
    return times


def test_a_large_window_that_changes_all_the_time_is_written_at_the_pace() -> None:
    times = [now for now, _ in written({"w": 20_000_000}, 600)]
    assert 20_000_000 * len(times) <= RATE * (600 + SAVED_S) + 20_000_000
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) <= 12


def test_a_window_that_changes_now_and_then_is_written_in_the_next_interval() -> None:
    assert [now for now, _ in written({"w": 5_000_000}, 100, change_s=20.0)] == [2, 22, 42, 62, 82]


def test_a_small_one_does_not_wait_for_a_larger_one() -> None:
    times = written({"small": 100_000, "large": 50_000_000}, 600)
    assert [name for _, name in times[:2]] == ["small", "large"]
    both = [now for now, name in times if name == "small"]
    large = [now for now, name in times if name == "large"]
    assert len(both) >= len(large) > 600 / LONGEST_WAIT_S


@pytest.mark.parametrize("seed", range(20))
def test_nothing_waits_for_longer_than_promised(seed: int) -> None:
    """However much there is: a change that is not written in the interval in which it comes is, before it is too old."""
    rng = random.Random(seed)
    pace = Pace(RATE, INTERVAL_S)
    changed_at: dict[Part, float] = {}
    sizes = {part(str(number)): rng.choice([10**5, 10**6, 10**7, 10**8]) for number in range(40)}
    now = 0.0
    for _ in range(300):
        for each in rng.sample(list(sizes), rng.randrange(8)):
            changed_at.setdefault(each, now + rng.uniform(0, INTERVAL_S))
        now += INTERVAL_S
        for each in pace.due({each: sizes[each] for each in changed_at}, now):
            del changed_at[each]
        # What is left is written in the next interval at the earliest.
        assert all(now + INTERVAL_S - at <= LONGEST_WAIT_S for at in changed_at.values())


def test_a_part_that_is_gone_is_forgotten() -> None:
    pace = Pace(RATE, INTERVAL_S)
    pace.due({part("a"): 10**9, part("b"): 10**9}, 0.0)
    assert list(pace._since) == [part("b")]
    pace.due({}, 2.0)
    assert not pace._since
