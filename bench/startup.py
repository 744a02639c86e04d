"""What the line in the .pth file costs every start of Python.

`python -c pass` in two empty virtual environments that find this package, one with the line and one without, in turns: CPU time
of the process, and wall time. Beside it what Python itself says the import of `visdom_transport.hook` takes (`-X importtime`),
the median of several runs. Checked as well: nothing heavy is in `sys.modules` afterwards.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import tempfile
import time
import venv
from pathlib import Path

import visdom_transport

from .support.measure import Bench, Samples
from .support.result import Bars, Result, Table, Target, ms
from .support.servers import BenchError

LINE = "import visdom_transport.hook; visdom_transport.hook.install()\n"
HEAVY = ("tornado", "visdom", "numpy", "orjson", "asyncio", "importlib.metadata")


def run(bench: Bench) -> Result:
    starts = 40 if bench.quick else 200
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="visdom-bench-") as directory:
        pythons = {name: make_environment(Path(directory) / name, with_line=name == "with") for name in ("with", "without")}
        for python in pythons.values():
            start(python)
        for _ in bench.rounds(5):
            # Alternately, because whatever else the machine does changes by the second; and in the other order each time.
            for number in range(starts // 5):
                for name in sorted(pythons, reverse=bool(number % 2)):
                    cpu_s, wall_s = start(pythons[name])
                    samples.add(cpu_s, "cpu", name)
                    samples.add(wall_s, "wall", name)
        imports_s = statistics.median(import_time_s(pythons["with"]) for _ in range(21))
        loaded = check_modules(pythons["with"])
    rows = []
    for what in ("cpu", "wall"):
        with_line, without = samples.median(what, "with"), samples.median(what, "without")
        rows.append([what, ms(without), ms(with_line), ms(with_line - without)])
    rows.append(["import of visdom_transport.hook", "", "", ms(imports_s)])
    cpu_difference_s = samples.median("cpu", "with") - samples.median("cpu", "without")
    return Result(
        tables=[Table(["python -c pass", "without the line", "with it", "difference"], rows)],
        targets=[
            Target("CPU time that the .pth line adds to a start of Python", cpu_difference_s * 1000, 1, " ms"),
            Target("import of visdom_transport.hook, as Python measures it", imports_s * 1000, 1, " ms"),
            Target(f"of {', '.join(HEAVY)}: loaded by it", loaded, 0),
        ],
        chart=Bars(
            "CPU time of python -c pass", "ms", {name: samples.median("cpu", name) * 1000 for name in ("without", "with")}
        ),
    )


def make_environment(directory: Path, *, with_line: bool) -> str:
    """A virtual environment without any package that finds ours, and its interpreter."""
    venv.create(directory, with_pip=False, symlinks=True)
    (site_packages,) = directory.glob("lib/python*/site-packages")
    (site_packages / "a.pth").write_text(f"{Path(visdom_transport.__file__).parents[1]}\n")
    if with_line:
        (site_packages / "b.pth").write_text(LINE)
    return str(directory / "bin" / "python")


def start(python: str) -> tuple[float, float]:
    """CPU and wall seconds of one `python -c pass`."""
    began = time.perf_counter()
    pid = os.posix_spawn(python, [python, "-c", "pass"], environment())
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise BenchError(f"{python} fails")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("VISDOM", "PYTHON"))}


def import_time_s(python: str) -> float:
    """Seconds that the package and its hook take to import, by Python's own account."""
    run = subprocess.run(
        [python, "-X", "importtime", "-c", "pass"], env=environment(), stderr=subprocess.PIPE, text=True, check=True
    )
    own = re.findall(r"import time: +(\d+) \|.*\| +visdom_transport\b", run.stderr)
    if not own:
        raise BenchError("the .pth line does not import visdom_transport")
    return sum(map(int, own)) / 1e6


def check_modules(python: str) -> int:
    """How many heavy modules a started interpreter has loaded."""
    code = f"import sys; print(sum(name in sys.modules for name in {HEAVY!r}))"
    return int(subprocess.run([python, "-c", code], env=environment(), stdout=subprocess.PIPE, check=True).stdout)
