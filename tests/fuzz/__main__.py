"""Fuzz one target for a while: `python -m tests.fuzz wire --seconds 60`.

With atheris, which watches what code each input reaches and prefers those that reach more. `--random` does without.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.targets import TARGETS, find

MAX_INPUT_BYTES = 8_192
SEEDS = 64


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random", action="store_true", help="random inputs, without atheris")
    parser.add_argument("--corpus", type=Path, help="a directory where atheris keeps inputs that reach something new")
    options = parser.parse_args()
    if options.random:
        return at_random(options.target, options.seconds, options.seed)
    try:
        import atheris
    except ImportError:
        print(
            f"atheris is not installed for {sys.executable} (pip install atheris; it has no builds for every Python). "
            "--random fuzzes without it.",
            file=sys.stderr,
        )
        return 2
    with atheris.instrument_imports(include=["visdom_transport"]):
        run = find(options.target)
    with tempfile.TemporaryDirectory() as folder:
        corpus = options.corpus or Path(folder)
        corpus.mkdir(parents=True, exist_ok=True)
        # Short inputs are no examples at all, so it does not begin with nothing.
        chance = random.Random(options.seed)
        for number in range(SEEDS):
            (corpus / f"seed-{number}").write_bytes(chance.randbytes(chance.randrange(256, MAX_INPUT_BYTES)))
        limits = [
            f"-max_total_time={options.seconds}",
            f"-seed={options.seed}",
            f"-max_len={MAX_INPUT_BYTES}",
            "-report_slow_units=60",
        ]
        atheris.Setup([sys.argv[0], *limits, "-print_final_stats=1", str(corpus)], run)
        atheris.Fuzz()
    return 0


def at_random(target: str, seconds: int, seed: int) -> int:
    """Feed the target random bytes. An input that fails is printed, and raises what it raised."""
    run, chance = find(target), random.Random(seed)
    executions, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        data = chance.randbytes(chance.randrange(16, MAX_INPUT_BYTES))
        try:
            run(data)
        except BaseException:
            print(f"failed after {executions} executions: {data.hex()}", file=sys.stderr)
            raise
        executions += 1
    print(f"{target}: {executions} executions in {seconds} s, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
