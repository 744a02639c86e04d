"""Makes the oracle importable: what the installed Visdom does, and a plain reading of the operations."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from updates_oracle import Stock


@pytest.fixture(scope="session")
def stock() -> Stock:
    return Stock()
