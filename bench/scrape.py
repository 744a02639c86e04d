"""Metrics: a scrape with 1,000 pages, and what measuring costs while nobody scrapes.

*A scrape* is the CPU time of the server for one `GET /transport/metrics`, which is how long its event loop is held up: with so
many pages of our protocol, each of which has been sent some windows. *A delivery* is one update to one page: what reaches the
page, its acknowledgement, and its share of the post; of a server with `VISDOM_TRANSPORT_METRICS=off`, and of one with metrics.
Both take turns, and yet they differ by more, either way, than measuring can cost. So what it adds is timed by itself: the same
deliveries in the core without connections, with and without counts, where the fastest of many rounds is the one that nothing
disturbed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from visdom_transport.core.conversation import Conversation
from visdom_transport.core.counts import Counts
from visdom_transport.core.encoding import encode
from visdom_transport.core.hub import Hub
from visdom_transport.core.limits import Limits
from visdom_transport.links.flusher import clock
from visdom_transport.operators.measures import kind_of

from .fanout import UPDATE_BYTES, publish
from .idle import FILES, allow_files
from .support.measure import Bench, Samples, cpu_per_call
from .support.result import Bars, Result, Table, Target, ms
from .support.servers import Server
from .support.swarm import Swarm

AT_ONCE = 100
MAX_SCRAPE_S = 0.010
MAX_ADDED = 0.01
MODES = ("on", "off")
PACE_S = 0.06
UPDATES = 20
SCRAPES = 100
CORE_ROUNDS = 1_000


def run(bench: Bench) -> Result:
    most = 200 if bench.quick else 1_000
    allow_files(FILES)
    samples = Samples()
    scrapes(bench, samples, [most // 10, most])
    deliveries(bench, samples, 50 if bench.quick else 200)
    added_s = max(0.0, in_the_core(samples, "on") - in_the_core(samples, "off"))
    whole_s = samples.median("CPU", "off")
    return Result(
        tables=[
            Table(
                ["a scrape", *(f"{size:,} pages" for size in (most // 10, most))],
                [["CPU", *(ms(samples.median("scrape", size)) for size in (most // 10, most))]],
            ),
            Table(
                ["a delivery", "CPU of the server", "of it in the core"],
                [
                    *([f"metrics {mode}", us(samples.median("CPU", mode)), us(in_the_core(samples, mode))] for mode in MODES),
                    ["difference", us(samples.median("CPU", "on") - whole_s), us(added_s)],
                ],
            ),
        ],
        targets=[
            Target(f"a scrape with {most:,} pages", 1000 * samples.median("scrape", most), 1000 * MAX_SCRAPE_S, "ms"),
            Target("what measuring adds to a delivery", 100 * added_s / whole_s, 100 * MAX_ADDED, "%"),
        ],
        chart=Bars(
            "A scrape, by the number of pages",
            "CPU of the server, ms",
            {f"{size:,}": 1000 * samples.median("scrape", size) for size in (most // 10, most)},
        ),
    )


def scrapes(bench: Bench, samples: Samples, sizes: list[int]) -> None:
    """What one costs with so many pages."""
    with Server("ours") as server, Swarm(server, "ours") as swarm:
        for size in sizes:
            bench.say(f"{size:,} pages")
            while swarm.size < size:
                swarm.connect(min(AT_ONCE, size - swarm.size))
            publish(server, swarm, 0, UPDATES, PACE_S)
            for _ in range(3 if bench.quick else 5):
                cost_s = cpu_per_call(server, lambda: server.get("/transport/metrics"), SCRAPES, at_most_s=20)
                samples.add(cost_s, "scrape", size)


def deliveries(bench: Bench, samples: Samples, clients: int) -> None:
    """What one costs, with metrics and without."""
    with ExitStack() as stack:
        running = {}
        for mode in MODES:
            server = stack.enter_context(Server("ours", {"metrics": mode}))
            running[mode] = server, stack.enter_context(Swarm(server, "ours"))
            running[mode][1].connect(clients)
            publish(*running[mode], 0, UPDATES, PACE_S)
        first = UPDATES
        for turn in bench.rounds(30, quick=3):
            # Whoever comes second finds the machine as the first has left it.
            for mode in MODES if turn % 2 else reversed(MODES):
                cpu_s, messages, _ = publish(*running[mode], first, UPDATES, PACE_S)
                samples.add(cpu_s / messages / clients, "CPU", mode)
            first += UPDATES
        bench.say("the same in the core")
    stages = {mode: Core(clients, Counts(kind_of) if mode == "on" else None) for mode in MODES}
    for _ in range(CORE_ROUNDS):
        for mode in MODES:
            samples.add(stages[mode].deliver() / clients, "core", mode)


def in_the_core(samples: Samples, mode: str) -> float:
    """Seconds of a delivery that nothing disturbed."""
    return min(samples.all("core", mode))


def us(seconds: float) -> str:
    return f"{1e6 * seconds:.2f} us"


class Core:
    """A hub with so many pages, which acknowledge what they are sent."""

    def __init__(self, clients: int, counts: Counts | None) -> None:
        self._values = OneWindow()
        limits = Limits(max_messages_per_s=1_000_000_000)
        self._hub = Hub(limits, lambda name: self._values, clock=clock, counts=counts)
        self._pages = [self._page() for _ in range(clients)]

    def _page(self) -> Conversation:
        page = Conversation(self._hub, "websocket", clock(), lambda session, command: None, {})
        page.link.connect(lambda: page.link.take_messages(clock()), lambda code: None)
        hello = {"type": "hello", "role": "browser", "feeds": {"env/main": None, "shared": None}}
        page.receive(encode(hello), clock())
        page.receive(b'{"type":"ack","batches":2}', clock())
        self._sent = 2
        return page

    def deliver(self) -> float:
        """Seconds until each has been sent an update, and has acknowledged it."""
        self._sent += 1
        self._hub.set("env/main", "w")
        acknowledgement = b'{"type":"ack","batches":%d,"ago_ms":20}' % self._sent
        began = time.perf_counter()
        self._hub.flush()
        for page in self._pages:
            page.receive(acknowledgement, clock())
        return time.perf_counter() - began


class OneWindow:
    """What an environment holds."""

    def keys(self) -> list[str]:
        return ["w"]

    def value(self, key: str) -> str:
        return "x" * UPDATE_BYTES

    def content_id(self, key: str) -> str | None:
        return None

    def header(self) -> None:
        return None
