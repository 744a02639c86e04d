"""Many WebSocket clients in a process of their own (`processes/swarm.py`)."""

from __future__ import annotations

import json
import time
from typing import Literal

from .program import Program
from .servers import BenchError, Server

ANSWER_TIMEOUT_S = 90.0


class Swarm(Program):
    """Clients of one server that speak one dialect. They are gone after the `with` block."""

    def __init__(self, server: Server, dialect: Literal["ours", "deflate", "stock"]) -> None:
        who = f"the swarm of the {server.kind} server"
        super().__init__("swarm", str(server.port), dialect, who=who, answer_within_s=ANSWER_TIMEOUT_S)
        self._server = server
        self.size = 0

    def connect(self, count: int) -> None:
        """Open ``count`` connections more, and wait until each has been greeted."""
        self.size = self.ask(json.dumps({"connect": count}))["clients"]

    def await_current(self, marks: dict[str, int], timeout_s: float = 60.0) -> dict[str, int]:
        """Wait until every client has the newest of everything. Returns how much they have received in all.

        Raises:
            BenchError: some client does not get there in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            answer: dict[str, int] = self.ask(json.dumps({"current": marks}))
            if answer["current"] == self.size:
                return answer
            if time.monotonic() > deadline:
                raise BenchError(f"{self._server.kind}: only {answer['current']} of {self.size} clients are current")
            time.sleep(0.05)
