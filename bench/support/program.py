"""A program of `processes/` that answers each line it is sent with one line."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from .servers import PROCESSES, BenchError


class Program:
    """Runs from the `with` statement to the end of its block.

    Args:
        name: of its file, without the ending.
        arguments: of its command line.
        who: what it is, for an error.
        answer_within_s: how long an answer may take.
        environment: its environment variables, if not those of this process.
    """

    def __init__(
        self, name: str, *arguments: str, who: str, answer_within_s: float, environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = [sys.executable, str(PROCESSES / f"{name}.py"), *arguments]
        self._who = who
        self._answer_within_s = answer_within_s
        self._environment = environment

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # A frozen process takes no other signal.
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def ask(self, line: str) -> Any:
        """Send a line. Returns the answer, which is JSON.

        Raises:
            BenchError: there is none in time.
        """
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(line.encode() + b"\n")
        stdin.flush()
        return json.loads(self.answer())

    def answer(self) -> bytes:
        """The next line. Raises `BenchError` when there is none in time."""
        stdout = self._process.stdout
        assert stdout is not None
        line = stdout.readline() if select.select([stdout], [], [], self._answer_within_s)[0] else b""
        if not line:
            raise BenchError(f"{self._who} does not answer")
        return line

    def freeze(self) -> None:
        """Stop the process where it is. Its kernel goes on to accept what is sent to it."""
        os.kill(self._process.pid, signal.SIGSTOP)
