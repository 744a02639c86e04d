"""Stock Visdom beside ours, on the same schedules: what each lost, doubled, left stale and leaked."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.faults.own import OwnClient
from tests.faults.publishing import Producer
from tests.faults.schedule import Schedule, generate
from tests.faults.stage import SETTINGS, Stage
from tests.faults.stock import StockClient
from tests.faults.world import Outcome, World

SETTLE_S = 3 * SETTINGS["dead_after_s"]
"""Healed, everybody has so long to catch up by himself."""
GONE_S = SETTINGS["dead_after_s"] + SETTINGS["grace_s"] + 3.0
"""When all clients are gone, the server has so long to notice."""

OURS = {
    "stock-socket": "own-socket",
    "stock-poll": "own-poll",
    "stock-source-socket": "source-socket",
    "stock-source-poll": "source-poll",
    "poster": "publisher",
}
"""The client of ours that does the same."""


@dataclass(frozen=True)
class Way:
    name: str
    stock_server: bool
    own_clients: bool


WAYS = (
    Way("stock Visdom, its own clients", True, False),
    Way("this package, the same clients", False, False),
    Way("this package, its clients", False, True),
)
COLUMNS = {
    "points": "points published",
    "lost": "points lost",
    "doubled": "points doubled",
    "clicks": "clicks",
    "clicks lost": "clicks lost",
    "clicks doubled": "clicks doubled",
    "unseen": "clicks a source missed, unannounced",
    "pages": "pages",
    "stale": "pages left stale",
    "leaked": "sessions leaked",
}


def compare(seeds: Iterable[int]) -> str:
    """Play the schedules of the seeds in each way. Returns a table."""
    seeds = list(seeds)
    lines = [f"| | {' | '.join(COLUMNS.values())} |", f"|---|{'---|' * len(COLUMNS)}"]
    for way in WAYS:
        measured = asyncio.run(_measure_all(way, seeds))
        lines.append(f"| {way.name} | {' | '.join(str(measured[column]) for column in COLUMNS)} |")
    return "\n".join(lines)


async def _measure_all(way: Way, seeds: list[int]) -> Counter[str]:
    total: Counter[str] = Counter()
    for seed in seeds:
        schedule = generate(seed, stock_only=True)
        with tempfile.TemporaryDirectory(prefix="beside-") as directory:
            async with World(Path(directory), stock=way.stock_server) as world:
                outcome = await play(world, own(schedule) if way.own_clients else schedule, total)
                total["refused"] += outcome.counts["posts refused"]
                await asyncio.sleep(GONE_S)
                total["leaked"] += await world.sessions()
    return total


async def play(world: World, schedule: Schedule, total: Counter[str]) -> Outcome:
    async def measure(stage: Stage, members: dict[int, Any]) -> None:
        await asyncio.gather(*(each.finish(SETTLE_S) for each in members.values() if isinstance(each, Producer)))
        await asyncio.sleep(SETTLE_S)
        truth = await world.truth(stage)
        total.update(_measures(members, truth.windows))

    # Stock's handlers fail where the environment, or the window that is clicked, is not there.
    await world.prepare(*(f"page{member.id}" for member in schedule.cast))
    return await world.play(schedule, settle=measure, begin_s=1.0)


def own(schedule: Schedule) -> Schedule:
    """The same schedule, with our client in the place of each of stock's."""
    return replace(schedule, cast=tuple(replace(member, kind=OURS[member.kind]) for member in schedule.cast))


def _measures(members: dict[int, Any], windows: Mapping[str, Any]) -> Counter[str]:
    measured: Counter[str] = Counter()
    clients = [each for each in members.values() if isinstance(each, StockClient | OwnClient)]
    for producer in members.values():
        if isinstance(producer, Producer):
            measured["points"] += producer.points
            measured.update(producer.tally(windows))
    for client in clients:
        if client.shown is not None:
            measured["pages"] += 1
            measured["stale"] += client.shown != windows
            measured["clicks"] += client.clicks
    # Clicks that reached no source at all are lost; those that reached one, but not another, that other has missed.
    read = {client.id: Counter(client.clicks_read()) for client in clients if client.shown is None}
    anybody = set().union(*read.values())
    measured["clicks lost"] = measured["clicks"] - len(anybody)
    measured["clicks doubled"] = sum(count - 1 for counter in read.values() for count in counter.values())
    for client in clients:
        if client.id in read:
            measured["unseen"] += max(0, len(anybody) - len(read[client.id]) - client.announced)
    return measured
