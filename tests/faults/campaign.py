"""Many schedules, in several processes: what they found, made small, with the command that shows it again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import queue
import signal
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

from tests.faults.schedule import Schedule, generate
from tests.faults.shrink import shrink
from tests.faults.stage import Violation
from tests.faults.world import Outcome, World
from tests.support.browser import Browser

PLAY_TIMEOUT_S = 180.0
"""A schedule that is not over by then has found something that hangs."""
SCHEDULES_PER_SERVER = 50
REPRODUCE = "python -m tests.faults --replay"


@dataclass
class Options:
    """How schedules are played."""

    plant: str | None = None
    tab: bool = False
    shrink_s: float = 60.0
    keep: Path = Path("artifacts/faults")
    """Where schedules that failed are kept."""


@dataclass
class Result:
    """What became of one schedule, as it is recorded."""

    seed: int
    seconds: float
    members: int
    steps: int
    violations: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    again: bool | None = None
    """Whether it failed when it was played again."""
    kept: str | None = None
    """The file of the smallest schedule that still fails."""

    @classmethod
    def of(cls, outcome: Outcome) -> Result:
        schedule = outcome.schedule
        return cls(
            schedule.seed,
            round(outcome.seconds, 3),
            len(schedule.cast),
            len(schedule.steps),
            [str(violation) for violation in outcome.violations],
            dict(outcome.faults),
            dict(outcome.counts),
            dict(Counter(member.kind for member in schedule.cast)),
        )


class Player:
    """Plays schedules in this process, and begins with a new server after each that failed."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._stack = contextlib.AsyncExitStack()
        self._world: World | None = None
        self._played = 0
        self._directory = tempfile.TemporaryDirectory(prefix="faults-")
        self._browser: Browser | None = None
        self._log = ""
        """The end of the log of the server that was given up last."""

    async def __aenter__(self) -> Player:
        if self.options.tab:
            self._browser = Browser(Path(self._directory.name))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end_world()
        if self._browser is not None:
            self._browser.driver.quit()
        self._directory.cleanup()

    async def play(self, schedule: Schedule) -> Outcome:
        """Play a schedule; what is left over from it on the server counts too, each time the server is given up."""
        try:
            world = await self._begin_world()
        except AssertionError:  # on a machine that is very busy, a server may not be there in time
            world = await self._begin_world()
        self._played += 1
        try:
            async with asyncio.timeout(PLAY_TIMEOUT_S):
                outcome = await world.play(schedule)
        except Exception:
            outcome = Outcome(schedule, [Violation("suite", traceback.format_exc(limit=-5))], PLAY_TIMEOUT_S)
        if self._played >= SCHEDULES_PER_SERVER and not outcome.violations:
            left = await world.check_empty()
            outcome.violations += [left] if left is not None else []
            await self._end_world()
        if outcome.violations:
            self._log = world.server.log_tail(500)
            await self._end_world()
        return outcome

    async def finish(self) -> Violation | None:
        """Nobody must be left when everybody is gone."""
        return await self._world.check_empty() if self._world is not None else None

    async def examine(self, schedule: Schedule) -> Result:
        """Play a schedule, and make it small if it fails."""
        outcome = await self.play(schedule)
        result = Result.of(outcome)
        if outcome.violations:
            self.options.keep.mkdir(parents=True, exist_ok=True)
            (self.options.keep / f"{schedule.seed}.log").write_text("\n".join([*result.violations, "", self._log]))
        if outcome.violations and self.options.shrink_s > 0:
            invariants = {violation.invariant for violation in outcome.violations}

            async def fails(candidate: Schedule) -> bool:
                again = await self.play(candidate)
                return any(violation.invariant in invariants for violation in again.violations)

            result.again = await fails(schedule)
            if result.again:
                schedule = await shrink(schedule, fails, self.options.shrink_s)
        if outcome.violations:
            kept = self.options.keep / f"{schedule.seed}.json"
            schedule.save(kept)
            result.kept = str(kept)
        return result

    async def _begin_world(self) -> World:
        if self._world is None:
            directory = Path(tempfile.mkdtemp(dir=self._directory.name))
            world = World(directory, plant=self.options.plant, browser=self._browser)
            self._world = await self._stack.enter_async_context(world)
            self._played = 0
        return self._world

    async def _end_world(self) -> None:
        await self._stack.aclose()
        self._world = None


