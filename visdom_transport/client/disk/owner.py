"""Who owns a folder, and whether that process still lives. No locks: network file systems have them, or pretend to.

A process of the same machine is looked up. One of another machine renews a file all the time, and is dead when that stays the
same for long enough. Only changes are looked at, never a clock of somebody else's.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from visdom_transport.process_identity import lives_here, this_process

BEAT_S: Final = 3.0
EXPIRES_S: Final = 30.0
"""After so long without a change its owner is dead. Network file systems show changes late."""

_NAME: Final = "owner.json"
_SIZE_BYTES: Final = 512


class Ownership:
    """This process owns a folder, as long as it says so.

    Raises:
        OSError: the folder is not there any more, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._beat = 0
        self._next = 0.0
        self.renew()

    def renew(self) -> None:
        """Say that this process lives, unless it did so a moment ago."""
        now = time.monotonic()
        if now < self._next:
            return
        self._beat += 1
        content = json.dumps({"beat": self._beat, "folder": _identity(self.folder), **this_process()}).ljust(_SIZE_BYTES)
        path = self.folder / _NAME
        # Always as long, over what is there: nobody finds it empty. Made only once: a folder that is being removed would stay.
        makes = os.O_CREAT if self._beat == 1 else 0
        file = os.open(path, makes | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
        try:
            os.write(file, content.encode())
        finally:
            os.close(file)
        self._next = now + BEAT_S


class Owners:
    """Watches the owners of folders."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: dict[Path, tuple[bytes, float]] = {}
        self._beating: set[Path] = set()

    def lives(self, folder: Path) -> bool | None:
        """Whether the owner of a folder lives. None when that is not known yet: ask again."""
        content = b""
        with contextlib.suppress(OSError):
            content = (folder / _NAME).read_bytes()
        owner = _parse(content)
        here = lives_here(owner)
        # A folder that was copied is not its owner's.
        if here is False or (here and owner.get("folder") == _identity(folder)):
            return here
        before = self._seen.get(folder)
        if before is None or before[0] != content:
            if before is not None:
                self._beating.add(folder)
            self._seen[folder] = content, self._now()
        elif self._now() - before[1] > EXPIRES_S:
            return False
        return True if folder in self._beating else None


def owner_of(folder: Path) -> str:
    """The owner's name for a message."""
    try:
        owner = _parse((folder / _NAME).read_bytes())
    except OSError:
        return "nobody"
    return f"process {owner.get('pid', '?')} on {owner.get('host', '?')}"


def _identity(folder: Path) -> list[int]:
    """What a copy has not; nothing if the folder is gone."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return []
    return [status.st_dev, status.st_ino]


def _parse(content: bytes) -> dict[str, Any]:
    """What the file says; nothing when it is just being written."""
    with contextlib.suppress(ValueError):
        owner = json.loads(content)
        if isinstance(owner, dict):
            return owner
    return {}
