"""A server in a process of its own that can be killed, and a publisher that notes what it was told."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import requests

from tests.support.ports import free_port
from tests.support.wait import until

PROGRAM = """
import resource, sys
from visdom.server.run_server import start_server
if int(sys.argv[3]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
start_server(port=int(sys.argv[1]), env_path=sys.argv[2], base_url="", bind_local=True, print_func=lambda port: None)
"""

TIMEOUT_S = 30.0


class ServerProcess:
    """One server on a directory. `stock` is Visdom without us, `file_bytes` the largest file it may write.

    `odd` is a program that its interpreter runs at its start: to take from it what a file system may not have. `home` is where
    its log and its user's files are, `started_by` a program that starts it.
    """

    def __init__(
        self,
        envs: Path,
        *,
        stock: bool = False,
        file_bytes: int = 0,
        odd: str = "",
        home: Path | None = None,
        started_by: Sequence[str] = (),
        **settings: object,
    ) -> None:
        self.envs = envs
        self.port = free_port()
        self.http = requests.Session()
        self.home = home or envs.parent
        self._log = (self.home / f"{envs.name[:100]}.log").open("ab")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VISDOM")}
        environment |= {f"VISDOM_TRANSPORT_{name.upper()}": str(value) for name, value in settings.items()}
        environment |= {"HOME": str(self.home), "VISDOM_TRANSPORT": "0" if stock else "1"}
        if odd:
            folder = self.home / "odd"
            folder.mkdir(exist_ok=True)
            (folder / "sitecustomize.py").write_text(odd)
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), environment.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [*started_by, sys.executable, "-c", PROGRAM, str(self.port), f"{envs}/", str(file_bytes)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        until(self.answers, "the server answers", timeout_s=TIMEOUT_S, seen=self.log)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            requests.get(self.url("/favicon.ico"), timeout=1)
        except requests.RequestException:
            return False
        return True

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)
        self.http.close()
        self._log.close()

    def end(self, how: signal.Signals) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(how)
        return self.process.wait(TIMEOUT_S)

    def log(self) -> str:
        return (self.home / f"{self.envs.name[:100]}.log").read_text()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def post(self, path: str, body: Any) -> Any:
        answer = self.http.post(self.url(path), json=body, timeout=TIMEOUT_S)
        assert answer.ok, (answer.status_code, answer.text, self.log()[-2000:])
        return answer

    def windows(self, eid: str) -> dict[str, Any]:
        windows: dict[str, Any] = self.post("/win_data", {"win": None, "eid": eid}).json()
        return windows

    def read_bytes(self) -> int:
        """What the process has read from files so far."""
        counts = Path(f"/proc/{self.process.pid}/io").read_text().splitlines()
        return int(counts[0].removeprefix("rchar: "))

    def environments(self) -> list[str]:
        environments: list[str] = self.post("/env_state", {}).json()
        return environments

    def durability(self) -> dict[str, Any]:
        durability: dict[str, Any] = self.http.get(self.url("/transport/status"), timeout=TIMEOUT_S).json()["durability"]
        return durability


def creation(win: str, eid: str) -> dict[str, Any]:
    trace = {"type": "scatter", "name": "1", "x": [], "y": []}
    return {"endpoint": "events", "body": {"win": win, "eid": eid, "data": [trace], "layout": {}, "opts": {"title": win}}}


def point(win: str, number: int, eid: str) -> dict[str, Any]:
    trace = {"type": "scatter", "name": "1", "x": [number], "y": [number]}
    return {"endpoint": "update", "body": {"win": win, "eid": eid, "name": "1", "append": True, "data": [trace]}}


class PublisherOfPoints:
    """Numbers that end up in windows `w0`, `w1`, .. of several environments, each number in one place.

    It keeps what is not durable, and sends it again when the server has come back without it.
    """

    WINDOWS = 3

    def __init__(self, environments: list[str], rng: random.Random) -> None:
        self.environments = environments
        self.messages: list[dict[str, Any]] = [creation(f"w{n}", eid) for eid in environments for n in range(self.WINDOWS)]
        self.places: dict[tuple[str, str], list[int]] = {(eid, f"w{n}"): [] for eid in environments for n in range(self.WINDOWS)}
        self.applied = 0
        self.durable = 0
        self._rng = rng

    def make(self, count: int) -> None:
        for _ in range(count):
            eid, win = self._rng.choice(list(self.places))
            self.messages.append(point(win, len(self.messages) + 1, eid))
            self.places[eid, win].append(len(self.messages))

    def send(self, server: ServerProcess) -> None:
        """One request with everything that is not applied. Raises what `requests` raises when the server is killed."""
        messages = self.messages[self.applied : self.applied + 50]
        body = {"producer": "p", "first": self.applied + 1, "messages": messages}
        answer = server.http.post(server.url("/transport/publish"), json=body, timeout=TIMEOUT_S)
        if answer.status_code == 503:
            raise requests.ConnectionError("the server stops")
        assert answer.status_code == 200, answer.text
        self._told(answer.json())

    def resume(self, server: ServerProcess) -> None:
        """Ask a server that has come back how far it is."""
        body = {"producer": "p", "first": self.durable + 1, "messages": []}
        self._told(server.post("/transport/publish", body).json())

    def _told(self, reply: dict[str, Any]) -> None:
        assert reply["refused"] == []
        assert reply["applied"] is not None, "what was durable is known"
        assert self.durable <= (reply["durable"] or 0) <= reply["applied"], "durable numbers stay durable"
        self.applied, self.durable = reply["applied"], reply["durable"]

    def expected(self, eid: str, win: str) -> list[int]:
        """The numbers in a window when everything up to `applied` is in the state."""
        return [number for number in self.places[eid, win] if number <= self.applied]


def numbers_in(windows: dict[str, Any], win: str) -> list[int]:
    x: list[int] = windows[win]["content"]["data"][0]["x"]
    return x
