"""A real relay in a process of its own, in front of a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import VisdomServer


class RelayServer(VisdomServer):
    """One relay of `origin`, which is asked as the origin would be."""

    def __init__(self, directory: Path, origin: VisdomServer, *, settings: Mapping[str, object] | None = None) -> None:
        super().__init__(directory, base_url=origin.base_url, login=origin.login, polling=origin.polling, settings=settings)
        self.origin = origin

    def _command(self) -> list[str]:
        return [
            "-m",
            "visdom_transport",
            "relay",
            "--origin",
            self.origin.url(""),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
        ]


FAST = {"heartbeat_s": 1, "dead_after_s": 3, "poll_wait_s": 1.5}


@contextmanager
def origin_and_relay(
    directories: pytest.TempPathFactory, settings: Mapping[str, object] = FAST, **options: Any
) -> Iterator[tuple[VisdomServer, RelayServer]]:
    """Both, with the same settings. ``options`` are those of the origin."""
    with (
        VisdomServer(directories.mktemp("origin"), settings=settings, **options) as origin,
        RelayServer(directories.mktemp("relay"), origin, settings=settings) as relay,
    ):
        yield origin, relay
