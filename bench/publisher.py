"""What a training loop pays for a call that publishes.

A loop appends one point per step to one of ten lines of 1,000 points, and works in between (a product of two small matrices).
Three clients take turns in one process: Visdom's own, the publisher, and Visdom's own with `send=False`, which makes the message
and posts nothing. What the publisher costs is its time less that. It is measured with a server that serves, one that is frozen
(SIGSTOP: it accepts and does not answer), and one that is gone; Visdom's own client only with the first.

A busy machine takes the processor from any loop for longer than a call lasts. So beside the times by the clock there is the time
of the calls in which the loop's thread gave the processor up itself, to wait for a lock or a socket; others count as 0 there.

Calls per second are counted without the work in between; the publisher's until the server has applied the last one.
"""

from __future__ import annotations

import logging
import os
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from resource import RUSAGE_THREAD, getrusage
from typing import Any, TypeAlias

import numpy as np
from visdom import Visdom

from visdom_transport.client import Publisher

from .support.measure import Bench, Samples, percentile
from .support.result import Bars, Result, Table, Target, ms, number, times
from .support.servers import Server

KINDS = ("nothing sent", "publisher", "stock")
STATES = ("serves", "frozen", "gone")


def run(bench: Bench) -> Result:
    warnings.simplefilter("ignore", DeprecationWarning)
    for name in ("visdom", "visdom_transport.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    steps = 1_000 if bench.quick else 4_000
    taken: dict[tuple[str, str], list[Call]] = {}
    with Server("ours") as ours:
        floor, publisher, stock = clients(ours)
        for state in STATES:
            bench.say(f"steps while the server {'is ' if state != 'serves' else ''}{state}")
            switch(ours, state)
            loops: dict[str, Append] = {"nothing sent": append_to(floor), "publisher": append_to(publisher)}
            if state == "serves":
                loops["stock"] = append_to(stock)
            for label, each in timed(loops, steps).items():
                taken[label, state] = each
            if state == "frozen":
                os.kill(ours.pid, signal.SIGCONT)
                publisher.flush(60)
        counters = publisher.counters
    rates = calls_per_second(bench)
    rows = []
    for (label, state), each in taken.items():
        clock = [call.seconds for call in each]
        waits = [call.waited_s for call in each]
        rows.append(
            [
                label,
                state,
                *(ms(percentile(clock, share)) for share in (0.5, 0.99, 0.999)),
                ms(percentile(waits, 0.999)),
                ms(max(waits)),
            ]
        )
    cost_us = max(1e6 * (median(taken["publisher", state]) - median(taken["nothing sent", state])) for state in STATES)
    waited_ms = 1000 * max(percentile([call.waited_s for call in taken["publisher", state]], 0.999) for state in STATES)
    rate = rates.median("publisher") / rates.median("stock")
    rate_rows = [[label, number(rates.median(label)), times(rates.median(label) / rates.median("stock"))] for label in KINDS[1:]]
    return Result(
        tables=[
            Table(["client", "server", "median call", "99 %", "99.9 %", "99.9 % wait", "longest wait"], rows),
            Table(["client", "appends per second", "against stock"], rate_rows),
        ],
        targets=[
            Target("median cost of a call, less making the message", cost_us, 50, " us"),
            Target("99.9 % of the publisher's calls wait, whatever the server does", waited_ms, 5, " ms"),
            Target("calls lost while the server was gone", counters.dropped, 0),
            Target("appends per second, publisher against stock", rate, 50, "x", at_least=True),
        ],
        chart=Bars("A call that appends a point", "ms (median)", chart(taken), log=True),
    )


def clients(server: Server) -> tuple[Any, Any, Any]:
    """One that sends nothing, the publisher, and Visdom's own."""
    where: dict[str, Any] = {"server": "http://127.0.0.1", "port": server.port, "use_incoming_socket": False}
    publisher = Publisher(**where, env="publisher", exit_timeout_s=0)
    return Visdom(**where, send=False), publisher, Visdom(**where, env="stock", raise_exceptions=True)


@dataclass(frozen=True, slots=True)
class Call:
    """How long a call took, by the clock and, if it waited for another thread or process, once more; in seconds."""

    seconds: float
    waited_s: float
    cpu_s: float
    """Of the loop's thread."""


Append: TypeAlias = Callable[[int], Call]


def append_to(vis: Any) -> Append:
    """What appends a step's point. Makes the lines first."""
    start = np.arange(-1_000, 0)
    for line in range(10):
        vis.line(X=start, Y=start / 3, win=f"loss {line}", name="train", opts={"title": "Loss", "xlabel": "step"})

    def append(step: int) -> Call:
        x, y = np.array([step]), np.array([step / 3])
        switches = getrusage(RUSAGE_THREAD).ru_nvcsw
        began, cpu_s = time.perf_counter(), time.thread_time()
        vis.line(X=x, Y=y, win=f"loss {step % 10}", update="append", name="train", opts={"title": "Loss", "xlabel": "step"})
        seconds, cpu_s = time.perf_counter() - began, time.thread_time() - cpu_s
        return Call(seconds, seconds if getrusage(RUSAGE_THREAD).ru_nvcsw > switches else 0.0, cpu_s)

    return append


def median(calls: list[Call]) -> float:
    return percentile([call.seconds for call in calls], 0.5)


def timed(loops: dict[str, Append], steps: int) -> dict[str, list[Call]]:
    """How long each call took. The loops take turns at each step, and work in between."""
    taken: dict[str, list[Call]] = {label: [] for label in loops}
    weights = np.random.default_rng(0).random((200, 200))
    for step in range(steps):
        for label, append in loops.items():
            if label != "stock" or step % 10 == 0:
                taken[label].append(append(step))
        weights = weights @ weights
        weights /= weights.max()
    return taken


def switch(server: Server, state: str) -> None:
    """Freeze or kill the server."""
    if state == "frozen":
        os.kill(server.pid, signal.SIGSTOP)
    elif state == "gone":
        os.kill(server.pid, signal.SIGKILL)


def calls_per_second(bench: Bench) -> Samples:
    """Appends per second by client, until the server has them."""
    rates = Samples()
    with Server("ours") as ours, Server("stock") as plain:
        publisher, stock = clients(ours)[1], clients(plain)[2]
        calls = {"publisher": 5_000, "stock": 100}
        loops = (("publisher", publisher, append_to(publisher)), ("stock", stock, append_to(stock)))
        for _ in bench.rounds(5, quick=2):
            for label, vis, append in loops:
                began = time.perf_counter()
                for step in range(calls[label]):
                    append(step)
                if label == "publisher":
                    vis.flush(60)
                rates.add(calls[label] / (time.perf_counter() - began), label)
        publisher.finish(60)
    return rates


def chart(taken: dict[tuple[str, str], list[Call]]) -> dict[str, float]:
    return {f"{label}, {state}": 1000 * median(each) for (label, state), each in taken.items()}
