"""Reads the files of environments, and tells why one cannot be read. Nothing here changes a file."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visdom_transport.visdom.durability.stepwise import decode_stepwise

logger = logging.getLogger("visdom_transport.durability")

PARTS = ("jsons", "reload")
"""What an environment consists of: its windows and their positions. One of the two is there."""

HEAD_BYTES = 65_536
"""One of the parts begins this early in the file of an environment. By that files are listed, without being read to the end."""

MAX_DOUBTFUL_BYTES = 64_000_000
"""A larger file is not read when it does not begin like an environment."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BEGINNING = re.compile(rb'\s*\{\s*"(?:jsons|reload)"\s*:')
_WINDOWS = re.compile(rb'"jsons"\s*:\s*\{')
_SHORTEST = b'{"jsons":'

Fingerprint = tuple[int, int, int, int]
"""Size, times at which content and entry changed, and inode: differs when the file does."""


class Unreadable(ValueError):
    """A file that holds no environment. The message says why.

    ``error`` is why it could not be opened, if that was it: it may well be an environment.
    """

    def __init__(self, message: str, error: OSError | None = None) -> None:
        super().__init__(message)
        self.error = error


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a file while it has this fingerprint."""

    fingerprint: Fingerprint
    problem: str | None = None
    """Why it holds no environment."""


class Reader:
    """Reads files, and remembers what it could not read until that has changed. Each such file is told once."""

    def __init__(self) -> None:
        self._known: dict[Path, _Known] = {}
        self._told: set[Path] = set()
        self._doubted: dict[Path, tuple[Fingerprint, bool]] = {}

    def read(self, path: Path, *, quiet: bool = False) -> dict[str, Any]:
        """The environment in a file that is there.

        Args:
            quiet: who asks for it says in the log that it cannot be read.

        Raises:
            Unreadable: it holds none, or it cannot be opened. The log says so, once until it can be read.
        """
        try:
            environment = self._read(path)
        except Unreadable as unreadable:
            if path not in self._told and not quiet:
                logger.warning("%s, in %s. It is read again when it has changed", unreadable, path.parent)
            self._told.add(path)
            raise
        if path in self._told:
            self._told.remove(path)
            logger.warning("%s can be read now", path)
        return environment

    def _read(self, path: Path) -> dict[str, Any]:
        known = self._known_of(path)
        if known is not None and known.problem is not None:
            raise Unreadable(known.problem)
        try:
            fingerprint = fingerprint_of(path)
            try:
                environment = read(path)
            except Unreadable as unreadable:
                problem = f"{path.name} {unreadable}"
                self._known[path] = _Known(fingerprint, problem)
                raise Unreadable(problem) from unreadable
        except FileNotFoundError as error:
            raise Unreadable(f"{path.name} {'is a link that leads nowhere' if path.is_symlink() else 'is gone'}") from error
        except OSError as error:
            raise Unreadable(f"{path.name} cannot be opened: {error.strerror or error}", error) from error
        self._known[path] = _Known(fingerprint)
        return environment

    def check(self, path: Path, *, quiet: bool = False) -> Unreadable | None:
        """Why a file that is there holds no environment; None if it does. A file that has not changed is not read again."""
        known = self._known_of(path)
        if known is not None and known.problem is None:
            return None
        try:
            self.read(path, quiet=quiet)
        except Unreadable as unreadable:
            return unreadable
        return None

    def may_hold(self, path: Path) -> bool:
        """Whether a file looks like that of an environment, as far as its beginning tells."""
        try:
            fingerprint = fingerprint_of(path)
            doubted = self._doubted.get(path)
            if doubted is None or doubted[0] != fingerprint:
                doubted = self._doubted[path] = (fingerprint, begins_like_environment(path))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # who asks for it is told why it cannot be opened
        return doubted[1]

    def tell_no_more(self, path: Path) -> bool:
        """Somebody else tells that this file holds no environment. Returns whether that is news."""
        was_told = path in self._told
        self._told.add(path)
        return not was_told

    def written(self, path: Path) -> None:
        """This process has written an environment there."""
        with contextlib.suppress(OSError):
            self._known[path] = _Known(fingerprint_of(path))
        self._told.discard(path)

    def _known_of(self, path: Path) -> _Known | None:
        known = self._known.get(path)
        try:
            return known if known is not None and known.fingerprint == fingerprint_of(path) else None
        except OSError:
            return None


def fingerprint_of(path: Path) -> Fingerprint:
    """Raises OSError when there is no file, or none that can be looked at."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def begins_like_environment(path: Path) -> bool:
    """Whether the beginning of a file is that of an environment, or of nothing yet.

    Raises:
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # to open a pipe would wait for its other end
        return False
    with path.open("rb") as file:
        head = file.read(1024).removeprefix(_BYTE_ORDER_MARK)
        if _BEGINNING.match(head) or _SHORTEST.startswith(b"".join(head.split())):
            return True
        return _WINDOWS.search(head + file.read(HEAD_BYTES)) is not None


def read(path: Path) -> dict[str, Any]:
    """The environment a file holds: its parts, and whatever else is there. A part that is missing is empty.

    Raises:
        Unreadable: it holds something else.
        OSError: it cannot be opened.
    """
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise Unreadable("is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("is not a regular file")
    if status.st_size > MAX_DOUBTFUL_BYTES and not begins_like_environment(path):
        raise Unreadable("does not begin like an environment, and is too large to be searched for one")
    data = path.read_bytes()
    try:
        content = decode_stepwise(data)  # Visdom 0.2.4 writes NaN
    except ValueError as error:
        raise Unreadable(f"is not JSON ({error})" if data.strip() else "is empty") from error
    except MemoryError as error:
        raise Unreadable("is larger than the memory that is left") from error
    return _environment(content)


def _environment(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise Unreadable("is JSON, but not an object, which an environment is")
    if all(content.get(name) is None for name in PARTS):
        raise Unreadable('is JSON, but not an environment: there is no "jsons" in it, the windows')
    for name in PARTS:
        if content.get(name) is None:
            content[name] = {}
        elif not isinstance(content[name], dict):
            raise Unreadable(f'is JSON, but not an environment: its "{name}" is not an object')
    return content
