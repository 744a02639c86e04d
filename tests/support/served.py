"""A server that tests talk to, wherever it runs: addresses, requests, windows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import requests

from tests.support.wait import until

Window = dict[str, Any]

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


ADA = Login()


class Served:
    """A server on a port of 127.0.0.1. All requests share a session, which is logged in if there is a login."""

    def __init__(self, port: int, *, base_url: str = "", login: Login | None = None) -> None:
        self.port = port
        self.base_url = base_url
        self.login = login
        self._http: requests.Session | None = None

    @property
    def http(self) -> requests.Session:
        """The connection, with its cookies."""
        if self._http is None:
            self._http = requests.Session()
            self._http.headers["Accept"] = "application/json"  # so that refusals say why in their text
            if self.login:
                self.post("/", {"username": self.login.username, "password": self.login.digest}).raise_for_status()
        return self._http

    def disconnect(self) -> None:
        """Forget the connection and its cookies. The next request makes another."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def url(self, path: str = "/", scheme: str = "http", *, port: int | None = None) -> str:
        """The address of a path below the base URL, through another port (a proxy's) if given."""
        return f"{scheme}://127.0.0.1:{port or self.port}{self.base_url}{path}"

    def get(self, path: str) -> requests.Response:
        """GET a path below the base URL."""
        return self.http.get(self.url(path), timeout=REQUEST_TIMEOUT_S)

    def post(self, path: str, body: object) -> requests.Response:
        """POST JSON to a path below the base URL."""
        return self.http.post(self.url(path), data=json.dumps(body), timeout=REQUEST_TIMEOUT_S)

    # --- what it has ---

    def _answer(self, response: requests.Response) -> Any:
        response.raise_for_status()
        return response.json()

    def windows(self, eid: str = "main") -> dict[str, Window]:
        """All windows of an environment by id: the truth that every page and replica is compared with."""
        windows: dict[str, Window] = self._answer(self.post("/win_data", {"win": None, "eid": eid}))
        return windows

    def envs(self) -> list[str]:
        """The ids of all environments."""
        envs: list[str] = self._answer(self.post("/env_state", {}))
        return envs

    def status(self) -> dict[str, Any]:
        """The transport's own report."""
        status: dict[str, Any] = self._answer(self.get("/transport/status"))
        return status

    def sessions(self, **wanted: Any) -> list[dict[str, Any]]:
        """The sessions of the status whose members are as given."""
        return [each for each in self.status()["sessions"] if all(each[name] == value for name, value in wanted.items())]

    def wait_sessions(self, count: int, timeout_s: float = 5.0, **wanted: Any) -> None:
        """Wait until there are `count` sessions like that."""
        until(lambda: len(self.sessions(**wanted)) == count, f"{count} sessions", timeout_s=timeout_s, seen=self.sessions)

    # --- what is shown ---

    def text(self, win: str, content: str, eid: str = "main") -> None:
        """Set a text window."""
        body = {"data": [{"type": "text", "content": content}], "win": win, "eid": eid, "opts": {"title": win}}
        answer = self.post("/events", body)
        assert (answer.status_code, answer.text) == (200, win)

    def plot(self, win: str, y: list[float], eid: str = "main", title: str = "loss") -> None:
        """Set a line with one named trace."""
        trace = {"type": "scatter", "name": "1", "x": list(range(len(y))), "y": y}
        body = {"data": [trace], "layout": {"title": title}, "win": win, "eid": eid, "opts": {"title": title}}
        self.post("/events", body).raise_for_status()

    def append(self, win: str, x: float, y: float, eid: str = "main") -> requests.Response:
        """Append one point to the trace of `plot`."""
        trace = {"type": "scatter", "name": "1", "x": [x], "y": [y]}
        return self.post("/update", {"data": [trace], "name": "1", "win": win, "eid": eid, "append": True, "layout": {}})
