"""Logs for tests."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from visdom_transport.client.disk.batches import Batch
from visdom_transport.client.disk.folders import Folder, folders
from visdom_transport.client.disk.log import SUFFIX, Log
from visdom_transport.client.disk.reader import Reader
from visdom_transport.core.encoding import encode

HERE = "http://127.0.0.1:8097"

LEAVE = """
import sys
import subprocess
import sys
import time
from pathlib import Path
from visdom_transport.client.disk.folders import make
make(Path(sys.argv[1]), sys.argv[2], "a" * 32)
"""


def left_behind(directory: Path, server: str = HERE) -> Folder:
    """The folder of a process that has ended."""
    subprocess.run([sys.executable, "-c", LEAVE, str(directory), server], check=True, timeout=60)
    return folders(directory)[-1]


def windows(first: int, count: int) -> Batch:
    """Messages that make windows."""
    data = [{"type": "text", "content": "text"}]
    numbers = range(first, first + count)
    messages = [("events", encode({"data": data, "win": f"w{number}", "eid": "e", "opts": {}})) for number in numbers]
    return Batch(first, messages, 0, count, time_s=time.time())


def batch(first: int, count: int = 1, size: int = 0, confirmed: int = 0, time_s: float = 0.0) -> Batch:
    """Messages whose bodies tell their numbers."""
    numbers = range(first, first + count)
    messages = [("update", encode({"win": "w", "eid": "e", "n": number, "pad": "." * size})) for number in numbers]
    return Batch(first, messages, confirmed, count, time_s)


def write(folder: Path, *batches: Batch, segment_bytes: int = 4_000_000) -> Log:
    """A log with these in it."""
    folder.mkdir(exist_ok=True)
    log = Log(folder, segment_bytes)
    for each in batches:
        log.append(each)
    log.close()
    return log


def put(folder: Path, *batches: Batch) -> tuple[Path, list[int]]:
    """A log of one file with these in it, and where each of them ends."""
    path = folder / f"{0:012d}{SUFFIX}"
    ends = [0]
    with path.open("wb") as file:
        for each in batches:
            file.write(each.encoded())
            ends.append(file.tell())
    return path, ends


def numbers(folder: Path) -> list[int]:
    """The numbers that can be read, in order."""
    reader = Reader(folder)
    found: list[int] = []
    while (each := reader.next()) is not None:
        found += range(each.first, each.last + 1)
    return found
