"""What tells a process from all others there ever were, and whether one lives. Nothing where the system does not say."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_DEAD: Final = "ZXx"


def this_process() -> dict[str, Any]:
    """What another process needs to find out whether this one lives."""
    return {"host": socket.gethostname(), "pid": os.getpid(), **_process(os.getpid())}


def lives_here(process: Mapping[str, Any]) -> bool | None:
    """Whether it is a process of this machine that lives; None when it belongs elsewhere, or that is not known."""
    here, pid = _process(os.getpid()), process.get("pid")
    if not here or not isinstance(pid, int) or (process.get("boot"), process.get("pids")) != (here["boot"], here["pids"]):
        return None
    return _process(pid).get("started") == process.get("started")


def _process(pid: int) -> dict[str, Any]:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # One that nobody has asked for its end since it ended is still listed.
        started = values[19] if values[0] not in _DEAD else ""
        return {"boot": boot, "pids": os.readlink("/proc/self/ns/pid"), "started": started}
    except OSError:
        return {}