def run(schedules: Iterable[Schedule], options: Options) -> Generator[Result, None, None]:
    """Play schedules one after the other, in this process."""
    with asyncio.Runner() as runner:
        player = runner.run(Player(options).__aenter__())
        try:
            last: Result | None = None
            for schedule in schedules:
                if last is not None:
                    yield last
                last = runner.run(player.examine(schedule))
            left = runner.run(player.finish())
            if last is not None:
                last.violations += [str(left)] if left is not None else []
                yield last
        finally:
            runner.run(player.__aexit__())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGINT)


def _work(seeds: Any, results: Any, options: Options) -> None:
    """A process of its own: takes seeds until there is none, or nobody who wants to know."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def schedules() -> Iterator[Schedule]:
        while (seed := seeds.get()) is not None:
            yield generate(seed, tab=options.tab)

    try:
        for result in run(schedules(), options):
            results.put(result)
    except BaseException:
        results.put(traceback.format_exc())
        raise


def run_many(seeds: Iterable[int], options: Options, jobs: int) -> Iterator[Result]:
    """Play the schedules of the seeds in so many processes, and yield what became of each as it is known."""
    context = multiprocessing.get_context("spawn")
    waiting, results = context.Queue(), context.Queue()
    count = 0
    for seed in seeds:
        waiting.put(seed)
        count += 1
    workers = [context.Process(target=_work, args=(waiting, results, options), daemon=True) for _ in range(jobs)]
    for worker in workers:
        waiting.put(None)
        worker.start()
    try:
        for _ in range(count):
            yield _next(results, workers)
    finally:
        for worker in workers:
            worker.join(10)
            if worker.is_alive():
                worker.terminate()


def _next(results: Any, workers: list[Any]) -> Result:
    while True:
        try:
            result = results.get(timeout=5)
        except queue.Empty:
            if not any(worker.is_alive() for worker in workers):
                raise RuntimeError("the processes that play have ended") from None
            continue
        if isinstance(result, str):
            raise RuntimeError(f"a process that plays has failed:\n{result}")
        assert isinstance(result, Result)
        return result


def record(result: Result, path: Path | None) -> None:
    """Add a line to the record, so that what is known survives an interrupted run."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps({"at": round(time.time()), **asdict(result)}) + "\n")


def recorded(path: Path) -> list[Result]:
    """The results of a record."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [Result(**{name: value for name, value in line.items() if name != "at"}) for line in lines]


def summary(results: list[Result]) -> str:
    """What a run did and found."""
    if not results:
        return "nothing was played"
    faults, kinds, counts = Counter[str](), Counter[str](), Counter[str]()
    for result in results:
        faults.update(result.faults)
        kinds.update(result.kinds)
        counts.update(result.counts)
    failed = [result for result in results if result.violations]
    members = [result.members for result in results]
    lines = [
        f"{len(results)} schedules, {sum(result.steps for result in results)} steps, {len(failed)} failed",
        f"clients: {sum(members)} ({min(members)} to {max(members)} a schedule): {_listed(kinds)}",
        f"faults: {_listed(faults)}",
        f"seen: {_listed(counts)}",
    ]
    for result in failed:
        again = {True: ", and again", False: ", but not again", None: ""}[result.again]
        lines.append(f"seed {result.seed}{again}: {'; '.join(result.violations)}")
        if result.kept:
            lines.append(f"    {REPRODUCE} {result.kept}")
    return "\n".join(lines)


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


# --- mistakes that must be found ---


@dataclass
class Find:
    """How a planted mistake was found; `result` is None if it was not."""

    plant: str
    schedules: int
    seconds: float
    result: Result | None

    def __str__(self) -> str:
        if self.result is None:
            return f"| {self.plant} | **not found** in {self.schedules} | {self.seconds:.0f} s | |"
        first = self.result.violations[0]
        return f"| {self.plant} | {self.schedules} | {self.seconds:.0f} s | {first[:150].replace('|', '/')} |"


FIND_HEAD = "| planted | schedules until found | in | found as |\n|---|---|---|---|"


def find(plant: str, seed: int, most: int, keep: Path) -> Find:
    """Play schedules on a server or with clients that have the mistake, until one fails."""
    began = time.monotonic()
    playing = run((generate(each) for each in range(seed, seed + most)), Options(plant, shrink_s=0.0, keep=keep))
    with contextlib.closing(playing):
        for number, result in enumerate(playing, 1):
            if result.violations:
                return Find(plant, number, time.monotonic() - began, result)
    return Find(plant, most, time.monotonic() - began, None)


def find_many(plants: Iterable[str], seed: int, most: int, keep: Path, jobs: int) -> Iterator[Find]:
    """`find` for each, in so many processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield from pool.map(find, plants, repeat(seed), repeat(most), repeat(keep))
