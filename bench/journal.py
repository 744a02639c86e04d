"""What it costs to keep every environment on disk.

Three servers, fed by Visdom's own client: ours with `VISDOM_TRANSPORT_JOURNAL=all` (the default), ours with `off`, and stock,
which writes nothing before somebody saves. CPU time is that of the server process, with all its threads, from the first post
until what was posted is on disk. Bytes are those that the process handed to `write` for files (`wchar` of `/proc/<pid>/io`),
and those of the pages that went to the disk for them (`write_bytes`).

- Appends: one point to a line, posted one after the other without a pause.
- A large window: an image of 20 MB is replaced each second while another client appends 20 points a second.
- Many windows: 200 lines of 1,000 points, in turn, 200 updates a second; a point is appended, or all points are replaced.
- A start: what the server with the journal had when it was killed is read by each; the others find it saved.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .support.measure import Bench, Samples, percentile
from .support.messages import Message, image, line, made_by, point
from .support.result import Bars, Result, Table, Target, mb, ms, number, times
from .support.servers import BenchError, Server

KINDS = ("all", "off", "stock")
INTERVAL_S = 2.0
"""`VISDOM_TRANSPORT_JOURNAL_INTERVAL_S`."""

QUIET_S = INTERVAL_S + 0.3
"""So long after the last post everything small is on disk."""

SIDE = 2_236
"""An image of 20 MB."""

WINDOWS = 200
POINTS = 1_000


class Cost(NamedTuple):
    """What a server spent on a workload."""

    cpu_s: float
    given: int
    to_disk: int


@contextmanager
def costs(server: Server, into: list[Cost]) -> Iterator[None]:
    """Add what ``server`` spends on what happens inside, and until that is on disk."""
    cpu_s, written = server.cpu_s(), server.written()
    yield
    time.sleep(QUIET_S)
    now = server.written()
    into.append(Cost(server.cpu_s() - cpu_s, now.given - written.given, now.to_disk - written.to_disk))


def server(kind: str, home: Path | None = None) -> Server:
    return Server("stock", home=home) if kind == "stock" else Server("ours", {"journal": kind}, home=home)


def run(bench: Bench) -> Result:
    appends = measure_appends(bench, [1_000, 100_000])
    large = measure_large_window(bench)
    many = measure_many_windows(bench)
    start = measure_start(bench)
    ratio = {
        "append": max(appends.median("cpu", "all", size) / appends.median("cpu", "off", size) for size in (1_000, 100_000)),
        "large": large.median("cpu", "all") / large.median("cpu", "off"),
        "many": max(many.median("cpu", "all", how) / many.median("cpu", "off", how) for how in ("append", "replace")),
    }
    delay_s = large.median("p99", "all") - large.median("p99", "off")
    return Result(
        tables=[append_table(appends), large_table(large), many_table(many), start_table(start)],
        targets=[
            Target("server CPU per append, journal, against none", ratio["append"], 1.1, "x"),
            Target("bytes per append, given to write", max(appends.median("given", "all", s) for s in (1_000, 100_000)), 250),
            Target("20 MB each second: server CPU, journal, against none", ratio["large"], 1.25, "x"),
            Target("20 MB each second: bytes per second", large.median("given", "all") / 1e6, 4, " MB"),
            Target("20 MB each second: what 99 % of other posts take longer", delay_s * 1000, 50, " ms"),
            Target("200 windows: server CPU per update, journal, against none", ratio["many"], 1.15, "x"),
        ],
        chart=Bars(
            "Append of one point to 1,000",
            "server CPU, ms",
            {kind: appends.median("cpu", kind, 1_000) * 1000 for kind in KINDS},
        ),
    )


# --- appends ---


def measure_appends(bench: Bench, sizes: list[int]) -> Samples:
    samples = Samples()
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(server(kind)) for kind in KINDS}
        for size in sizes:
            for each in servers.values():
                line(f"w{size}", size).post(each)
        time.sleep(QUIET_S)
        for _ in bench.rounds(5, quick=1):
            for size in sizes:
                append = point(f"w{size}")
                for kind, each in servers.items():
                    calls = 2_000 if kind != "stock" else max(2, 100_000 // size)
                    taken: list[Cost] = []
                    with costs(each, taken):
                        for _ in range(calls):
                            append.post(each)
                    samples.add(taken[0].cpu_s / calls, "cpu", kind, size)
                    samples.add(taken[0].given / calls, "given", kind, size)
                    samples.add(taken[0].to_disk / calls, "disk", kind, size)
    return samples


def append_table(samples: Samples) -> Table:
    rows = [
        [
            f"{size:,}",
            kind,
            ms(samples.median("cpu", kind, size)),
            times(samples.median("cpu", kind, size) / samples.median("cpu", "off", size)),
            number(samples.median("given", kind, size)),
            number(samples.median("disk", kind, size)),
        ]
        for size in (1_000, 100_000)
        for kind in KINDS
    ]
    return Table(["points in the line", "journal", "CPU per append", "against off", "bytes given", "bytes to disk"], rows)


# --- a large window ---


def measure_large_window(bench: Bench) -> Samples:
    samples = Samples()
    seconds = 8 if bench.quick else 40
    images = [image("large", SIDE, seed) for seed in range(2)]
    bench.say(f"an image of {len(images[0].body) / 1e6:.0f} MB")
    for _ in bench.rounds(2, quick=1):
        for kind in KINDS:
            with server(kind) as each:
                line("small", POINTS).post(each)
                images[0].post(each)
                time.sleep(QUIET_S)
                taken: list[Cost] = []
                with costs(each, taken):
                    latencies = replace_each_second(each, images, seconds)
                samples.add(taken[0].cpu_s / seconds, "cpu", kind)
                samples.add(taken[0].given / seconds, "given", kind)
                samples.add(taken[0].to_disk / seconds, "disk", kind)
                samples.add(percentile(latencies, 0.5), "median", kind)
                samples.add(percentile(latencies, 0.99), "p99", kind)
                samples.add(each.rss_bytes(), "rss", kind)
    return samples


def replace_each_second(server: Server, images: list[Message], seconds: int) -> list[float]:
    """Replace the image ``seconds`` times. Returns how long the posts of another client took meanwhile."""
    latencies: list[float] = []
    done = threading.Event()
    other = server.another_connection()

    def append() -> None:
        small = point("small")
        while not done.wait(0.05):
            began = time.perf_counter()
            small.post(other)
            latencies.append(time.perf_counter() - began)

    thread = threading.Thread(target=append)
    thread.start()
    try:
        at_pace(1.0, seconds, lambda n: images[n % len(images)].post(server))
    finally:
        done.set()
        thread.join()
        other.close()
    return latencies


def at_pace(interval_s: float, count: int, act: Callable[[int], None]) -> None:
    """Act so often, at so many seconds; later ones follow at once when one takes longer."""
    began = time.monotonic()
    for n in range(count):
        time.sleep(max(0.0, began + n * interval_s - time.monotonic()))
        act(n)


def large_table(samples: Samples) -> Table:
    rows = [
        [
            kind,
            ms(samples.median("cpu", kind)),
            times(samples.median("cpu", kind) / samples.median("cpu", "off")),
            mb(samples.median("given", kind)),
            mb(samples.median("disk", kind)),
            ms(samples.median("median", kind)),
            ms(samples.median("p99", kind)),
            mb(samples.median("rss", kind)),
        ]
        for kind in KINDS
    ]
    columns = ["journal", "CPU per second", "against off", "given per second", "to disk per second", "other posts", "99 %", "RSS"]
    return Table(columns, rows)


# --- many windows ---


def measure_many_windows(bench: Bench) -> Samples:
    samples = Samples()
    rounds = 5 if bench.quick else 20
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(server(kind)) for kind in KINDS}
        for each in servers.values():
            for n in range(WINDOWS):
                line(f"w{n}", POINTS).post(each)
        time.sleep(QUIET_S)
        for _ in bench.rounds(2, quick=1):
            for how, messages in (
                ("append", [point(f"w{n}") for n in range(WINDOWS)]),
                ("replace", [replaced(f"w{n}") for n in range(WINDOWS)]),
            ):
                for kind, each in servers.items():
                    taken: list[Cost] = []
                    with costs(each, taken):
                        at_pace(0.005, rounds * WINDOWS, lambda n, m=messages, s=each: m[n % WINDOWS].post(s))  # type: ignore[misc]
                    samples.add(taken[0].cpu_s / rounds / WINDOWS, "cpu", kind, how)
                    samples.add(taken[0].given / rounds / WINDOWS, "given", kind, how)
                    samples.add(taken[0].to_disk / rounds / WINDOWS, "disk", kind, how)
                    samples.add(each.rss_bytes(), "rss", kind, how)
    return samples


def replaced(win: str) -> Message:
    """A line of as many points in the place of the one of ``win``."""
    x = np.arange(POINTS, dtype=float)
    return made_by("line", X=x, Y=np.cos(x / 100), win=win, opts={"title": win})


def many_table(samples: Samples) -> Table:
    rows = [
        [
            how,
            kind,
            ms(samples.median("cpu", kind, how)),
            times(samples.median("cpu", kind, how) / samples.median("cpu", "off", how)),
            number(samples.median("given", kind, how)),
            number(samples.median("disk", kind, how)),
            mb(samples.median("rss", kind, how)),
        ]
        for how in ("append", "replace")
        for kind in KINDS
    ]
    return Table(["update", "journal", "CPU per update", "against off", "bytes given", "bytes to disk", "RSS"], rows)


# --- a start ---


def measure_start(bench: Bench) -> Samples:
    """What a start takes on what a killed server has left: its journal, or the same environments as saved files."""
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="visdom-bench-") as directory:
        killed = Path(directory) / "killed"
        killed.mkdir()
        bench.say("making what is read")
        with server("all", killed) as each:
            fill(each)
            each.kill()
        saved = Path(directory) / "saved"
        shutil.copytree(killed, saved)
        with server("off", saved) as each:  # writes what is in the journal into the files
            windows = count_windows(each)
        for round_number in bench.rounds(3, quick=1):
            for kind in KINDS:
                home = Path(directory) / f"{kind}-{round_number}"
                shutil.copytree(killed if kind == "all" else saved, home)
                began = time.monotonic()
                with server(kind, home) as each:
                    samples.add(time.monotonic() - began, "wall", kind)
                    samples.add(each.cpu_s(), "cpu", kind)
                    samples.add(each.rss_bytes(), "rss", kind)
                    if count_windows(each) != windows:
                        raise BenchError(f"{kind}: not everything was read")
                    samples.add(each.cpu_s(), "read", kind)
        samples.add(sum(path.stat().st_size for path in (killed / "envs").rglob("*.log")), "journal")
    return samples


def fill(server: Server) -> None:
    """200 windows, a large one, and appends, in one environment."""
    for n in range(WINDOWS):
        line(f"w{n}", POINTS).post(server)
    image("large", SIDE).post(server)
    for n in range(10_000):
        point(f"w{n % WINDOWS}").post(server)
    deadline = time.monotonic() + 60
    while not server.status()["durability"]["on_disk"]:
        if time.monotonic() > deadline:
            raise BenchError("it does not get on disk")
        time.sleep(0.1)


def count_windows(server: Server) -> int:
    return server.post("/win_data", b'{"win": null, "eid": "main"}').count(b'"contentID"')


def start_table(samples: Samples) -> Table:
    rows = [
        [
            kind,
            ms(samples.median("cpu", kind)),
            ms(samples.median("read", kind)),
            ms(samples.median("wall", kind)),
            mb(samples.median("rss", kind)),
        ]
        for kind in KINDS
    ]
    return Table(["journal", "CPU until it serves", "and has read it all", "time until it serves", "RSS"], rows)
