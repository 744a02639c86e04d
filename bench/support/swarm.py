"""Many WebSocket clients in a process of their own (`processes/swarm.py`)."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Literal, Self

from .servers import PROCESSES, BenchError, Server

ANSWER_TIMEOUT_S = 90.0


class Swarm:
    """Clients of one server that speak one dialect. They are gone after the `with` block."""

    def __init__(self, server: Server, dialect: Literal["ours", "stock"]) -> None:
        self._server = server
        self._dialect = dialect
        self.size = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, str(PROCESSES / "swarm.py"), str(self._server.port), self._dialect],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # A frozen process takes no other signal.
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(command).encode() + b"\n")
        stdin.flush()
        line = stdout.readline() if select.select([stdout], [], [], ANSWER_TIMEOUT_S)[0] else b""
        if not line:
            raise BenchError(f"the clients of the {self._server.kind} server do not answer {command}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def connect(self, count: int) -> None:
        """Open ``count`` connections more, and wait until each has been greeted."""
        self.size = self._ask({"connect": count})["clients"]

    def await_current(self, marks: dict[str, int], timeout_s: float = 60.0) -> dict[str, int]:
        """Wait until every client has the newest of everything. Returns how much they have received in all.

        Raises:
            BenchError: some client does not get there in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            answer = self._ask({"current": marks})
            if answer["current"] == self.size:
                return answer
            if time.monotonic() > deadline:
                raise BenchError(f"{self._server.kind}: only {answer['current']} of {self.size} clients are current")
            time.sleep(0.05)

    def freeze(self) -> None:
        """Stop the process where it is. Its kernel goes on to accept what is sent to it."""
        os.kill(self._process.pid, signal.SIGSTOP)
