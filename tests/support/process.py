"""Visdom's server and other programs in processes of their own, started without a page: only the sockets matter here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from tests.support.ports import free_port
from tests.support.wait import until

SERVE = """
import sys
from visdom.server.run_server import start_server
start_server(port=int(sys.argv[1]), env_path=sys.argv[2], base_url="", bind_local=True, print_func=lambda port: None)
"""
"""What a user's program does that starts the server by itself: nothing is downloaded."""


class ServerProcess:
    """A server in its own process; `stock` runs it without our transport."""

    def __init__(self, directory: Path, *, stock: bool = False, settings: Mapping[str, object] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.http = requests.Session()
        self.http.headers["Accept"] = "application/json"  # so that refusals say why in their text
        self._log = directory / "server.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("VISDOM", "PYTEST"))}
        environment |= {"HOME": str(directory), "VISDOM_TRANSPORT": "0" if stock else "1"}
        environment |= {f"VISDOM_TRANSPORT_{name.upper()}": str(value) for name, value in (settings or {}).items()}
        (directory / ".visdom").mkdir(exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._program(f"{directory / 'envs'}/")],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            until(self._answers, "the server answers", timeout_s=40, seen=self.log)
        except BaseException:
            self.kill()
            raise

    def _program(self, env_path: str) -> list[str]:
        """What the interpreter is told to run."""
        return ["-c", SERVE, str(self.port), env_path]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def _answers(self) -> bool:
        assert self._process.poll() is None, f"the server ended:\n{self.log()}"
        try:
            return self.post("/env_state", {}).ok
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        self.http.close()
        self._process.kill()
        self._process.wait()

    def interrupt(self) -> None:
        """End the process as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(10)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def post(self, path: str, body: Any) -> requests.Response:
        return self.http.post(self.url(path), data=json.dumps(body), timeout=20)

    def get(self, path: str) -> requests.Response:
        return self.http.get(self.url(path), timeout=20)

    def windows(self, eid: str = "main") -> dict[str, Any]:
        answer = self.post("/win_data", {"win": None, "eid": eid})
        answer.raise_for_status()
        windows: dict[str, Any] = answer.json()
        return windows

    def status(self) -> dict[str, Any]:
        answer = self.get("/transport/status")
        answer.raise_for_status()
        status: dict[str, Any] = answer.json()
        return status

    @property
    def rss_bytes(self) -> int:
        """Resident memory of the process, now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")
