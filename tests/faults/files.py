"""A file system that does less than others, as a fault of the server process: what fails there fails in this process.

What fails is read from the file `files` in the working directory, at the start and at each SIGUSR2: the number of the error by
the name of what is not done.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

FAILING = "files"

LASTING: dict[str, tuple[int, ...]] = {
    "chmod": (errno.EPERM, errno.EINVAL, errno.ENOSYS),
    "sync": (errno.EPERM, errno.EINVAL, errno.ENOSYS),
    "sync a folder": (errno.EPERM, errno.EINVAL, errno.ENOSYS),
    "rename onto a file": (errno.EPERM, errno.EINVAL, errno.EBUSY, errno.ENOSYS),
    "lock": (errno.EPERM, errno.EINVAL, errno.ENOLCK, errno.ENOSYS),
}
"""What a server can do without, and how it may be told that it has to."""
PASSING: dict[str, tuple[int, ...]] = {
    "sync": (errno.EBUSY, errno.ENOLCK),
    "sync a folder": (errno.EBUSY, errno.ENOLCK),
    "rename onto a file": (errno.ENOLCK,),
}
"""Errors that do not say that something is impossible: while they last, nothing is kept on disk."""


class OddFiles:
    """Takes from this process what the file says that the file system does not do."""

    def __init__(self) -> None:
        self._failing: dict[str, int] = {}
        self._read()
        signal.signal(signal.SIGUSR2, lambda *_: self._read())
        os.chmod = self._without(os.chmod, lambda *_: "chmod")
        os.fsync = self._without(os.fsync, lambda file: "sync a folder" if _is_folder(file) else "sync")
        os.rename = self._without(os.rename, _renaming)
        os.replace = self._without(os.replace, _renaming)
        fcntl.flock = self._without(fcntl.flock, lambda *_: "lock")
        fcntl.lockf = self._without(fcntl.lockf, lambda *_: "lock")

    def _read(self) -> None:
        path = Path(FAILING)
        self._failing = json.loads(path.read_text()) if path.exists() else {}

    def _without(self, original: Callable[..., Any], what: Callable[..., str]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            number = self._failing.get(what(*args)) if self._failing else None
            if number is not None:
                raise OSError(number, os.strerror(number))
            return original(*args, **named)

        return call


def _is_folder(file: int | Any) -> bool:
    return stat.S_ISDIR(os.fstat(file if isinstance(file, int) else file.fileno()).st_mode)


def _renaming(source: Any, target: Any) -> str:
    return "rename onto a file" if os.path.lexists(target) else "rename"
