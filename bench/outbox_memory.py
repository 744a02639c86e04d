"""The memory of a process that publishes 10,000,000 points with an outbox on disk.

It publishes as fast as its publisher takes them, in ten lines that are begun again after 10,000 points each: without a server, so
that everything stays on disk, and with one that takes them. Its resident memory is looked at after every hundredth. What it
has after the first tenth is the base: *growth* is the most of what came later, less that.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from .support.measure import Bench
from .support.program import Program
from .support.result import Panels, Result, Table, Target, mb, number
from .support.servers import Server

POINTS = 10_000_000
QUICK_POINTS = 500_000
PARTS = 100
LINES_BEGIN = 10
"""So many points are published before memory is looked at first."""
LIMIT_BYTES = 10_000_000
NOBODY = 1
"""A port where nobody listens."""


@dataclass(slots=True)
class Run:
    """One process that published."""

    rss_bytes: list[int] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0
    disk_bytes: int = 0

    @property
    def base_bytes(self) -> int:
        """After the first tenth."""
        return self.rss_bytes[PARTS // 10]

    @property
    def growth_bytes(self) -> int:
        return max(self.rss_bytes[PARTS // 10 :]) - self.base_bytes


def run(bench: Bench) -> Result:
    points = QUICK_POINTS if bench.quick else POINTS
    bench.say("no server")
    runs = {"no server": publish(NOBODY, points)}
    with Server("ours") as server:
        bench.say("a server that takes it")
        runs["server"] = publish(server.port, points)
    rows = [
        [
            name,
            *(mb(each) for each in (run.rss_bytes[0], run.base_bytes, max(run.rss_bytes[PARTS // 10 :]), run.rss_bytes[-1])),
            mb(run.disk_bytes),
            number(points / run.seconds),
            number(1e6 * run.cpu_s / points),
        ]
        for name, run in runs.items()
    ]
    columns = [
        "points go to",
        "at first",
        "after a tenth",
        "most since",
        "at the end",
        "on disk",
        "points per s",
        "us of CPU per point",
    ]
    return Result(
        tables=[Table(columns, rows)],
        targets=[
            Target(f"growth over {points:,} points, {name}", run.growth_bytes / 1e6, LIMIT_BYTES / 1e6, " MB")
            for name, run in runs.items()
        ],
        chart=Panels(
            "Memory of a process that publishes",
            "points",
            {
                f"MB, {name}": [(points * part / PARTS, each / 1e6) for part, each in enumerate(run.rss_bytes)]
                for name, run in runs.items()
            },
        ),
    )


def publish(port: int, points: int) -> Run:
    """A process that publishes so many points."""
    found = Run()
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    began = time.perf_counter()
    try:
        with Program("points", str(port), str(folder), who="the program that publishes", answer_within_s=600) as program:
            for count in (LINES_BEGIN, *[points // PARTS] * PARTS):
                _, rss_bytes, found.cpu_s = program.ask(str(count))
                found.rss_bytes.append(rss_bytes)
            found.disk_bytes = sum(path.stat().st_size for path in folder.rglob("*.log"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found.seconds = time.perf_counter() - began
    return found
