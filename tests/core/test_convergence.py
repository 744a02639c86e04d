"""Convergence: whatever happens, a replica that claims to be current equals the state, and every replica gets there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.core.machine import THOROUGH, Convergence
from visdom_transport.core import packing


@pytest.fixture(autouse=True, scope="module")
def _small_is_worth_it() -> Iterator[None]:
    """The batches of these tests are small."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(packing, "LEAST_BYTES", 100)
        yield


TestConvergence = Convergence.TestCase
TestConvergence.settings = THOROUGH
