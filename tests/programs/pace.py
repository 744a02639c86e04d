"""What each program here does besides its own work: it keeps a pace, says how far it is, and notes what it has published.

The test that starts it says how in the environment; `Programs` in `started.py` is that side.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

STEPS = 60


def env_of(program: str) -> str:
    """The environment of a program. Those of all its loggers begin with this."""
    return program.replace("_", "-")


class Run:
    """One run of a program, for a `with` block.

    Attributes:
        port: where the server listens, on 127.0.0.1.
        env: the environment to publish to.
    """

    def __init__(self) -> None:
        self.env = env_of(Path(sys.argv[0]).stem)
        self.port = int(os.environ["PROGRAM_PORT"])
        self._folder = Path(os.environ["PROGRAM_FOLDER"])
        self._step_s = float(os.environ["PROGRAM_STEP_S"])
        self._holds_at = int(os.environ["PROGRAM_HOLDS_AT"])
        self._points: dict[str, dict[str, list[float]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            (self._folder / "points.json").write_text(json.dumps(self._points))

    def steps(self) -> Iterator[int]:
        """Count up to `STEPS`, at the pace that is asked for. Two of the steps may wait for the test."""
        with (self._folder / "progress").open("wb", buffering=0) as progress:
            for step in range(STEPS):
                if step == 1:
                    self._wait_for("begin")  # with others, once each has its windows
                if step == self._holds_at:
                    self._wait_for("go-on")
                progress.write(b".")
                yield step
                time.sleep(self._step_s)  # the pace itself

    def point(self, title: str, trace: str, y: float) -> None:
        """Note a point that was published to a trace of the window of this title."""
        self._points.setdefault(title, {}).setdefault(trace, []).append(float(y))

    def _wait_for(self, name: str) -> None:
        while not (self._folder / name).exists():
            time.sleep(0.01)  # between two looks: whoever waits for the program bounds this
