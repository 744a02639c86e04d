"""A stock server and one of ours, each for all tests of a module that compare the two."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.server import WITHOUT_PAGE, VisdomServer


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("stock"), program=WITHOUT_PAGE, stock=True) as server:
        assert "sessions" not in server.get("/transport/status").text, "this is not stock Visdom"
        yield server


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("ours"), program=WITHOUT_PAGE) as server:
        assert server.status()["sessions"] == []
        yield server
