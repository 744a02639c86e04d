"""The end of a process, and its children: what senders have left is sent, and each process sends its own."""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from typing import Protocol

from visdom_transport.client import terminated

MULTIPROCESSING = ("multiprocessing", "multiprocess")
"""The standard library's, and the copy of it that pathos, trixi and Hugging Face's datasets use."""


class Sender(Protocol):
    """Sends what was left behind in this process."""

    def finish_at_exit(self, began: float) -> None:
        """Send what is left, as long as the end of the process that ``began`` then may wait, and say what is lost."""

    def forked(self) -> None:
        """Start over: this is a forked process."""


senders: weakref.WeakSet[Sender] = weakref.WeakSet()
"""Those of this process."""

_hooked_in: int | None = None


def hook_into_end() -> None:
    """Have what is left sent when this process ends."""
    global _hooked_in
    if _hooked_in == os.getpid():
        return
    if _hooked_in is None:
        atexit.register(finish_all)
    _hooked_in = os.getpid()
    # Children of multiprocessing end without the hooks of atexit.
    for package in MULTIPROCESSING:
        util = sys.modules.get(f"{package}.util")
        process = sys.modules.get(f"{package}.process")
        if util is not None and process is not None and process.parent_process() is not None:
            util.Finalize(None, finish_all, exitpriority=10)
            # Nor do those of a pool that is terminated, which the end of its `with` block does, come that far.
            terminated.finish_before(finish_all)


def finish_all() -> None:
    """Wait until the servers have everything for good, as long as the options allow."""
    began = time.monotonic()
    for sender in list(senders):
        sender.finish_at_exit(began)


def _after_fork() -> None:
    for sender in list(senders):
        sender.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
