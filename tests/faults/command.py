"""The command: plays schedules of faults and says what they found."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.faults.beside import compare
from tests.faults.campaign import FIND_HEAD, Options, Result, find_many, record, recorded, run, run_many, summary
from tests.faults.plants import PLANTS
from tests.faults.schedule import Schedule, generate

DESCRIPTION = """
Plays schedules of faults: a real server, 20 to 50 real clients, proxies that cut, swallow, delay and reorder, fronts
that answer in the server's place, and a server that is stopped, killed, out of disk, on an odd file system, or whose clock
jumps. Each is checked against the invariants. Exit status 1: something was found.

    python -m tests.faults --schedules 100            the schedules of the seeds 0 to 99
    python -m tests.faults --replay 17                the schedule of one seed
    python -m tests.faults --replay FILE              a schedule that was kept
    python -m tests.faults --print 17                 what a schedule is made of
    python -m tests.faults --stock --schedules 10     what stock Visdom does on the same schedules
    python -m tests.faults --planted                  that mistakes, built into the server, are found
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schedules", type=int, default=100, metavar="N", help="how many (default: 100)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the seed of the first (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes side by side (default: 2)")
    parser.add_argument("--tab", action="store_true", help="a real Chromium takes part")
    parser.add_argument("--replay", metavar="SEED|FILE", help="play one schedule")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="with --replay: so often")
    parser.add_argument("--print", metavar="SEED", type=int, dest="shown", help="print a schedule as JSON")
    parser.add_argument("--plant", metavar="NAME", choices=PLANTS, help="build a mistake in first (see --planted)")
    parser.add_argument(
        "--planted",
        nargs="*",
        metavar="NAME",
        choices=PLANTS,
        help=f"prove that mistakes are found, all or some of {', '.join(PLANTS)}",
    )
    parser.add_argument("--stock", action="store_true", help="a table of stock Visdom beside ours on the same schedules")
    parser.add_argument("--shrink", type=float, default=60.0, metavar="SECONDS", help="spent on making a failing schedule small")
    parser.add_argument("--keep", type=Path, default=Options.keep, metavar="DIR", help=f"for failing schedules ({Options.keep})")
    parser.add_argument("--record", type=Path, metavar="FILE", help="add each result as a line of JSON")
    parser.add_argument("--summarise", type=Path, nargs="+", metavar="FILE", help="summarise records, and play nothing")
    arguments = parser.parse_args()
    if arguments.shown is not None:
        print(generate(arguments.shown, tab=arguments.tab).to_json(), end="")
        return 0
    if arguments.summarise:
        results = [result for path in arguments.summarise for result in recorded(path)]
        print(summary(results))
        return int(any(result.violations for result in results))
    if arguments.stock:
        print(compare(range(arguments.seed, arguments.seed + arguments.schedules)))
        return 0
    if arguments.planted is not None:
        return _prove(arguments.planted or list(PLANTS), arguments)
    options = Options(arguments.plant, arguments.tab, arguments.shrink, arguments.keep)
    began = time.monotonic()
    if arguments.replay:
        options.shrink_s = 0.0
        results = list(_told(run([_schedule(arguments.replay, arguments.tab)] * arguments.times, options), arguments.times))
    else:
        seeds = range(arguments.seed, arguments.seed + arguments.schedules)
        playing = run_many(seeds, options, arguments.jobs)
        results = []
        for result in _told(playing, len(seeds)):
            record(result, arguments.record)
            results.append(result)
    print(summary(results))
    print(f"{time.monotonic() - began:.0f} s")
    return int(any(result.violations for result in results))


def _prove(plants: list[str], arguments: argparse.Namespace) -> int:
    """Every planted mistake must be found within the schedules given."""
    print(FIND_HEAD)
    missed = 0
    for found in find_many(plants, arguments.seed, arguments.schedules, arguments.keep / "planted", arguments.jobs):
        print(found, flush=True)
        missed += found.result is None
    return int(missed > 0)


def _schedule(named: str, tab: bool) -> Schedule:
    return generate(int(named), tab=tab) if named.isdecimal() else Schedule.from_json(Path(named).read_text())


def _told(results: Iterable[Result], count: int) -> Iterator[Result]:
    """Say on the way how far it is."""
    began = time.monotonic()
    failed = 0
    for number, result in enumerate(results, 1):
        failed += bool(result.violations)
        for violation in result.violations:
            print(f"\nseed {result.seed}: {violation}", file=sys.stderr)
        rate = number / (time.monotonic() - began)
        print(f"\r{number} of {count}, {failed} failed, {rate:.2f} a second ", end="", file=sys.stderr, flush=True)
        yield result
    print(file=sys.stderr)
