"""Programs in processes of their own, on one server, each with an environment of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.programs.pace import STEPS, env_of
from tests.support.served import Window
from tests.support.server import VisdomServer
from tests.support.wait import until

HERE = Path(__file__).parent

PACKAGES = {
    "ignite_logger": "ignite",
    "mighty_monitor": "mighty",
    "multiprocess_workers": "multiprocess",
    "tensorboardx_writer": "tensorboardX",
    "torchnet_loggers": "torchnet",
    "trixi_loggers": "trixi",
    "visdom_logger": "visdom.pytorch",
    "visualizer": "visdom",
}
"""The programs, and the package that each needs."""

NEVER = STEPS + 1

COUNTED = frozenset({"contentID", "version", "i"})
BY_CHANCE = re.compile(r" at 0x[0-9a-f]+|\d{4}-\w{3}-\d{2} \d{2}:\d{2}")

START_TIMEOUT_S = 60.0
RUN_TIMEOUT_S = 90.0


def is_there(package: str) -> bool:
    """Whether a package is installed."""
    return importlib.util.find_spec(package) is not None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended, and what it has left behind.

    Attributes:
        points: what it says it has published: title of the window, name of the trace, y.
        windows: what there is, by environment, in the order in which pages show it.
    """

    status: int
    output: str
    points: dict[str, dict[str, list[float]]]
    windows: dict[str, list[Window]]


class Programs:
    """Runs `names` side by side. They begin in earnest when all of them have their first windows.

    Args:
        step_s: how long they wait after each step.
        holds_at: the step at which they wait for `go_on`.
        environment: what is different in the environment of their processes.
    """

    def __init__(
        self,
        folder: Path,
        server: VisdomServer,
        names: Iterable[str],
        *,
        step_s: float = 0.0,
        holds_at: int = NEVER,
        **environment: str,
    ) -> None:
        self._folders = {name: folder / name for name in names}
        self._server = server
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("VISDOM", "PYTEST"))}
        self._environment = inherited | {
            "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE / "standins")]),
            "PYTHONUNBUFFERED": "1",
            "PROGRAM_PORT": str(server.port),
            "PROGRAM_STEP_S": str(step_s),
            "PROGRAM_HOLDS_AT": str(holds_at),
            **environment,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        for name, folder in self._folders.items():
            folder.mkdir(parents=True)
            with (folder / "output").open("wb") as output:
                self._processes[name] = subprocess.Popen(
                    [sys.executable, str(HERE / "scripts" / f"{name}.py")],
                    cwd=folder,
                    env=self._environment | {"PROGRAM_FOLDER": str(folder)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        self.until_steps(1, START_TIMEOUT_S)
        self._tell("begin")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # with the processes it has started
                process.wait()

    def until_steps(self, count: int, timeout_s: float = RUN_TIMEOUT_S) -> None:
        """Wait until each program has done so many steps, or has ended."""
        until(
            lambda: all(self._ended(name) or self._steps(name) >= count for name in self._folders),
            f"each program has done {count} steps",
            timeout_s=timeout_s,
            seen=lambda: {name: self._steps(name) for name in self._folders},
        )

    def go_on(self) -> None:
        """Let those that wait in the middle go on."""
        self._tell("go-on")

    def outcomes(self) -> dict[str, Outcome]:
        """Wait until all have ended, and look at what there is then."""
        until(
            lambda: all(map(self._ended, self._folders)),
            "each program has ended",
            timeout_s=RUN_TIMEOUT_S,
            seen=lambda: {name: self._output(name)[-2000:] for name in self._folders if not self._ended(name)},
        )
        return {name: self._outcome(name) for name in self._folders}

    # --- inside ---

    def _outcome(self, name: str) -> Outcome:
        noted = self._folders[name] / "points.json"
        return Outcome(
            status=self._processes[name].wait(),
            output=self._output(name),
            points=json.loads(noted.read_text()) if noted.exists() else {},
            windows={env: essential(self._server.windows(env)) for env in self._server.envs() if env.startswith(env_of(name))},
        )

    def _tell(self, what: str) -> None:
        for folder in self._folders.values():
            (folder / what).touch()

    def _ended(self, name: str) -> bool:
        return self._processes[name].poll() is not None

    def _steps(self, name: str) -> int:
        progress = self._folders[name] / "progress"
        return progress.stat().st_size if progress.exists() else 0

    def _output(self, name: str) -> str:
        return (self._folders[name] / "output").read_text(errors="replace")


def essential(windows: dict[str, Window]) -> list[Window]:
    """Windows without what differs from run to run: ids by chance, counts of messages, addresses in memory, the time of day."""
    found = []
    for window in sorted(windows.values(), key=lambda window: window["i"]):
        kept = {name: value for name, value in window.items() if name not in COUNTED}
        if kept["id"].startswith("window_"):
            del kept["id"]
        found.append(json.loads(BY_CHANCE.sub("", json.dumps(kept))))
    return found


def differences(found: Any, expected: Any, path: str = "") -> list[str]:
    """Where two values differ, and how: the first few places."""
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = [*expected, *(key for key in found if key not in expected)]
        parts = [differences(found.get(key, "nothing"), expected.get(key, "nothing"), f"{path}.{key}") for key in keys]
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        parts = [
            differences(one, other, f"{path}[{place}]") for place, (one, other) in enumerate(zip(found, expected, strict=True))
        ]
    else:
        parts = [[] if found == expected else [f"{path}: {found!r:.300} instead of {expected!r:.300}"]]
    return [difference for part in parts for difference in part][:5]
