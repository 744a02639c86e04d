"""A real Visdom server in a process of its own, on a free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from tests.support.ports import free_port
from tests.support.served import Login, Served
from tests.support.wait import until

START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 30.0

START_SERVER = """
import sys
from visdom.server.run_server import start_server
start_server(port=int(sys.argv[2]), env_path=sys.argv[4], base_url="", bind_local=True, print_func=lambda port: None)
"""
WITHOUT_PAGE = ("-c", START_SERVER)
"""A server that a user's program starts: no files of the page are looked for, and stock Visdom downloads nothing."""


class VisdomServer(Served):
    """One server with a directory of its own (`home`, log and, unless there is an `env_path`, saved environments).

    `settings` become `VISDOM_TRANSPORT_<NAME>` of its environment; `stock` switches our transport off;
    `program` is what Python runs, with Visdom's options behind it, and `started_by` what Python is run by;
    a `source_tree` of Visdom is run instead of the installed one, without our hook: what it has of ours is its own. The server
    starts with `start` or as a context manager, and answers requests when that returns.
    """

    def __init__(
        self,
        directory: Path,
        *,
        env_path: Path | None = None,
        readonly: bool = False,
        base_url: str = "",
        polling: bool = False,
        login: Login | None = None,
        stock: bool = False,
        source_tree: Path | None = None,
        settings: Mapping[str, object] | None = None,
        program: Sequence[str] = ("-m", "visdom.server"),
        started_by: Sequence[str] = (),
    ) -> None:
        super().__init__(free_port(), base_url=base_url, login=login)
        self.directory = directory
        self.env_path = env_path or directory / "envs"
        self.log_path = directory / "server.log"
        self.polling = polling
        self._stock = stock or source_tree is not None
        self._source_tree = source_tree
        self._settings = dict(settings or {})
        self._makes_env_path = env_path is None
        self._started_by = tuple(started_by)
        self._program = tuple(program)
        self._process: subprocess.Popen[bytes] | None = None
        self._options = [
            *("-port", str(self.port), "-env_path", f"{self.env_path}/", "-bind_local"),
            *(["-readonly"] if readonly else []),
            *(["-base_url", base_url] if base_url else []),
            *(["-use_frontend_client_polling"] if polling else []),
            *(["-enable_login"] if login else []),
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    # --- its life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process and wait until it answers. Raises AssertionError with the end of the log otherwise."""
        assert self._process is None, "already running"
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._makes_env_path:
            self.env_path.mkdir(exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._started_by, sys.executable, *self._command()],
                cwd=self.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            until(self._answers, "the server answers", timeout_s=START_TIMEOUT_S, seen=self.log_tail)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End the process without a chance to save anything (SIGKILL). Nothing happens if there is none."""
        if self._process is not None:
            self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> int:
        """Send the process a signal, and return its exit status."""
        self.disconnect()
        process, self._process = self.process, None
        process.send_signal(how)
        try:
            return process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(STOP_TIMEOUT_S)

    def restart(self, *, keep_state: bool) -> None:
        """Kill the process and start another on the same port, with what was saved or with nothing."""
        self.kill()
        if not keep_state:
            shutil.rmtree(self.env_path)
        self.start()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process, which runs unless it has ended by itself."""
        assert self._process is not None, "not running"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        """Everything the server wrote."""
        return self.log_path.read_text(errors="replace")

    def log_tail(self, lines: int = 25) -> str:
        """The end of that."""
        return "\n".join(self.log().splitlines()[-lines:])

    def save_evidence(self, directory: Path) -> None:
        """Copy the log for the report of a failed test, with the transport's status if it can be had."""
        shutil.copy(self.log_path, directory / f"server-{self.port}.log")
        with contextlib.suppress(Exception):
            (directory / f"status-{self.port}.json").write_text(json.dumps(self.status(), indent=1))

    # --- inside --------------------------------------------------------------------------------------------

    def _command(self) -> list[str]:
        """What the interpreter is told to run."""
        return [*self._program, *self._options]

    def _environment(self) -> dict[str, str]:
        home = self.directory / "home"
        (home / ".visdom").mkdir(parents=True, exist_ok=True)  # a cookie's secret is written there, whatever the env_path
        kept = "VISDOM_TRANSPORT_BROWSER_FILES_DIR"
        environment = {
            name: value for name, value in os.environ.items() if name == kept or not name.startswith(("VISDOM", "PYTEST"))
        }
        # The fetched browser files are shared by all servers: only what Visdom keeps at home is not.
        environment.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        environment |= {"HOME": str(home), "PYTHONUNBUFFERED": "1"}
        if self.login:
            environment |= {
                "VISDOM_USE_ENV_CREDENTIALS": "1",
                "VISDOM_USERNAME": self.login.username,
                "VISDOM_PASSWORD": self.login.password,
                "VISDOM_COOKIE": "a cookie secret of the tests",
            }
        if self._stock:
            environment["VISDOM_TRANSPORT"] = "0"
        if self._source_tree:
            path = [str(self._source_tree / "py"), *filter(None, [environment.get("PYTHONPATH")])]
            environment["PYTHONPATH"] = os.pathsep.join(path)
        return environment | {f"VISDOM_TRANSPORT_{name.upper()}": str(value) for name, value in self._settings.items()}

    def _answers(self) -> bool:
        if (code := self.process.poll()) is not None:
            raise AssertionError(f"the server ended with code {code}:\n{self.log_tail()}")
        try:
            requests.get(self.url("/favicon.ico"), timeout=1)
        except requests.RequestException:
            return False
        return True
