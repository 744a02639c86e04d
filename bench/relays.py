"""Viewers behind a relay: what an update costs its origin and the relay, and how much later it comes.

CPU time of each process for one update, of 20 `POST /events` with 60 ms in between, each replacing one of ten text windows of
2 KB. The viewers speak our protocol, as in `fanout`, and are served by one process, or by a relay of it. What idle viewers cost,
with their signs of life, is measured before, for 10 seconds, and is not in it.

*Latency*: a viewer of the origin and one of the relay, in one process, are sent the same 50 updates a second; how much later the
relay's one has an update. There are no other viewers then.
"""

from __future__ import annotations

import json
import selectors
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import websocket

from .support.measure import Bench, Samples, percentile
from .support.messages import marked
from .support.relays import Relay
from .support.result import Bars, Result, Table, Target, ms, number
from .support.servers import Server
from .support.swarm import Swarm

MANY = {"max_address_sessions": 100_000, "max_sessions": 100_000}
WINDOWS = 10
UPDATE_BYTES = 2_000
COUNT = 20
PACE_S = 0.06
IDLE_S = 10.0
RATE = 50
SUBPROTOCOL = "visdom-transport.v1"
ONE, ORIGIN, RELAY = "one process", "origin of a relay", "relay"


def run(bench: Bench) -> Result:
    sizes = [0, 1, 60] if bench.quick else [0, 1, 300, 1_000]
    samples = Samples()
    for _ in bench.rounds(3, quick=1):
        for size in sizes:
            measure(samples, size, relayed=False)
            measure(samples, size, relayed=True)
        for delay_s in delays(100 if bench.quick else 500):
            samples.add(delay_s, "delay")
    delay_s = samples.all("delay")
    largest = sizes[-1]
    flat = samples.median("update", ORIGIN, largest) / samples.median("update", ORIGIN, 1)
    delivery = {name: cost_of_delivery(samples, name, largest) for name in (ONE, RELAY)}
    heads = [f"{size:,} viewer{'s' * (size != 1)}" for size in sizes]

    def rows(what: str) -> list[list[str]]:
        return [[name, *(ms(samples.median(what, name, size)) for size in sizes)] for name in (ONE, ORIGIN, RELAY)]

    return Result(
        tables=[
            Table(["CPU per update", *heads], rows("update")),
            Table(["idle, CPU per second", *heads], rows("idle")),
            Table(
                [f"{largest:,} viewers", "messages to a viewer per update", "CPU per message"],
                [
                    [name, number(samples.median("messages", name, largest)), f"{cost_s * 1e6:.0f} us"]
                    for name, cost_s in delivery.items()
                ],
            ),
            Table(
                ["latency that a relay adds", "p50", "p95", "p99"],
                [[f"{len(delay_s):,} updates", *(ms(percentile(delay_s, share)) for share in (0.5, 0.95, 0.99))]],
            ),
        ],
        targets=[
            Target(f"origin of a relay: an update with {largest:,} viewers against one", flat, 1.1, "x"),
            Target(
                f"a message to each of {largest:,} viewers, a relay against one process",
                delivery[RELAY] / delivery[ONE],
                1.1,
                "x",
            ),
            Target("latency that a relay adds, p50", percentile(delay_s, 0.5) * 1000, 3, " ms"),
            Target("latency that a relay adds, p95", percentile(delay_s, 0.95) * 1000, 25, " ms"),
        ],
        chart=Bars(
            f"An update of 2 KB to {largest:,} viewers",
            "CPU per update, ms",
            {name: samples.median("update", name, largest) * 1000 for name in (ONE, ORIGIN, RELAY)},
        ),
    )


def cost_of_delivery(samples: Samples, name: str, viewers: int) -> float:
    """CPU seconds for one message to one of many viewers: several updates may go in one."""
    more = samples.median("update", name, viewers) - samples.median("update", name, 1)
    return more / (viewers - 1) / samples.median("messages", name, viewers)


