"""1,000 pages that are open and to which nothing happens.

*Memory* is what the server process has grown by from the first client to the last, by client, once all have been greeted and the
server has come to rest. *Idle* is the CPU time of the server over a minute in which nothing is published, with the default
heartbeats: ours pings whoever has been silent for 8 seconds, and is answered; stock and the bare tornado server never ask. *One
update* is the CPU time for one window of 2 KB, until every client has it: *alone*, half a second after the one before, when each
client of our protocol acknowledges each of them, and *paced*, 150 ms apart, as often as each of the servers keeps up with.

The clients are those of the fan-out above. All servers are idle at the same time.
"""

from __future__ import annotations

import resource
import time
from contextlib import ExitStack

from .fanout import CONTENDERS, OURS, publish
from .support.measure import Bench, Samples
from .support.result import Bars, Result, Table, Target, ms, number, times
from .support.servers import Server
from .support.swarm import Swarm

AT_ONCE = 100
FILES = 4_096
"""Every connection is one, in the server and in the clients' process."""
UPDATES = 10
PACES_S = {"alone": 0.5, "paced": 0.15}
MAX_IDLE_CPU = 0.03
"""Of a core, for all clients."""


def run(bench: Bench) -> Result:
    clients, idle_s = (200, 10.0) if bench.quick else (1_000, 60.0)
    allow_files(FILES)
    samples = Samples()
    with ExitStack() as stack:
        running = {}
        for name, (kind, dialect) in CONTENDERS.items():
            server = stack.enter_context(Server(kind))
            running[name] = server, stack.enter_context(Swarm(server, dialect))
        for name, (server, swarm) in running.items():
            bench.say(f"{clients:,} clients connect to {name}")
            # The first connection loads code.
            swarm.connect(1)
            before = server.rss_bytes()
            while swarm.size < clients:
                swarm.connect(min(AT_ONCE, clients - swarm.size))
            come_to_rest(server)
            samples.add((server.rss_bytes() - before) / (clients - 1), "memory", name)
        bench.say(f"{idle_s:.0f} idle seconds")
        before_s = {name: server.cpu_s() for name, (server, _) in running.items()}
        began = time.monotonic()
        time.sleep(idle_s)
        took_s = time.monotonic() - began
        for name, (server, _) in running.items():
            samples.add((server.cpu_s() - before_s[name]) / took_s, "idle", name)
        for name, (server, swarm) in running.items():
            bench.say(f"updates to the clients of {name}")
            first = 0
            for what, pace_s in PACES_S.items():
                publish(server, swarm, first, UPDATES, pace_s)
                samples.add(publish(server, swarm, first + UPDATES, UPDATES, pace_s)[0], what, name)
                first += 2 * UPDATES
    rows = [
        [
            name,
            f"{number(samples.median('memory', name) / 1000)} kB",
            f"{number(60 * samples.median('idle', name))} s",
            *(
                cell
                for what in PACES_S
                for cell in (
                    ms(samples.median(what, name)),
                    times(samples.median(what, name) / samples.median(what, "bare tornado")),
                )
            ),
        ]
        for name in CONTENDERS
    ]
    return Result(
        tables=[
            Table(
                [
                    f"{clients:,} idle clients",
                    *("memory of each", "CPU in a minute"),
                    *("one update to all, alone", "/ bare", "paced", "/ bare"),
                ],
                rows,
            )
        ],
        targets=[
            *(
                Target(
                    f"memory of an idle client, {name}, against bare tornado",
                    samples.median("memory", name) / samples.median("memory", "bare tornado"),
                    1.3,
                    "x",
                )
                for name in OURS
            ),
            Target(
                f"update to {clients:,} clients, paced, ours, own protocol, against bare tornado",
                samples.median("paced", "ours, own protocol") / samples.median("paced", "bare tornado"),
                1.7,
                "x",
            ),
            *(
                Target(f"CPU for {clients:,} idle clients, {name}", 100 * samples.median("idle", name), 100 * MAX_IDLE_CPU, "%")
                for name in OURS
            ),
        ],
        chart=Bars(
            f"Memory of each of {clients:,} idle clients",
            "growth of the server, kB",
            {name: samples.median("memory", name) / 1000 for name in CONTENDERS},
        ),
    )


def come_to_rest(server: Server) -> None:
    """Wait until the server does little more than ask who is there."""
    while True:
        began = server.cpu_s()
        time.sleep(1)
        if server.cpu_s() - began < 2 * MAX_IDLE_CPU:
            return


def allow_files(count: int) -> None:
    """Let this process, and those that it starts, open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count if hard == resource.RLIM_INFINITY else min(count, hard), hard))
