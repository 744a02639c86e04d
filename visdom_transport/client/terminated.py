"""A worker of multiprocessing that is ended by SIGTERM, as a pool ends its workers: what it has published is sent before."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Final

STUCK_S: Final = 1.0
"""How long the main thread has, afterwards, to end the process by the signal itself. It may be in a call that does not return."""


def finish_before(finish: Callable[[], None]) -> None:
    """Have SIGTERM call ``finish`` in a thread, and end the process then. Only where nobody else has a use for the signal.

    The thread is woken by the number that the interpreter writes when a signal arrives, which needs no main thread.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if os.name != "posix" or not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    before = signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    if before != -1:
        # An event loop's.
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wakes)
        return
    watch = _Watch(finish, woken, wakes)
    signal.signal(signal.SIGTERM, watch.handle)
    threading.Thread(target=watch.run, name="visdom-publisher-end", daemon=True).start()
    os.register_at_fork(before=watch.before_fork, after_in_parent=watch.after_fork, after_in_child=watch.forked)


class _Watch:
    def __init__(self, finish: Callable[[], None], woken: int, wakes: int) -> None:
        self._finish = finish
        self._woken = woken
        self._wakes = wakes
        self._pid = os.getpid()
        self._is_finished = False
        self._mask: set[int] = set()

    def handle(self, number: int, frame: Any) -> None:
        """In the main thread: nothing, until everything is sent."""
        if self._is_finished:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

    def run(self) -> None:
        while signal.SIGTERM not in os.read(self._woken, 64):
            pass
        with contextlib.suppress(Exception):
            self._finish()
        self._is_finished = True
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(STUCK_S)
        os._exit(128 + signal.SIGTERM)

    def before_fork(self) -> None:
        """A signal for a child that is just being made would wake this process."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def after_fork(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def forked(self) -> None:
        """A child of this worker is not its own: its signals must not wake the thread."""
        if os.getpid() != self._pid and signal.getsignal(signal.SIGTERM) == self.handle:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.close(self._woken)
            os.close(self._wakes)
        self.after_fork()