def measure(samples: Samples, viewers: int, *, relayed: bool) -> None:
    with ExitStack() as stack:
        origin = stack.enter_context(Server("ours", MANY))
        relay = stack.enter_context(Relay(origin)) if relayed else None
        swarm = stack.enter_context(Swarm(relay or origin, "ours"))
        if viewers:
            swarm.connect(viewers)
        servers = [origin] if relay is None else [origin, relay]
        publish(origin, servers, swarm, 0, 30)
        idle = cpu_rates(servers, lambda: time.sleep(IDLE_S))
        before = swarm.await_current({})
        began = time.monotonic()
        used = publish(origin, servers, swarm, 30, COUNT)
        took_s = time.monotonic() - began
        received = swarm.await_current({})["messages"] - before["messages"]
        for name, used_s, idle_s in zip((ORIGIN, RELAY) if relayed else (ONE,), used, idle, strict=True):
            samples.add((used_s - idle_s * took_s) / COUNT, "update", name, viewers)
            samples.add(idle_s, "idle", name, viewers)
            samples.add(received / max(1, viewers) / COUNT, "messages", name, viewers)


def cpu_rates(servers: list[Server], wait: Callable[[], None]) -> list[float]:
    """CPU seconds per second of each server meanwhile."""
    began, before = time.monotonic(), [server.cpu_s() for server in servers]
    wait()
    took_s = time.monotonic() - began
    return [(server.cpu_s() - cpu_s) / took_s for server, cpu_s in zip(servers, before, strict=True)]


def publish(origin: Server, servers: list[Server], swarm: Swarm, first: int, count: int) -> list[float]:
    """CPU seconds of each server, until every viewer is current."""
    updates = [marked(number % WINDOWS, number, UPDATE_BYTES) for number in range(first, first + count)]
    began = [server.cpu_s() for server in servers]
    for update in updates:
        update.post(origin)
        time.sleep(PACE_S)
    if swarm.size:
        swarm.await_current({f"{number % WINDOWS:02d}": number for number in range(first + count - WINDOWS, first + count)})
    return [server.cpu_s() - before for server, before in zip(servers, began, strict=True)]


# --- latency ---


def delays(count: int) -> list[float]:
    """How much later each update is at a viewer of a relay than at one of its origin, in seconds."""
    with Server("ours", MANY) as origin, Relay(origin) as relay, selectors.DefaultSelector() as selector:
        viewers = [Viewer(server) for server in (origin, relay)]
        for viewer in viewers:
            selector.register(viewer.socket, selectors.EVENT_READ, viewer)
        due = time.perf_counter()
        for number in range(count):
            due += 1 / RATE
            read(selector, due)
            marked(0, number, UPDATE_BYTES).post(origin)
        deadline = time.perf_counter() + 10
        while any(count - 1 not in viewer.seen for viewer in viewers) and time.perf_counter() < deadline:
            read(selector, time.perf_counter() + 0.1)
        for viewer in viewers:
            viewer.socket.close()
        at_origin, at_relay = (viewer.seen for viewer in viewers)
        return [at_relay[number] - at_origin[number] for number in at_origin.keys() & at_relay.keys()]


def read(selector: selectors.BaseSelector, until: float) -> None:
    """Read what comes until then."""
    while (left := until - time.perf_counter()) > 0:
        for key, _ in selector.select(left):
            key.data.take()


class Viewer:
    """Remembers when it has seen each update."""

    def __init__(self, server: Server) -> None:
        self.seen: dict[int, float] = {}
        self._batches = 0
        self.socket: Any = websocket.create_connection(
            f"ws://127.0.0.1:{server.port}/socket", timeout=30, subprotocols=[SUBPROTOCOL]
        )
        self._say({"type": "hello", "role": "browser", "window": 16, "feeds": {"env/main": None}})
        while json.loads(self.socket.recv())["type"] != "batch":
            pass

    def _say(self, message: object) -> None:
        self.socket.send(json.dumps(message))

    def take(self) -> None:
        """Read one message."""
        text = self.socket.recv()
        now = time.perf_counter()
        message = json.loads(text)
        if message["type"] == "ping":
            self._say({"type": "pong"})
        if message["type"] != "batch":
            return
        self._batches += 1
        self._say({"type": "ack", "batches": self._batches})
        for entry in message["entries"]:
            self.seen[int(entry["value"]["content"].split("-")[2][:6])] = now
