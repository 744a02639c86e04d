"""Publishes points to a publisher with an outbox on disk, as fast as it takes them.

    points.py PORT OUTBOX_DIR

Each line of the input is how many points are published next; the answer is how many there were in all, the memory of this process
in bytes, and the seconds of its processor. A line is begun again when it has 10,000 points, as a run that is plotted in parts.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from pathlib import Path

from visdom_transport.client import Publisher

LINES = 10
POINTS = 10_000


def rss_bytes() -> int:
    """Of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def main() -> None:
    """Publish as many as the input says."""
    logging.disable()
    warnings.simplefilter("ignore")
    vis = Publisher(
        server="http://127.0.0.1",
        port=int(sys.argv[1]),
        env="points",
        use_incoming_socket=False,
        raise_exceptions=False,
        outbox_dir=sys.argv[2],
        exit_timeout_s=0,
    )
    number = 0
    for line in sys.stdin:
        for step in range(number, number + int(line)):
            begins = step % (LINES * POINTS) < LINES
            trace = {"type": "scatter", "mode": "lines", "name": "a", "x": [step], "y": [step / 3]}
            message = {"data": [trace], "win": f"line {step % LINES}", "layout": {}, "opts": {}}
            if begins:
                vis._send(message)
            else:
                vis._send(message | {"append": True, "name": "a"}, endpoint="update")
        number += int(line)
        print(json.dumps([number, rss_bytes(), time.process_time()]), flush=True)


if __name__ == "__main__":
    main()
