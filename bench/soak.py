"""A server under a crowd that comes and goes, for half an hour: does it stay as it is?

100 clients join, leave, stall, come back and resume at random: pages and sources of our protocol, over WebSockets and long polls,
and pages, pollers and sources of stock Visdom's dialect. Meanwhile 500 updates a second are published in ten environments: points
for bounded lines and for lines that are made anew when they are long, bounded and replaced texts, images, windows that are
closed again, and environments that are deleted again. `--minutes` sets for how long.

What the process holds is counted every few seconds. The first fifth is not judged. Of the rest, *drift* is how much a straight
line through all counts rises from its beginning to its end, and *peak* the largest count of the second half against that of the
first. What is bounded by a setting is given a bound that is reached early.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .support.measure import Bench
from .support.messages import Message, image, line, made_by, point, text, text_line
from .support.program import Program
from .support.result import Panels, Result, Table, Target, mb, number
from .support.servers import BenchError, Server

SEED = 7
RATE_PER_S = 500
BATCHES_PER_S = 10
SAMPLE_EVERY_S = 5.0
WARM_UP = 0.2
ENVIRONMENTS = [f"soak-{number}" for number in range(10)]
SETTINGS = {
    "grace_s": 30,
    "max_tombstones": 200,
    "event_count": 500,
    "history_bytes": 8_000_000,
}
RUN_LIVES_S = 20.0
"""How long the environments live that are deleted again."""

LIMITS: dict[str, tuple[float, float]] = {
    "RSS": (0.05, 1.05),
    "objects of Python": (0.05, 1.10),
    "file descriptors": (0.15, 1.25),
    "threads": (0.15, 1.25),
    "tasks": (0.15, 1.25),
    "timers": (0.15, 1.25),
    "sessions": (0.15, 1.25),
    "feeds": (0.15, 1.25),
    "retained bytes of feeds": (0.15, 1.25),
    "tombstones": (0.15, 1.25),
    "journal bytes": (0.25, 1.25),
}
"""What must stay as it is: the most it may drift, and the highest peak."""

SHOWN = (*LIMITS, "clients that are there", "updates per second")


def run(bench: Bench) -> Result:
    with Server("ours", SETTINGS) as server, Crowd(server) as crowd:
        time.sleep(1)
        samples = list(watch(bench, server, crowd))
        end = crowd.leave()
        left = forgotten(server)
        cpu_s = server.cpu_s()
    judged = samples[int(WARM_UP * len(samples)) :]
    series = {name: [(sample.minutes, sample.values[name]) for sample in samples] for name in SHOWN}
    verdicts = {name: (drift(judged, name), peak(judged, name)) for name in LIMITS}
    span_s = 60 * (samples[-1].minutes - samples[0].minutes)
    held_rate = statistics.mean(sample.values["updates per second"] for sample in samples)
    rows = []
    for name in SHOWN:
        values = [sample.values[name] for sample in judged]
        row = [name, *(shown(name, value) for value in (min(values), statistics.median(values), max(values)))]
        rows.append([*row, *(percent(verdicts[name][0]), f"{verdicts[name][1]:.2f}x")] if name in verdicts else [*row, "", ""])
    return Result(
        tables=[
            Table(["counted", "least", "median", "most", "drift", "peak"], rows),
            Table(
                ["in all", "times"], [[name, number(count)] for name, count in sorted(end["counts"].items()) if name != "here"]
            ),
            Table(["once all have gone", "left"], [[name, number(count)] for name, count in left.items()]),
        ],
        targets=[
            *(Target(f"{name}: drift", 100 * verdicts[name][0], 100 * limit, "%") for name, (limit, _) in LIMITS.items()),
            *(Target(f"{name}: peak", verdicts[name][1], limit, "x") for name, (_, limit) in LIMITS.items()),
            Target("updates per second", held_rate, 0.98 * RATE_PER_S, at_least=True),
            Target("clients that died of something unexpected", len(end["died"]), 0),
            Target("what is left once all have gone", sum(left.values()), 0),
        ],
        chart=Panels(f"{number(held_rate)} updates a second, 100 clients that come and go", "minutes", series),
        notes=[
            f"{number(span_s / 60)} minutes, seed {SEED}, with {', '.join(f'{k}={v:,}' for k, v in SETTINGS.items())}.",
            f"The server used {number(100 * cpu_s / span_s)} % of a core.",
            *(f"Died: {error}" for error in sorted(set(end["died"]))),
        ],
    )


# --- what is watched ---


@dataclass(frozen=True, slots=True)
class Sample:
    minutes: float
    values: dict[str, float]


def watch(bench: Bench, server: Server, crowd: Crowd) -> Iterator[Sample]:
    """Publish, and count what the server holds, until the time is over."""
    began = now = due = time.monotonic()
    updates = Updates(random.Random(SEED))
    sent = sampled = 0
    next_sample = began + SAMPLE_EVERY_S
    last_sample = began
    for batch in updates.batches():
        if now - began >= bench.budget_s:
            return
        sent += len(batch)
        due += len(batch) / RATE_PER_S
        updates.post(server, batch, now)
        now = time.monotonic()
        if now >= next_sample:
            values = count(server) | {"clients that are there": float(crowd.count()["counts"]["here"])}
            values["updates per second"] = (sent - sampled) / (now - last_sample)
            sampled, last_sample, next_sample = sent, now, next_sample + SAMPLE_EVERY_S
            yield Sample((now - began) / 60, values)
            if int((now - began) / 60) > int((now - began - SAMPLE_EVERY_S) / 60):
                bench.say(", ".join(f"{name} {shown(name, value)}" for name, value in values.items()))
        # What a busy machine has kept it from publishing is not made up for: that would be another load.
        due = max(due, now - 1)
        time.sleep(max(0.0, due - now))
        now = time.monotonic()


def count(server: Server) -> dict[str, float]:
    census = json.loads(server.get("/bench/census"))
    process, held, remembered = census["process"], census["held"], census["remembered"]
    return {
        "RSS": server.rss_bytes(),
        "objects of Python": census["memory"]["blocks"],
        "file descriptors": process["files"],
        "threads": process["threads"],
        "tasks": process["tasks"],
        "timers": process["timers"],
        "sessions": held["sessions"],
        "feeds": held["feeds"],
        "retained bytes of feeds": held["retained bytes"],
        "tombstones": held["tombstones"],
        "journal bytes": remembered["journal bytes"],
    }


def forgotten(server: Server) -> dict[str, int]:
    """What is left of the clients after the time in which they could come back."""
    names = ("sessions", "links", "long polls", "stock polls", "feeds", "tombstones", "comparisons", "cached batches")
    deadline = time.monotonic() + 3 * SETTINGS["grace_s"]
    while True:
        held = json.loads(server.get("/bench/census?part=held"))["held"]
        left = {name: held[name] for name in names}
        if not any(left.values()) or time.monotonic() > deadline:
            return left
        time.sleep(1)


def drift(samples: list[Sample], name: str) -> float:
    """How much a straight line through the counts rises over all the time, against their mean."""
    minutes, values = [sample.minutes for sample in samples], [sample.values[name] for sample in samples]
    slope = statistics.linear_regression(minutes, values).slope
    return slope * (minutes[-1] - minutes[0]) / max(statistics.mean(values), 1e-9)


def peak(samples: list[Sample], name: str) -> float:
    """The largest count of the second half, against that of the first."""
    values = [sample.values[name] for sample in samples]
    half = len(values) // 2
    return max(values[half:]) / max(*values[:half], 1e-9)


def shown(name: str, value: float) -> str:
    return mb(value) if "bytes" in name or name == "RSS" else number(value)


def percent(share: float) -> str:
    return f"{100 * share:+.1f} %"


# --- what is published ---


class Updates:
    """A publisher of endless experiments: each batch is of one environment, in turn."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._number = 0
        self._applied = 0
        self._runs: deque[tuple[float, str]] = deque()
        self._next_run = 0.0
        self._closing: deque[tuple[str, str]] = deque()
        self._lengths: dict[tuple[str, str], int] = {}
        self._images = [image("image", 48, seed) for seed in range(8)]
        self._long_line = line("long", 2)
        self._bounded = [line(f"line-{n}", 2, max_points=500) for n in range(4)]
        self._log = made_by("text", "begin", win="log", opts={"max_lines": 100})
        self._window = text("closed", 3)

    def batches(self) -> Iterator[list[tuple[str, Any]]]:
        """Messages as ``/transport/publish`` takes them: endpoint and body."""
        size = RATE_PER_S // BATCHES_PER_S
        while True:
            self._number += 1
            yield [self._placed(message, ENVIRONMENTS[self._number % len(ENVIRONMENTS)]) for message in self._batch(size)]

    def _batch(self, size: int) -> list[tuple[Message, str | None]]:
        """Messages, and the window each goes to if it is not its own."""
        eid = ENVIRONMENTS[self._number % len(ENVIRONMENTS)]
        length = self._lengths.get((eid, "long"), 0)
        batch: list[tuple[Message, str | None]] = []
        if not length:
            batch += [(message, None) for message in (*self._bounded, self._log)]
        if length == 0 or length > 2_000:
            batch.append((self._long_line, None))
            length = 0
        new = f"closed-{self._number}"
        self._closing.append((eid, new))
        batch += [(self._window, new), (self._rng.choice(self._images), None), (text("text", 2), None)]
        if len(self._closing) > 5 * len(ENVIRONMENTS):
            batch.append((Message("/close", json.dumps({}).encode()), self._closing.popleft()[1]))
        growing = 5
        batch += [(point("long", length + n, n), None) for n in range(growing)]
        batch += [(text_line("log"), None)] * 5
        while len(batch) < size:
            batch.append((point(f"line-{len(batch) % 4}", self._number + len(batch) / size, self._rng.random()), None))
        self._lengths[eid, "long"] = length + growing
        return batch

    @staticmethod
    def _placed(placed: tuple[Message, str | None], eid: str) -> tuple[str, Any]:
        message, win = placed
        body = json.loads(message.body) | {"eid": eid}
        return message.path.removeprefix("/"), body | {"win": win} if win is not None else body

    def post(self, server: Server, batch: list[tuple[str, Any]], now: float) -> None:
        """Send a batch; of every fifth, one message goes the way Visdom's own client sends it. Environments come and go."""
        if self._number % 5 == 0:
            endpoint, body = batch.pop()
            server.post(f"/{endpoint}", json.dumps(body).encode())
        messages = [{"endpoint": endpoint, "body": body} for endpoint, body in batch]
        request = {"producer": "soak", "first": self._applied + 1, "messages": messages}
        reply = json.loads(server.post("/transport/publish", json.dumps(request).encode()))
        self._applied += len(messages)
        if reply["applied"] != self._applied or reply["refused"]:
            raise BenchError(f"{self._applied} were published: {reply}")
        if now >= self._next_run:
            self._next_run = now + 2
            eid = f"run-{self._number}"
            self._runs.append((now, eid))
            for message in (*self._bounded, self._images[0]):
                server.post(message.path, json.dumps(json.loads(message.body) | {"eid": eid}).encode())
        if self._runs and now - self._runs[0][0] > RUN_LIVES_S:
            server.post("/delete_env", json.dumps({"eid": self._runs.popleft()[1]}).encode())


# --- who watches ---


class Crowd(Program):
    """The clients, in a process of their own (`processes/crowd.py`)."""

    def __init__(self, server: Server) -> None:
        super().__init__("crowd", str(server.port), str(SEED), *ENVIRONMENTS, who="the crowd", answer_within_s=60)

    def count(self) -> dict[str, Any]:
        counts: dict[str, Any] = self.ask("count")
        return counts

    def leave(self) -> dict[str, Any]:
        counts: dict[str, Any] = self.ask("leave")
        return counts
