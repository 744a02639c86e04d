"""The results as text for a terminal, and as a Markdown page with charts."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from .result import Result, Table, Target, number

INTRODUCTION = """
# Benchmarks

Stock Visdom and this package, side by side on one machine. `python -m bench`, from the root of the repository, measures all of it
and writes this page (`--help` tells the rest). It needs Visdom and this package with an extra: `pip install '.[visdom,bench]'`.

Contenders take turns, in several rounds, and medians are compared. **The ratios are the result**: absolute numbers belong to the
machine, and even CPU time depends on what else it does. Stock is the same installed Visdom, in the same interpreter, with
`VISDOM_TRANSPORT=0`.
"""


def text_table(table: Table) -> str:
    """A table with aligned columns."""
    rows = [list(table.columns), *map(list, table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.columns))]
    pairs = [list(zip(row, widths, strict=True)) for row in rows]
    lines = [
        "  ".join(cell.rjust(width) if index else cell.ljust(width) for index, (cell, width) in enumerate(row)) for row in pairs
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def markdown_table(table: Table) -> str:
    """A table of numbers: all columns but the first are aligned to the right."""
    head = f"| {' | '.join(table.columns)} |\n|---|{'---:|' * (len(table.columns) - 1)}\n"
    return head + "\n".join(f"| {' | '.join(row)} |" for row in table.rows) + "\n"


def target_table(targets: Sequence[Target]) -> Table:
    """What was promised beside what was measured."""
    rows = [
        [
            target.what,
            f"{number(target.measured)}{target.unit}",
            f"{'at least' if target.at_least else 'at most'} {number(target.limit)}{target.unit}",
            "met" if target.met else "MISSED",
        ]
        for target in targets
    ]
    return Table(["target", "measured", "promised", ""], rows)


def machine() -> list[str]:
    """What the numbers were measured with."""
    names = ["visdom", "tornado", "orjson", *(["uvloop"] if find_spec("uvloop") is not None else [])]
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    return [
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, {packages}.",
        f"Load average at the start {', '.join(f'{load:.1f}' for load in os.getloadavg())}.",
    ]


def page(
    results: Mapping[str, tuple[str, Result]], charts: Mapping[str, Path], out: Path, *, about: Sequence[str], quick: bool
) -> str:
    """The Markdown page. ``results`` holds the docstring and the result of each benchmark, ``charts`` the files drawn."""
    targets = [target for _, result in results.values() for target in result.targets]
    parts = [INTRODUCTION, " ".join([*about, f"{datetime.now(UTC):%Y-%m-%d}."])]
    if quick:
        parts.append("**A quick run**: fewer rounds and smaller sizes than the promises are about.")
    parts += ["## Promises", markdown_table(target_table(targets))]
    for name, (doc, result) in results.items():
        title, _, body = doc.strip().partition("\n")
        parts += [f"## {title.rstrip('.')}", body.strip()]
        parts += [markdown_table(table) for table in result.tables]
        parts += result.notes
        if name in charts:
            parts.append(f"![{title.rstrip('.')}]({charts[name].relative_to(out.parent).as_posix()})")
    return "\n\n".join(part.strip() for part in parts) + "\n"
