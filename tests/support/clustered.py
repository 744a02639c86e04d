"""A server with its relays behind one port, as `serve --relays` runs them."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from tests.support.served import Login
from tests.support.server import VisdomServer
from tests.support.wait import until


class Cluster(VisdomServer):
    """All of it on a free port. To be asked as one server."""

    def __init__(
        self,
        directory: Path,
        relays: int = 2,
        *,
        base_url: str = "",
        login: Login | None = None,
        polling: bool = False,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(directory, base_url=base_url, login=login, polling=polling, settings=settings)
        self._program = ("-m", "visdom_transport", "serve", "--relays", str(relays))
        self._count = relays

    def start(self) -> None:
        super().start()
        until(lambda: len(self.relays()) == self._count, "all relays are there", seen=self.log_tail)

    def origin_status(self) -> Any:
        """What the origin itself says, past the relays."""
        url = self.status()["origin"]["url"]
        return self.http.get(f"{url}/transport/status", timeout=20).json()

    def relays(self) -> dict[int, Any]:
        """Those that follow the origin now, by process."""
        try:
            return {
                int(each["name"].rpartition("/")[2]): each for each in self.origin_status()["relays"] if each["state"] == "here"
            }
        except (KeyError, ValueError, requests.RequestException):
            return {}

    def processes(self) -> dict[int, str]:
        """Those of the cluster but the supervisor, with their command lines."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as children:
            pids = map(int, children.read().split())
            return {pid: command for pid in pids if (command := command_of(pid))}

    def origin_pid(self) -> int:
        (found,) = (pid for pid, command in self.processes().items() if "\0serve\0" in command)
        return found

    def kill(self) -> None:
        """What is left of it ends by itself then."""
        if self._process is None:
            return
        pids = self.processes() if self.process.poll() is None else {}
        super().kill()
        until(lambda: not any(map(command_of, pids)), "all processes end", seen=self.log_tail)

    def kill_relay(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


def command_of(pid: int) -> str:
    """The command line of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
