"""Append one line to a text window, by the size of the text.

CPU time of the server process for one `POST /update` of `text(append=True)` with a line of 60 characters, posted one after the
other over one connection, with nobody watching. The bare tornado server parses the same bodies and answers.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from .support.measure import Bench, Samples, cpu_per_call
from .support.messages import text, text_line
from .support.result import Lines, Result, Table, Target, ms, times
from .support.servers import Kind, Server

KINDS: tuple[Kind, ...] = ("bare", "ours", "stock")


def run(bench: Bench) -> Result:
    sizes = [100, 1_000, 10_000, 100_000]
    samples = Samples()
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(Server(kind)) for kind in KINDS}
        for size in sizes:
            for server in servers.values():
                if server.kind != "bare":
                    text(f"w{size}", size).post(server)
        for _ in bench.rounds(9, quick=3):
            for size in sizes:
                append = text_line(f"w{size}")
                for kind, server in servers.items():
                    samples.add(cpu_per_call(server, partial(append.post, server), 100, at_most_s=1), kind, size)
    growth = samples.median("ours", 10_000) / samples.median("ours", 100)
    rows = []
    for size in sizes:
        bare, ours, stock = (samples.median(kind, size) for kind in KINDS)
        rows.append([f"{size:,}", ms(bare), ms(ours), ms(stock), times(ours / bare), times(stock / ours)])
    return Result(
        tables=[Table(["lines in the text", "bare tornado", "ours", "stock", "ours / bare", "stock / ours"], rows)],
        targets=[Target("text append at 10k lines, ours, against 100 lines", growth, 1.3, "x")],
        chart=Lines(
            "Append of one line of text",
            "lines in the text",
            "server CPU, ms",
            {kind: [(size, samples.median(kind, size) * 1000) for size in sizes] for kind in KINDS},
        ),
    )
