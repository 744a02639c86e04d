"""Who may write the journal of a folder: one process at a time, by a lock of the system, or by a lease where there is none."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from visdom_transport.visdom.durability.lease import Lease
from visdom_transport.writing.weaknesses import Weakness, warn

_HELD = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})
"""How systems say that somebody else has the lock, rather than that there are none."""


class FolderLock:
    """Keeps other processes from using a folder.

    Args:
        folder: where the file of the lock is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None
        self._lease: Lease | None = None

    def acquire(self) -> bool:
        """Take it. False when another process has it. Where there are no locks this may take some seconds.

        Raises:
            OSError: the folder cannot be written.
        """
        descriptor = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            held = self._take(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if held:
            self._descriptor = descriptor
        else:
            os.close(descriptor)
        return held

    def is_lost(self) -> bool:
        """Whether another process has taken over what was acquired, because this one seemed to be dead."""
        return self._lease is not None and self._lease.is_lost()

    def release(self) -> None:
        """Let others have it."""
        if self._lease is not None:
            self._lease.release()
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = self._lease = None

    def _take(self, descriptor: int) -> bool:
        try:
            return _lock(descriptor)
        except OSError as error:
            warn(self._folder.parent, Weakness.LOCKS, error)
        lease = Lease(self._folder / "lease")
        if not lease.acquire():
            return False
        self._lease = lease
        return True


def _lock(descriptor: int) -> bool:
    """Lock an open file. False when another process has done so.

    Raises:
        OSError: there are no locks here.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    problem: OSError | None = None
    # Some network file systems have the one, some the other.
    for lock in (fcntl.flock, fcntl.lockf):
        try:
            lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                return False
            problem = error
        else:
            return True
    assert problem is not None
    raise problem
