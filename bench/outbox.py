"""What an outbox on disk costs a training loop, and how fast `send` brings it to a server.

A loop appends one point per step to one of ten lines, and works in between, as in the benchmark of the publisher. A
publisher, one with an outbox on disk, one whose disk takes 0.2 s for each sync, and Visdom's own client each take turns with
one that sends nothing (Visdom's own with `send=False`, which makes the message). What an outbox costs is its time less that.
Beside the time by the clock is that of the processor: the rest, and waits that the one has that sends nothing, are the machine's.

A job without a server then writes messages that cannot be folded, and `send` brings them: messages per second of its time and of
the server's processor time, without the wait for the server's disk at the end.

If Trackio is installed, `trackio.log` of one number is measured too. It makes no message for a plot, so its times stand alone.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

from visdom import Visdom

from visdom_transport.client import Publisher
from visdom_transport.client.disk import log

from .publisher import Append, Call, append_to, timed
from .support.measure import Bench, percentile
from .support.result import Bars, Result, Table, Target, ms, number
from .support.servers import Server

SYNC_S = 0.2

JOB = """
import logging, sys
from visdom_transport.client import Publisher
logging.disable()
where = {"server": "http://127.0.0.1", "port": 1, "env": "job", "outbox_dir": sys.argv[1]}
vis = Publisher(**where, use_incoming_socket=False, raise_exceptions=False)
trace = {"type": "scatter", "name": "a", "mode": "lines"}
for step in range(int(sys.argv[2])):
    data = [{**trace, "x": [step], "y": [step / 3], "marker": {"color": [step % 10]}}]
    vis._send({"data": data, "win": f"w{step % 10}", "layout": {}, "opts": {}, "append": True, "name": "a"}, endpoint="update")
"""


def run(bench: Bench) -> Result:
    warnings.simplefilter("ignore", DeprecationWarning)
    for name in ("visdom", "visdom_transport.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    try:
        with Server("ours") as ours:
            bench.say("steps")
            taken = {label: (floor, each) for label, floor, each in pairs(loops(ours, folder), 500 if bench.quick else 3_000)}
            bench.say("a job without a server, and send")
            sent = send(ours, folder / "job", 5_000 if bench.quick else 50_000)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    medians = {label: percentile([call.seconds for call in each], 0.5) for label, (_, each) in taken.items()}
    floors = {label: percentile([call.seconds for call in floor], 0.5) for label, (floor, _) in taken.items()}
    cpu_s = {label: (percentile([call.cpu_s for call in calls], 0.5) for calls in pair) for label, pair in taken.items()}
    rows = [
        [
            label,
            ms(floors[label]),
            *(ms(percentile([call.seconds for call in each], share)) for share in (0.5, 0.99, 0.999)),
            ms(waits(floor)),
            ms(waits(each)),
            *map(ms, cpu_s[label]),
        ]
        for label, (floor, each) in taken.items()
    ]
    cost_us = max(1e6 * (medians[label] - floors[label]) for label in ("outbox", "outbox, slow disk"))
    slow_ms = 1000 * waits(taken["outbox, slow disk"][1])
    return Result(
        tables=[
            Table(
                [
                    "client",
                    *("nothing sent", "median call", "99 %", "99.9 %"),
                    *("99.9 % wait, nothing sent", "99.9 % wait", "CPU, nothing sent", "CPU, median call"),
                ],
                rows,
            ),
            Table(["a job without a server", "value"], [[name, number(value)] for name, value in sent.items()]),
        ],
        targets=[
            Target("median cost of a call with an outbox, less making the message", cost_us, 60, " us"),
            Target("99.9 % of the calls wait, while each sync takes 0.2 s", slow_ms, 5, " ms"),
            Target("messages per second of send", sent["messages per second"], 5_000, at_least=True),
        ],
        chart=Bars(
            "A call that appends a point", "ms (median)", {label: 1000 * each for label, each in medians.items()}, log=True
        ),
    )


def pairs(appends: dict[str, Append], steps: int) -> Iterator[tuple[str, list[Call], list[Call]]]:
    """What each took, and what the one that sends nothing took beside it."""
    floor = appends.pop("nothing sent")
    for label, append in appends.items():
        taken = timed({"nothing sent": floor, label: append}, steps)
        yield label, taken["nothing sent"], taken[label]


def waits(calls: list[Call]) -> float:
    """What the longest of 1,000 calls waits for others."""
    return percentile([call.waited_s for call in calls], 0.999)


def loops(server: Server, folder: Path) -> dict[str, Append]:
    where: dict[str, Any] = {"server": "http://127.0.0.1", "port": server.port, "use_incoming_socket": False}
    kinds: dict[str, Any] = {
        "nothing sent": Visdom(**where, send=False),
        "publisher": Publisher(**where, env="publisher", exit_timeout_s=0),
        "outbox": Publisher(**where, env="outbox", exit_timeout_s=0, outbox_dir=folder / "outbox"),
        "outbox, slow disk": Publisher(**where, env="slow", exit_timeout_s=0, outbox_dir=folder / "slow"),
        "stock": Visdom(**where, env="stock", raise_exceptions=True),
    }
    synced = log.sync_file

    def sync(descriptor: int, path: Path) -> None:
        if path.parent.name == "slow":
            time.sleep(SYNC_S)
        synced(descriptor, path)

    log.sync_file = sync  # type: ignore[attr-defined]
    return {label: append_to(vis) for label, vis in kinds.items()} | trackio(folder)


def trackio(folder: Path) -> dict[str, Append]:
    """Trackio's client, if it is installed."""
    os.environ["TRACKIO_DIR"] = str(folder / "trackio")
    try:
        client: Any = importlib.import_module("trackio")
    except ImportError:
        return {}
    client.init(project="bench", embed=False)

    def append(step: int) -> Call:
        began, cpu_s = time.perf_counter(), time.thread_time()
        client.log({"loss": step / 3})
        return Call(time.perf_counter() - began, 0.0, time.thread_time() - cpu_s)

    return {"trackio": append}


def send(server: Server, folder: Path, count: int) -> dict[str, float]:
    """What a job without a server takes, and what it takes to bring it to one."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", JOB, str(folder), str(count)], check=True)
    wrote_s = time.perf_counter() - began
    size = sum(path.stat().st_size for path in folder.rglob("*.log"))
    before, cpu_s = processor_s(server.pid), getrusage(RUSAGE_SELF)
    from visdom_transport.client.disk.command import main

    began = time.perf_counter()
    main([str(folder), "--server", f"http://127.0.0.1:{server.port}"])
    took_s = time.perf_counter() - began
    after = getrusage(RUSAGE_SELF)
    own_s = after.ru_utime + after.ru_stime - cpu_s.ru_utime - cpu_s.ru_stime
    return {
        "messages": count,
        "seconds of the job, its start and end included": wrote_s,
        "bytes on disk": size,
        "seconds of send, the wait for the server's disk included": took_s,
        "messages per second": count / took_s,
        "us of send's processor per message": 1e6 * own_s / count,
        "us of the server's processor per message": 1e6 * (processor_s(server.pid) - before) / count,
    }


def processor_s(pid: int) -> float:
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")
