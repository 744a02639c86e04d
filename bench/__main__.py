"""Run stock Visdom and ours side by side, print what comes out, and write it to a Markdown page with charts."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

PAGE = Path(f"docs/reports/{time.strftime('%Y-%m-%d')}/benchmarks.md")

BUDGETS_S = {
    "append": 80,
    "text": 40,
    "sliding": 50,
    "overview": 60,
    "images": 60,
    "fanout": 210,
    "idle": 120,
    "scrape": 120,
    "stalled": 100,
    "reconnect": 40,
    "opening": 60,
    "ghosts": 40,
    "startup": 40,
    "publisher": 60,
    "outbox": 60,
    "journal": 240,
    "callbacks": 120,
}
"""The benchmarks, and for how long each begins new rounds."""

ON_REQUEST_S = {
    "browser": 400,
    "freshness": 200,
    "viewing": 600,
    "soak": 1_800,
    "outbox_memory": 900,
    "relays": 400,
    "relay_dies": 200,
}
"""Only with `--only`: these need a browser, or a quarter of an hour and more."""

QUICK_BUDGET_S = 7


def title(name: str) -> str:
    """The first line of a benchmark's docstring, read without importing what it needs."""
    source = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return source.partition('"""')[2].partition("\n")[0]


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="The exit status is 1 when a promise is not kept. Progress goes to stderr, results to stdout.",
    )
    arguments.add_argument("--list", action="store_true", help="name the benchmarks and end")
    names = BUDGETS_S | ON_REQUEST_S
    arguments.add_argument(
        "--only", action="append", choices=names, metavar="NAME", help="run only this benchmark (may be repeated)"
    )
    arguments.add_argument("--minutes", type=float, help="the time for each benchmark, instead of its own")
    arguments.add_argument("--quick", action="store_true", help="less than 3 minutes instead of 20: fewer rounds, smaller sizes")
    arguments.add_argument(
        "--out", type=Path, help=f"the page to write, with charts in a folder of its name; default {PAGE}, if all is run in full"
    )
    return arguments


def main() -> int:
    """Run what the command line asks for. Returns the exit status."""
    options = parser().parse_args()
    if options.list:
        for name in BUDGETS_S | ON_REQUEST_S:
            print(f"{name:13} {title(name)}")
        return 0
    try:
        from .support import plots, report
        from .support.measure import Bench
        from .support.result import Result
    except ImportError as error:
        print(f"{error}. Install this package with its extras: pip install '.[visdom,bench]'", file=sys.stderr)
        return 2
    budgets_s = BUDGETS_S | ON_REQUEST_S
    names = [name for name in budgets_s if name in (options.only or BUDGETS_S)]
    out: Path | None = options.out or (PAGE if names == list(BUDGETS_S) and not options.quick else None)
    about = report.machine()
    print(" ".join(about), file=sys.stderr)
    results: dict[str, tuple[str, Result]] = {}
    began = time.monotonic()
    for index, name in enumerate(names, 1):
        print(f"[{index}/{len(names)}] {title(name)}", file=sys.stderr)
        module = importlib.import_module(f"bench.{name}")
        budget_s = QUICK_BUDGET_S if options.quick else budgets_s[name]
        if options.minutes is not None:
            budget_s = 60 * options.minutes
        result: Result = module.run(Bench(name, options.quick, budget_s))
        results[name] = (module.__doc__ or "", result)
        for table in [*result.tables, report.target_table(result.targets)]:
            print(f"\n{report.text_table(table)}")
        print(flush=True)
    targets = [target for _, result in results.values() for target in result.targets]
    missed = [target for target in targets if not target.met]
    print(f"{len(targets) - len(missed)} of {len(targets)} promises kept, in {time.monotonic() - began:.0f} s.")
    for target in missed:
        print(f"missed: {report.target_table([target]).rows[0]}")
    if out is not None:
        folder = out.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        charts = {}
        for name, (_, result) in results.items():
            if result.chart is not None:
                charts[name] = folder / f"{name}.svg"
                plots.draw(result.chart, charts[name])
        out.write_text(report.page(results, charts, out, about=about, quick=options.quick), encoding="utf-8")
        print(f"written: {out}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
