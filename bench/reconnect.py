"""What a page receives after its connection was cut for 2 seconds.

50 lines of 10,000 points; the page is up to date, is cut off, 20 points are appended to one of the lines, and after 2 seconds it
connects again: the bytes it receives until it is up to date (messages, without WebSocket framing), and the CPU time of the server
for it. Stock's page asks for the environment again; ours presents its position.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from .support.measure import Bench, Samples
from .support.messages import line, point
from .support.result import Bars, Result, Table, Target, ms, number, times
from .support.servers import BenchError, Kind, Server
from .support.subscriber import OwnSubscriber, StockSubscriber

POINTS = 10_000
APPENDS = 20
CUT_S = 2.0
KINDS: tuple[Kind, ...] = ("ours", "stock")


def run(bench: Bench) -> Result:
    windows = 10 if bench.quick else 50
    samples = Samples()
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(Server(kind)) for kind in KINDS}
        bench.say(f"making {windows} lines")
        for window in range(windows):
            message = line(f"w{window}", POINTS)
            for server in servers.values():
                message.post(server)
        pages: dict[Kind, OwnSubscriber | StockSubscriber] = {
            "ours": OwnSubscriber(servers["ours"]),
            "stock": StockSubscriber(servers["stock"]),
        }
        for page in pages.values():
            page.connect()
        for _ in bench.rounds(3):
            for kind, server in servers.items():
                page = pages[kind]
                page.cut()
                began = time.monotonic()
                for _ in range(APPENDS):
                    point("w0").post(server)
                time.sleep(max(0.0, began + CUT_S - time.monotonic()))
                before = server.cpu_s()
                page.connect()
                samples.add(server.cpu_s() - before, kind, "cpu")
                samples.add(page.received_bytes, kind, "bytes")
                if isinstance(page, OwnSubscriber) and not page.recovered:
                    raise BenchError("the position was not recovered")
    cells: dict[str, list[float]] = {what: [samples.median(kind, what) for kind in KINDS] for what in ("bytes", "cpu")}
    rows = [
        ["bytes received", *map(number, cells["bytes"]), times(cells["bytes"][1] / cells["bytes"][0])],
        ["server CPU", *map(ms, cells["cpu"]), times(cells["cpu"][1] / cells["cpu"][0])],
    ]
    return Result(
        tables=[Table([f"reconnect with {windows} lines of {POINTS:,} points", "ours", "stock", "stock / ours"], rows)],
        targets=[Target(f"bytes after a 2 s cut with {APPENDS} appends", cells["bytes"][0], 5_000, " bytes")],
        chart=Bars("Received after a cut of 2 s", "bytes", dict(zip(KINDS, cells["bytes"], strict=True)), log=True),
    )
