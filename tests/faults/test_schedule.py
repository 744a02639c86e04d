"""Schedules are plain data, the same for the same seed, and can be made smaller."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.faults.schedule import STOCK_PAGES, STOCK_SOURCES, Schedule, generate
from tests.faults.shrink import shrink
from tests.faults.trouble import FAULTS

SEEDS = range(300)


@pytest.mark.parametrize("tab", [False, True])
def test_a_seed_makes_the_same_schedule(tab: bool) -> None:
    assert generate(7, tab=tab) == generate(7, tab=tab)
    assert generate(7, tab=tab) != generate(8, tab=tab)
    assert [member.kind for member in generate(7, tab=tab).cast].count("tab") == tab


def test_a_schedule_can_be_written_down_and_read_back() -> None:
    for seed in SEEDS:
        assert Schedule.from_json(generate(seed).to_json()) == generate(seed)


def test_every_kind_of_client_and_fault_takes_part() -> None:
    schedules = [generate(seed) for seed in SEEDS]
    assert all(20 <= len(schedule.cast) <= 50 for schedule in schedules)
    done = Counter(step.do for schedule in schedules for step in schedule.steps)
    assert done.keys() >= FAULTS
    for schedule in schedules:
        assert {step.who for step in schedule.steps} - {None} <= {member.id for member in schedule.cast}


def test_a_stock_server_can_take_part_in_some() -> None:
    for seed in SEEDS:
        schedule = generate(seed, stock_only=True)
        assert {member.kind for member in schedule.cast} == {*STOCK_PAGES, *STOCK_SOURCES, "poster"}
        assert not {step.do for step in schedule.steps} & {
            "pause",
            "kill",
            "clock",
            "disk",
            "files",
            "front",
            "switch",
            "slow",
            "intrude",
            "env",
        }


def test_what_does_not_matter_is_left_out() -> None:
    """Here a schedule fails if a certain client appends after a cut."""
    schedule = next(s for s in map(generate, SEEDS) if does_it_fail(s))
    played = []

    async def fails(candidate: Schedule) -> bool:
        played.append(candidate)
        return does_it_fail(candidate)

    smallest = asyncio.run(shrink(schedule, fails, 10))
    assert [step.do for step in smallest.steps] == ["cut", "append"]
    assert [member.id for member in smallest.cast] == [smallest.steps[1].who]
    assert len(played) < 200


def does_it_fail(schedule: Schedule) -> bool:
    done = [step.do for step in schedule.steps]
    return "cut" in done and "append" in done[done.index("cut") :]
