"""Relays in front of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.own import OwnPoll, OwnSocket
from tests.support.relayed import FAST, RelayServer, origin_and_relay
from tests.support.server import WITHOUT_PAGE, VisdomServer

View = Callable[..., Any]


@pytest.fixture(params=[OwnSocket, OwnPoll])
def view(request: pytest.FixtureRequest) -> Iterator[View]:
    """Begins to read, over either kind of link."""
    made: list[Any] = []

    def view(server: Any, *feeds: str, **options: Any) -> Any:
        made.append(request.param(server, *feeds, **options))
        return made[-1]

    yield view
    for reader in made:
        if isinstance(reader, OwnSocket):
            reader.close()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VisdomServer, RelayServer]]:
    """An origin and a relay of it, for tests after which both are there."""
    with origin_and_relay(tmp_path_factory, program=WITHOUT_PAGE) as pair:
        yield pair


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[VisdomServer]:
    (tmp_path / "origin").mkdir()
    with VisdomServer(tmp_path / "origin", settings=FAST, program=WITHOUT_PAGE) as server:
        yield server


@pytest.fixture
def relay_of(tmp_path: Path) -> Iterator[Callable[..., RelayServer]]:
    """Start a relay of a server; it ends with the test."""
    relays: list[RelayServer] = []

    def start(origin: VisdomServer, **settings: Any) -> RelayServer:
        directory = tmp_path / f"relay-{len(relays)}"
        directory.mkdir()
        relays.append(RelayServer(directory, origin, settings=FAST | settings))
        relays[-1].start()
        return relays[-1]

    yield start
    for relay in relays:
        relay.kill()


@pytest.fixture
def relay(origin: VisdomServer, relay_of: Callable[..., RelayServer]) -> RelayServer:
    return relay_of(origin)
