"""What the installed Visdom does."""

from __future__ import annotations

import pytest

from tests.visdom.updates.oracle import Stock


@pytest.fixture(scope="session")
def stock() -> Stock:
    return Stock()
