"""A real `python -m visdom.server` in a process of its own, on a free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from tests.support.ports import free_port
from tests.support.wait import until

Window = dict[str, Any]

START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Login:
    """The one user of a server that asks for a login."""

    username: str = "ada"
    password: str = "s3cret & long"

    @property
    def digest(self) -> str:
        """What the login page and the client send instead of the password."""
        return hashlib.sha256(self.password.encode()).hexdigest()


class VisdomServer:
    """One server with a directory of its own (`home`, saved environments, log).

    `settings` become `VISDOM_TRANSPORT_<NAME>` of its environment; `stock` switches our transport off;
    `program` is what Python runs, with Visdom's options behind it;
    a `source_tree` of Visdom is run instead of the installed one, without our hook: what it has of ours is its own. The server
    starts with `start` or as a context manager, and answers requests when that returns.
    """

    def __init__(
        self,
        directory: Path,
        *,
        readonly: bool = False,
        base_url: str = "",
        polling: bool = False,
        login: Login | None = None,
        stock: bool = False,
        source_tree: Path | None = None,
        settings: Mapping[str, object] | None = None,
        program: Sequence[str] = ("-m", "visdom.server"),
    ) -> None:
        self.directory = directory
        self.env_path = directory / "envs"
        self.log_path = directory / "server.log"
        self.base_url = base_url
        self.polling = polling
        self.login = login
        self.port = free_port()
        self._stock = stock or source_tree is not None
        self._source_tree = source_tree
        self._settings = dict(settings or {})
        self._program = tuple(program)
        self._process: subprocess.Popen[bytes] | None = None
        self._session: requests.Session | None = None
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
        self.env_path.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._program, *self._options],
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
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the process as Ctrl-C does."""
        self._end(signal.SIGINT)

    def restart(self, *, keep_state: bool) -> None:
        """Kill the process and start another on the same port, with what was saved or with nothing."""
        self.kill()
        if not keep_state:
            shutil.rmtree(self.env_path)
        self.start()

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._process is not None, "not running"
        return self._process.pid

    def log_tail(self, lines: int = 25) -> str:
        """The end of everything the server wrote."""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def save_evidence(self, directory: Path) -> None:
        """Copy the log for the report of a failed test, with the transport's status if it can be had."""
        shutil.copy(self.log_path, directory / f"server-{self.port}.log")
        with contextlib.suppress(Exception):
            (directory / f"status-{self.port}.json").write_text(json.dumps(self.status(), indent=1))

    # --- what it says --------------------------------------------------------------------------------------

    def url(self, path: str = "/", *, port: int | None = None) -> str:
        """The address of a path below the base URL, through another port (a proxy's) if given."""
        return f"http://127.0.0.1:{port or self.port}{self.base_url}{path}"

    def get(self, path: str) -> requests.Response:
        """GET a path below the base URL, logged in if need be."""
        return self._client().get(self.url(path), timeout=REQUEST_TIMEOUT_S)

    def post(self, path: str, body: object) -> requests.Response:
        """POST JSON to a path below the base URL, logged in if need be."""
        return self._client().post(self.url(path), data=json.dumps(body), timeout=REQUEST_TIMEOUT_S)

    def windows(self, env: str) -> dict[str, Window]:
        """All windows of an environment by id: the truth that every page is compared with."""
        answer = self.post("/win_data", {"win": None, "eid": env})
        answer.raise_for_status()
        windows: dict[str, Window] = answer.json()
        return windows

    def envs(self) -> list[str]:
        """The ids of all environments."""
        answer = self.post("/env_state", {})
        answer.raise_for_status()
        envs: list[str] = answer.json()
        return envs

    def status(self) -> dict[str, Any]:
        """The transport's own report."""
        answer = self.get("/transport/status")
        answer.raise_for_status()
        status: dict[str, Any] = answer.json()
        return status

    # --- inside --------------------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
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
            (home / ".visdom").mkdir(exist_ok=True)  # the cookie's secret is written there, whatever the env_path
        if self._stock:
            environment["VISDOM_TRANSPORT"] = "0"
        if self._source_tree:
            path = [str(self._source_tree / "py"), *filter(None, [environment.get("PYTHONPATH")])]
            environment["PYTHONPATH"] = os.pathsep.join(path)
        return environment | {f"VISDOM_TRANSPORT_{name.upper()}": str(value) for name, value in self._settings.items()}

    def _answers(self) -> bool:
        assert self._process is not None
        if (code := self._process.poll()) is not None:
            raise AssertionError(f"the server ended with code {code}:\n{self.log_tail()}")
        try:
            requests.get(self.url("/favicon.ico"), timeout=1)
        except requests.RequestException:
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if self._session is not None:
            self._session.close()
            self._session = None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)

    def _client(self) -> requests.Session:
        if self._session is None:
            self._session = requests.Session()
            if self.login:
                body = {"username": self.login.username, "password": self.login.digest}
                self._session.post(self.url("/"), data=json.dumps(body), timeout=REQUEST_TIMEOUT_S).raise_for_status()
        return self._session
