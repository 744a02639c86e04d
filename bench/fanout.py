"""300 pages under a burst of 2 KB updates, and connecting them.

CPU time of the server process. *Burst*: 200 `POST /events` without a pause, each replacing one of ten text windows of 2 KB, until
every client has the newest of all ten; per update. *Paced*: the same with 60 ms in between, so that little can be batched or
conflated. *Connecting*: from the first of N connections until each has been greeted (ours: until each of its three subscriptions
has been answered).

The clients run in one process of their own, and do as little as they can: they take frames apart and look for marks; those of our
protocol acknowledge every batch. The bare tornado server parses the same posts, encodes each window once and calls
`write_message` for every client; it gets no acknowledgements. Ours is measured with clients of stock Visdom's dialect, and with
clients of our protocol. What a browser does with a window is not measured.
"""

from __future__ import annotations

import time
from typing import Literal

from .support.measure import Bench, Samples
from .support.messages import marked
from .support.result import Bars, Result, Table, Target, ms, number, times
from .support.servers import Kind, Server
from .support.swarm import Swarm

CONTENDERS: dict[str, tuple[Kind, Literal["ours", "stock"]]] = {
    "bare tornado": ("bare", "stock"),
    "ours, stock's dialect": ("ours", "stock"),
    "ours, own protocol": ("ours", "ours"),
    "stock": ("stock", "stock"),
}
OURS = ("ours, stock's dialect", "ours, own protocol")
WINDOWS = 10
UPDATE_BYTES = 2_000
PACE_S = 0.06


def run(bench: Bench) -> Result:
    sizes = [50, 100, 200] if bench.quick else [75, 150, 300]
    burst, paced = (100, 10) if bench.quick else (200, 20)
    samples = Samples()
    for _ in bench.rounds(5, quick=1):
        for name, (kind, dialect) in CONTENDERS.items():
            with Server(kind) as server, Swarm(server, dialect) as swarm:
                # The first connection loads code.
                swarm.connect(1)
                began = server.cpu_s()
                for size in sizes:
                    swarm.connect(size - swarm.size)
                    samples.add(server.cpu_s() - began, "connect", name, size)
                publish(server, swarm, 0, 30, 0)
                for what, first, count, pause_s in (("burst", 30, burst, 0.0), ("paced", 30 + burst, paced, PACE_S)):
                    cpu_s, messages, size_bytes = publish(server, swarm, first, count, pause_s)
                    samples.add(cpu_s, what, name)
                    samples.add(messages, what, name, "messages")
                    samples.add(size_bytes, what, name, "bytes")
    largest = sizes[-1]
    connect_rows = [
        [name, *(ms(samples.median("connect", name, size)) for size in sizes), times(growth(samples, name, sizes))]
        for name in CONTENDERS
    ]
    update_rows = []
    for name in CONTENDERS:
        row = [name]
        for what in ("burst", "paced"):
            cost = samples.median(what, name)
            row += [ms(cost), times(cost / samples.median(what, "bare tornado"))]
            row += [number(samples.median(what, name, "messages")), number(samples.median(what, name, "bytes") / 1000)]
        update_rows.append(row)
    return Result(
        tables=[
            Table(
                [
                    f"{largest} clients, per update",
                    *("burst", "/ bare", "messages to a client", "kB to a client"),
                    *("paced", "/ bare", "messages to a client", "kB to a client"),
                ],
                update_rows,
            ),
            Table(
                ["connecting, in all", *(f"{size} clients" for size in sizes), "per client, last half / first quarter"],
                connect_rows,
            ),
        ],
        targets=[
            *(
                Target(
                    f"update in a burst to {largest} clients, {name}, against bare tornado",
                    samples.median("burst", name) / samples.median("burst", "bare tornado"),
                    1.2,
                    "x",
                )
                for name in OURS
            ),
            Target(
                f"update to {largest} clients, paced, ours, own protocol, against bare tornado",
                samples.median("paced", "ours, own protocol") / samples.median("paced", "bare tornado"),
                1.7,
                "x",
            ),
            *(
                Target(
                    f"connecting {largest} clients, {name}: cost of each of the last half against the first quarter",
                    growth(samples, name, sizes),
                    1.3,
                    "x",
                )
                for name in OURS
            ),
        ],
        chart=Bars(
            f"Burst of 2 KB updates to {largest} clients",
            "server CPU per update, ms",
            {name: samples.median("burst", name) * 1000 for name in CONTENDERS},
        ),
    )


def publish(server: Server, swarm: Swarm, first: int, count: int, pause_s: float) -> tuple[float, float, float]:
    """CPU seconds per update until every client is current, and messages and bytes that one client received per update."""
    updates = [marked(number % WINDOWS, number, UPDATE_BYTES) for number in range(first, first + count)]
    before = swarm.await_current({})
    began = server.cpu_s()
    for update in updates:
        update.post(server)
        if pause_s:
            time.sleep(pause_s)
    newest = {f"{number % WINDOWS:02d}": number for number in range(first + count - WINDOWS, first + count)}
    after = swarm.await_current(newest)
    cpu_s = (server.cpu_s() - began) / count
    received = [(after[what] - before[what]) / swarm.size / count for what in ("messages", "bytes")]
    return cpu_s, received[0], received[1]


def growth(samples: Samples, name: str, sizes: list[int]) -> float:
    """How much more each of the last half of the clients costs to connect than each of the first quarter: 1 when linear."""
    quarter, half, whole = sizes
    cost = {size: samples.median("connect", name, size) for size in sizes}
    return (cost[whole] - cost[half]) / (whole - half) / (cost[quarter] / quarter)
