"""After hundreds of comings and goings a server holds what it held before, and nothing waits for the garbage collector."""

from __future__ import annotations

import pytest

from tests.leaks.comings import WAYS
from tests.leaks.inspected import InspectedServer

WARM_UP = 10
TIMES = 150


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left(inspected: InspectedServer, way: str) -> None:
    WAYS[way](inspected, WARM_UP)
    before = inspected.settled()
    WAYS[way](inspected, TIMES)
    inspected.returns_to(before)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_waits_for_the_garbage_collector(inspected: InspectedServer, way: str) -> None:
    inspected.census("garbage")
    WAYS[way](inspected, WARM_UP)
    inspected.forgotten()
    assert inspected.census("garbage")["garbage"] == {}
