"""What all tests share: the instruments in `support` can be imported, and the slow tests can be left out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes longer than 20 s; leave out with -m 'not slow'")
