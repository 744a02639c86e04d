"""Appends to two lines that hold as many points as they may, or as many as each other: one against the other."""

from __future__ import annotations

from collections.abc import Callable

from .measure import Bench, Samples, cpu_per_call
from .result import Bars, Result, Table, Target, ms, number, times
from .servers import Server
from .subscriber import OwnSubscriber

WATCHERS = ("nobody", "a page")


def measure(bench: Bench, server: Server, append: dict[str, Callable[[], None]], rounds: int, counts: tuple[int, int]) -> Samples:
    """CPU time of the server for an append to each line, and bytes that a page receives.

    Args:
        append: what appends to a line, by its name.
        counts: how many appends make a sample: with nobody watching, and with one page, which has received each before the next.
    """
    samples = Samples()
    for _ in bench.rounds(rounds, quick=max(1, rounds // 3)):
        for line, post in append.items():
            samples.add(cpu_per_call(server, post, counts[0]), line, "nobody")
    page = OwnSubscriber(server)
    page.connect()
    for _ in bench.rounds(rounds, quick=max(1, rounds // 3)):
        for line, post in append.items():

            def seen(post: Callable[[], None] = post) -> None:
                post()
                page.take_batch()

            before = page.received_bytes
            samples.add(cpu_per_call(server, seen, counts[1]), line, "a page")
            samples.add((page.received_bytes - before) / counts[1], line, "bytes")
    return samples


def compare(samples: Samples, line: str, against: str, *, promise: str, most: float, title: str) -> Result:
    """The table, targets and chart of two lines. ``promise`` has a place for who watches: `{watcher}`."""
    ratios = {watcher: samples.median(line, watcher) / samples.median(against, watcher) for watcher in WATCHERS}
    rows = [
        [watcher, ms(samples.median(against, watcher)), ms(samples.median(line, watcher)), times(ratio)]
        for watcher, ratio in ratios.items()
    ]
    less, more = samples.median(against, "bytes"), samples.median(line, "bytes")
    rows.append(["a page: bytes per append", number(less), number(more), times(more / less)])
    return Result(
        tables=[Table(["watched by", against, line, f"{line} / {against}"], rows)],
        targets=[Target(promise.format(watcher=watcher), ratio, most, "x") for watcher, ratio in ratios.items()],
        chart=Bars(
            title,
            "server CPU, ms",
            {f"{name}, {watcher}": samples.median(name, watcher) * 1000 for watcher in WATCHERS for name in (against, line)},
        ),
    )
