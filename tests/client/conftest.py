"""Fixtures: publishers, and a network that can fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.publishers import connect
from tests.support.proxy import FaultProxy
from tests.support.served import Served

__all__ = ["connect"]


@pytest.fixture
def proxy(server: Served) -> Iterator[FaultProxy]:
    """The way to the server."""
    with FaultProxy(server.port) as proxy:
        yield proxy
