"""Fixtures that all folders share: what is logged, and servers in a thread of this process."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.local import LocalServer
from tests.support.records import Records


@pytest.fixture
def records() -> Iterator[Records]:
    """What is logged; anything unexpected fails the test."""
    handler = Records()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    gc.collect()  # a future whose error nobody retrieved says so when it is collected
    root.removeHandler(handler)
    handler.check()


@pytest.fixture
def serve(tmp_path: Path, records: Records) -> Iterator[Callable[..., LocalServer]]:
    """Starts servers with a directory of their own: `serve(readonly=True, settings={"heartbeat_s": 0.2})`."""
    servers: list[LocalServer] = []

    def start(env_path: Path | None = None, **options: Any) -> LocalServer:
        directory = env_path or tmp_path / f"envs-{len(servers)}"
        directory.mkdir(exist_ok=True)
        servers.append(LocalServer(directory, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(serve: Callable[..., LocalServer]) -> LocalServer:
    """A server with default settings."""
    return serve()
