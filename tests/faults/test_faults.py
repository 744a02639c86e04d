"""The short set: a hundred schedules of faults without a violation, a real tab, and mistakes that must be found.

The long run and all mistakes are commands: `python -m tests.faults --help`. docs/testing.md describes them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.campaign import Options, Result, find_many, run_many, summary
from tests.faults.plants import PLANTS
from tests.support.browser import missing_programs
from tests.support.flavour import NEW_VISDOM

FIRST_SEED = 1_000 if NEW_VISDOM else 0
"""Each Visdom has schedules of its own."""
SEEDS_PER_TEST = 25
JOBS = 3

CAUGHT_AT_ONCE = ("skip-an-offset", "forget-a-tombstone", "unbounded-buffer", "stale-secret-accepted")
"""Mistakes that a schedule or two find."""
MOST_SCHEDULES = 60

SHRINK_S = 30.0


@pytest.fixture
def keep(pytestconfig: pytest.Config) -> Path:
    """Where schedules that failed are kept, for `--replay`."""
    return pytestconfig.rootpath / Options.keep


def assert_nothing_found(results: list[Result]) -> None:
    assert not any(result.violations for result in results), f"\n{summary(results)}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + 100, SEEDS_PER_TEST))
def test_the_invariants_hold(first: int, keep: Path) -> None:
    options = Options(shrink_s=SHRINK_S, keep=keep)
    assert_nothing_found(list(run_many(range(first, first + SEEDS_PER_TEST), options, JOBS)))


@pytest.mark.browser
@pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {', '.join(missing_programs())}")
@pytest.mark.timeout(300)
def test_a_real_tab_takes_part(keep: Path) -> None:
    seeds = range(FIRST_SEED + 500, FIRST_SEED + 503)
    assert_nothing_found(list(run_many(seeds, Options(tab=True, shrink_s=0.0, keep=keep), 1)))


@pytest.mark.timeout(300)
def test_mistakes_are_found(tmp_path: Path) -> None:
    missed = [
        str(found) for found in find_many(CAUGHT_AT_ONCE, FIRST_SEED, MOST_SCHEDULES, tmp_path, JOBS) if found.result is None
    ]
    assert not missed


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_all_mistakes_are_found(tmp_path: Path) -> None:
    missed = [str(found) for found in find_many(PLANTS, FIRST_SEED, MOST_SCHEDULES, tmp_path, JOBS) if found.result is None]
    assert not missed
