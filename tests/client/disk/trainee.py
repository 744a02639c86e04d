"""Programs that publish and are killed, one after the other. Forked from this one, so that each begins within milliseconds.

    python -m tests.client.disk.trainee PORT OUTBOX_DIR CALLS_FILE

Each line of the input is a life: the first number that it publishes, and for how long. Numbers are noted in the calls file,
with the time, when their call has returned.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from visdom_transport.client import Publisher
from visdom_transport.client.disk import log

SEGMENT_BYTES = 3_000
"""Files are complete so soon that many are while a program is killed."""


def publish(port: int, directory: Path, calls: Path, first: int) -> None:
    """Publish numbers in three windows until somebody kills this process."""
    warnings.simplefilter("ignore")
    chance = random.Random(first)
    vis = Publisher(
        server="http://127.0.0.1", port=port, env="e", use_incoming_socket=False, raise_exceptions=False, outbox_dir=directory
    )
    picture = np.zeros((1, 2, 2))
    with calls.open("ab", buffering=0) as file:
        number = first
        while True:
            vis.line(X=[number], Y=[number], win="line", name="a", update="append")
            vis.text(f"{number}", win="text", append=True)
            if number % 50 == 0:
                vis.image(picture, win=f"image {number}")
            file.write(b"%d %d\n" % (number, time.monotonic_ns()))
            number += 1
            if chance.random() < 0.3:
                time.sleep(chance.random() * 0.01)  # the time of a training step


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def main() -> None:
    """Bring up and kill as many as the input says."""
    port, directory, calls = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    log.SEGMENT_BYTES = SEGMENT_BYTES
    for line in sys.stdin:
        first, seconds = line.split()
        child = os.fork()
        if child == 0:
            publish(port, directory, calls, int(first))
        before = size(calls)
        while size(calls) == before:
            time.sleep(0.01)  # until it has begun: programs of the tests have none of their helpers
        time.sleep(float(seconds))  # how long a program lives is what the test chooses
        os.kill(child, signal.SIGKILL)
        killed_at = time.monotonic_ns()
        os.waitpid(child, 0)
        print(killed_at, flush=True)


if __name__ == "__main__":
    main()
