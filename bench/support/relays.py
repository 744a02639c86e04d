"""Relays of a server, as `python -m visdom_transport relay` runs them."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .servers import START_TIMEOUT_S, BenchError, Server


def await_answer(server: Server, is_ready: Callable[[], bool]) -> None:
    """Wait until a server that may not answer yet is ready. Raises BenchError."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if is_ready():
                return
        except (OSError, http.client.HTTPException, BenchError):
            server.forget_connection()
        time.sleep(0.05)
    raise BenchError(f"the server on port {server.port} does not get ready")


class CommandLine(Server):
    """What a command of this package runs, on a free port, with room for all viewers of a benchmark."""

    def __init__(self) -> None:
        super().__init__("ours", {"max_address_sessions": 100_000, "max_sessions": 100_000})

    def _take_port(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    def _run(self, home: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "visdom_transport", *arguments],
                cwd=home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


class Relay(CommandLine):
    """One relay of ``origin``, on a free port."""

    def __init__(self, origin: Server) -> None:
        super().__init__()
        self._origin = origin

    def _start(self, home: Path) -> subprocess.Popen[bytes]:
        self._take_port()
        relay = ["relay", "--origin", f"http://127.0.0.1:{self._origin.port}", "--port", str(self.port), "--bind", "127.0.0.1"]
        return self._run(home, relay)

    def _await_ready(self) -> None:
        await_answer(self, lambda: self.status()["origin"]["state"] == "here")


class Cluster(CommandLine):
    """A server and two relays behind one port, as `serve --relays` runs them. Its process is what supervises them."""

    def _start(self, home: Path) -> subprocess.Popen[bytes]:
        self._take_port()
        serve = ["serve", "--relays", "2", "-port", str(self.port), "-bind_local", "-env_path", f"{home / 'envs'}/"]
        return self._run(home, serve)

    def relays(self) -> list[int]:
        """The processes of those that are there."""
        relays = self.status()["origin"].get("relays", [])
        return [int(relay["name"].rpartition("/")[2]) for relay in relays if relay["state"] == "here"]

    def _await_ready(self) -> None:
        await_answer(self, lambda: len(self.relays()) == 2)
