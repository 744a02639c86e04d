"""Feeds that follow: whoever hops between relays, which cut the same changes at different places, holds what the origin has."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.core.hops import Hops
from tests.core.machine import THOROUGH


@pytest.mark.timeout(600)
def test_readers_that_hop() -> None:
    run_state_machine_as_test(Hops, settings=settings(THOROUGH, max_examples=60))


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_many_readers_that_hop() -> None:
    run_state_machine_as_test(Hops, settings=settings(THOROUGH, max_examples=4_000, derandomize=False))
