"""A real relay in a process of its own, in front of a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

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
