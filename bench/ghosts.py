"""How long a dead client counts as connected.

10 WebSockets of our protocol and 10 of the stock dialect are frozen with SIGSTOP (their kernel still accepts what is sent, so
only silence gives them away), and 10 pollers of our protocol stop in the middle of a poll. *Detached* is the time until the
server has no connection any more, *gone* until it has forgotten them: with the default times, but a grace period of 10 s instead
of 120 s. Stock is watched for as long, with 20 frozen WebSockets.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from .stalled import silent_own_poller
from .support.measure import Bench
from .support.messages import marked
from .support.result import Bars, Result, Table, Target, number
from .support.servers import BenchError, Server
from .support.swarm import Swarm

EACH = 10
GRACE_S = 10.0
QUICK = {"heartbeat_s": 1.5, "dead_after_s": 4, "poll_wait_s": 2, "grace_s": 3}
DETACHED_WITHIN_S = 25.0


def run(bench: Bench) -> Result:
    settings: dict[str, Any] = QUICK if bench.quick else {"grace_s": GRACE_S}
    with ExitStack() as stack:
        ours = stack.enter_context(Server("ours", settings))
        stock = stack.enter_context(Server("stock"))
        swarms = [stack.enter_context(Swarm(*who)) for who in ((ours, "ours"), (ours, "stock"), (stock, "stock"))]
        for swarm, count in zip(swarms, (EACH, EACH, 2 * EACH), strict=True):
            swarm.connect(count)
        for _ in range(EACH):
            stack.enter_context(silent_own_poller(ours))
        connected, watched = attached(ours), int(stock.get("/bench/count"))
        if (connected, watched) != (3 * EACH, 2 * EACH):
            raise BenchError(f"{connected} clients of ours and {watched} of stock are connected")
        began = time.monotonic()
        for swarm in swarms:
            swarm.freeze()
        deadline = began + 2 * (DETACHED_WITHIN_S + GRACE_S)
        detached_s = gone_s = 0.0
        while not gone_s and time.monotonic() < deadline:
            for server in (ours, stock):
                marked(0, 0, 200).post(server)
            if not detached_s and not attached(ours):
                detached_s = time.monotonic() - began
                bench.say(f"all detached after {detached_s:.1f} s")
            if not ours.status()["sessions"]:
                gone_s = time.monotonic() - began
            time.sleep(0.25)
        if not gone_s:
            raise BenchError(f"still there after {time.monotonic() - began:.0f} s: {ours.status()['sessions']}")
        waited_s = time.monotonic() - began
        remaining = int(stock.get("/bench/count"))
    never = f"never: {remaining} of {2 * EACH} left after {number(waited_s)} s"
    return Result(
        tables=[
            Table(
                ["", "ours", "stock"],
                [["detached", f"{detached_s:.1f} s", never], ["gone", f"{gone_s:.1f} s", never]],
            )
        ],
        targets=[Target(f"all {3 * EACH} frozen clients detached", detached_s, DETACHED_WITHIN_S, " s")],
        chart=Bars(
            "Clients that count as connected when all are frozen", f"after {number(waited_s)} s", {"ours": 0, "stock": remaining}
        ),
        notes=[f"Quick: with {', '.join(f'{name}={value}' for name, value in QUICK.items())}."] if bench.quick else [],
    )


def attached(server: Server) -> int:
    """How many sessions have a connection."""
    return sum(session["link"] is not None for session in server.status()["sessions"])
