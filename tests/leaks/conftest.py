"""Fixtures: a server process that can be looked into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.leaks.inspected import InspectedServer

QUICK = {"heartbeat_s": 0.3, "dead_after_s": 3.0, "poll_wait_s": 0.4, "grace_s": 0.4, "journal_interval_s": 0.1, "event_count": 2}
"""Whoever has gone is forgotten after little more than three seconds, and as many events as are kept happen in every warm-up."""


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InspectedServer]:
    """One server for all tests of a module: each leaves it as it was, or fails."""
    directory: Path = tmp_path_factory.mktemp("leaks")
    with InspectedServer(directory, settings=QUICK) as running:
        yield running
