"""Append one point to a line, by the size of the line.

CPU time of the server process (user and system) for one `POST /update` that Visdom's own client makes for
`line(update="append")` of one point, posted one after the other over one connection, with nobody watching. The bare tornado
server parses the same bodies and answers. The client's `win_exists` request before each append is not in it.

Bytes are what one page receives per append when each is delivered before the next is posted: messages, without WebSocket framing.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from .support.measure import Bench, Samples, cpu_per_call
from .support.messages import line, point
from .support.result import Lines, Result, Table, Target, ms, number, times
from .support.servers import Kind, Server
from .support.subscriber import OwnSubscriber, StockSubscriber

KINDS: tuple[Kind, ...] = ("bare", "ours", "stock")
HOPELESS_S = 0.5
"""Where one append costs stock more than this, ten times the points are not tried."""


def run(bench: Bench) -> Result:
    sizes = [1_000, 10_000, 100_000] if bench.quick else [1_000, 10_000, 100_000, 1_000_000]
    cpu = measure_cpu(bench, sizes)
    received = measure_bytes(bench, sizes[:3])
    rows = []
    for size in sizes:
        bare, ours = cpu.median("bare", size), cpu.median("ours", size)
        stock = cpu.median("stock", size) if ("stock", size) in cpu else None
        rows.append(
            [
                f"{size:,}",
                ms(bare),
                ms(ours),
                ms(stock) if stock else "hopeless",
                times(ours / bare),
                times(stock / ours) if stock else "",
            ]
        )
    byte_rows = [
        [f"{size:,}", number(received.median("ours", size)), number(received.median("stock", size))] for size in sizes[:3]
    ]
    bare, ours, stock = (cpu.median(kind, 100_000) for kind in KINDS)
    most_bytes = max(received.median("ours", size) for size in sizes[:3])
    chart = {str(kind): [(size, cpu.median(kind, size) * 1000) for size in sizes if (kind, size) in cpu] for kind in KINDS}
    return Result(
        tables=[
            Table(["points in the line", "bare tornado", "ours", "stock", "ours / bare", "stock / ours"], rows),
            Table(["points in the line", "ours: bytes to a page", "stock: bytes to a page"], byte_rows),
        ],
        targets=[
            Target("append at 100k points, ours, against 1k points", ours / cpu.median("ours", 1_000), 1.3, "x"),
            Target("append at 100k points, ours, against a bare tornado POST", ours / bare, 2, "x"),
            Target("append at 100k points, stock, against ours", stock / ours, 500, "x", at_least=True),
            Target("bytes per append to one page, at any size", most_bytes, 500, " bytes"),
        ],
        chart=Lines("Append of one point", "points in the line", "server CPU, ms", chart),
    )


def measure_cpu(bench: Bench, sizes: list[int]) -> Samples:
    """CPU seconds per append by kind and size."""
    samples = Samples()
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(Server(kind)) for kind in KINDS}
        for size in sizes:
            bench.say(f"making lines of {size:,} points")
            window = line(f"w{size}", size)
            for server in servers.values():
                if server.kind != "bare":
                    window.post(server)
        for _ in bench.rounds(9, quick=3):
            for size in sizes:
                append = point(f"w{size}")
                for kind, server in servers.items():
                    if kind == "stock" and ("stock", size // 10) in samples and samples.median("stock", size // 10) > HOPELESS_S:
                        continue
                    calls = 200 if kind != "stock" else max(1, 10_000 // size)
                    samples.add(cpu_per_call(server, partial(append.post, server), calls, at_most_s=1), kind, size)
    return samples


def measure_bytes(bench: Bench, sizes: list[int]) -> Samples:
    """Bytes per append to one page by kind and size."""
    samples = Samples()
    with Server("ours") as ours, Server("stock") as stock:
        for size in sizes:
            bench.say(f"bytes per append at {size:,} points")
            for server in (ours, stock):
                line(f"w{size}", size).post(server)
            append = point(f"w{size}")
            page = OwnSubscriber(ours)
            page.connect()
            before, appends = page.received_bytes, 20
            for _ in range(appends):
                append.post(ours)
                page.take_batch()
            samples.add((page.received_bytes - before) / appends, "ours", size)
            page.cut()
            stock_page = StockSubscriber(stock)
            stock_page.connect()
            before, appends = stock_page.received_bytes, max(1, 20_000 // size)
            for _ in range(appends):
                append.post(stock)
                stock_page.take_change()
            samples.add((stock_page.received_bytes - before) / appends, "stock", size)
            stock_page.cut()
    return samples
