"""A server whose directory, disk and end are the test's subject, and a publisher that notes what it was told."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import requests

from tests.support.server import START_SERVER, VisdomServer

TIMEOUT_S = 30.0


class ServerProcess(VisdomServer):
    """One server on a directory. `file_bytes` is the size of the largest file it may write.

    `odd` is a program that its interpreter runs at its start: to take from it what a file system may not have. `home` is where
    its log and its user's files are.
    """

    def __init__(self, envs: Path, *, file_bytes: int = 0, odd: str = "", home: Path | None = None, **options: Any) -> None:
        limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({file_bytes}, resource.RLIM_INFINITY))"
        known = {name: options.pop(name) for name in ("stock", "started_by") if name in options}
        program = ("-c", (limit if file_bytes else "") + START_SERVER)
        super().__init__(home or envs.parent, env_path=envs, program=program, settings=options, **known)
        self._odd = odd

    def _environment(self) -> dict[str, str]:
        environment = super()._environment()
        if self._odd:
            folder = self.directory / "odd"
            folder.mkdir(exist_ok=True)
            (folder / "sitecustomize.py").write_text(self._odd)
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), environment.get("PYTHONPATH")]))
        return environment

    def post(self, path: str, body: object) -> requests.Response:
        answer = super().post(path, body)
        assert answer.ok, (answer.status_code, answer.text, self.log()[-2000:])
        return answer

    def read_bytes(self) -> int:
        """What the process has read from files so far."""
        counts = Path(f"/proc/{self.process.pid}/io").read_text().splitlines()
        return int(counts[0].removeprefix("rchar: "))

    def durability(self) -> dict[str, Any]:
        durability: dict[str, Any] = self.status()["durability"]
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
