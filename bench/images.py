"""Replace an image, by its size and by how many pages watch.

CPU time of the server process for one `POST /events` of `image(win=...)`, posted one after the other over one connection without
a pause, until every page has the last image. The pages of stock get every image; ours get the newest when there is more than they
can be sent. The bare tornado server parses the same bodies and writes the image to its clients, encoded once.
"""

from __future__ import annotations

from contextlib import ExitStack

from .support.measure import Bench, Samples
from .support.messages import Message, image, marked
from .support.result import Bars, Result, Table, Target, ms, times
from .support.servers import Kind, Server
from .support.swarm import Swarm

KINDS: tuple[Kind, ...] = ("bare", "ours", "stock")


def run(bench: Bench) -> Result:
    sides = [64, 256]
    pages = [0, 10]
    replacements = 50 if bench.quick else 100
    images = {side: [image("image", side, seed) for seed in range(4)] for side in sides}
    samples = Samples()
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(Server(kind)) for kind in KINDS}
        last = 0
        for count in pages:
            swarms = {}
            for kind, server in servers.items():
                swarms[kind] = stack.enter_context(Swarm(server, "ours" if kind == "ours" else "stock"))
                swarms[kind].connect(count)
            for _ in bench.rounds(7, quick=2):
                for side in sides:
                    last += 1
                    for kind in KINDS:
                        cost = replace(servers[kind], swarms[kind], images[side], replacements, marked(0, last, 40), last)
                        samples.add(cost, kind, side, count)
    rows = []
    for count in pages:
        for side in sides:
            size = f"{len(images[side][0].body) / 1000:.0f} kB"
            bare, ours, stock = (samples.median(kind, side, count) for kind in KINDS)
            rows.append([size, str(count), ms(bare), ms(ours), ms(stock), times(ours / bare), times(stock / ours)])
    return Result(
        tables=[Table(["image", "pages", "bare tornado", "ours", "stock", "ours / bare", "stock / ours"], rows)],
        targets=[
            Target(
                "replacing an image seen by 10 pages, ours, against stock",
                max(samples.median("ours", side, 10) / samples.median("stock", side, 10) for side in sides),
                1.0,
                "x",
            )
        ],
        chart=Bars(
            "Replace an image of 256 x 256, seen by 10 pages",
            "server CPU, ms",
            {kind: samples.median(kind, 256, 10) * 1000 for kind in KINDS},
        ),
    )


def replace(server: Server, swarm: Swarm, images: list[Message], times: int, end: Message, mark: int) -> float:
    """CPU seconds per replacement, with the delivery of all of them. ``end`` is posted after them and carries ``mark``."""
    began = server.cpu_s()
    for number in range(times):
        images[number % len(images)].post(server)
    end.post(server)
    swarm.await_current({"00": mark})
    return (server.cpu_s() - began) / times
