"""The folders below an outbox directory: one for each publisher, made, taken over and removed.

A folder is taken over by renaming it, which succeeds for one process only, on every file system.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from visdom_transport.client.disk.log import SUFFIX
from visdom_transport.client.disk.owner import Owners, Ownership
from visdom_transport.writing import sync_folder, write_atomically
from visdom_transport.writing.unwritable import cause

_DESCRIPTION: Final = "publisher.json"
_COURSE: Final = "course.json"
_FORMAT: Final = 1
_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_TAKEN: Final = "~"


@dataclass(frozen=True, slots=True)
class Folder:
    """One publisher's."""

    path: Path
    log_id: str
    server: str
    """Where its messages were to go."""

    def course(self) -> tuple[int, int]:
        """The number up to which the server has everything, and where the present id begins."""
        values = _read(self.path / _COURSE)
        confirmed, offset = values.get("confirmed", 0), values.get("offset", 0)
        return (confirmed, offset) if isinstance(confirmed, int) and isinstance(offset, int) else (0, 0)

    def note_course(self, confirmed: int, offset: int) -> None:
        """Remember these for whoever comes later.

        Raises:
            OSError: it could not be written.
        """
        _write(self.path / _COURSE, {"confirmed": confirmed, "offset": offset})

    def remove(self) -> None:
        """Remove it, with all that is in it."""
        # In an order that leaves nothing that looks like a log without a name.
        for path in sorted(self.path.glob(f"*{SUFFIX}")):
            with contextlib.suppress(OSError):
                path.unlink()
        shutil.rmtree(self.path, ignore_errors=True)


def make(outbox_dir: Path, server: str, log_id: str) -> tuple[Folder, Ownership]:
    """Make a folder for a publisher of this process.

    Raises:
        OSError: it cannot be made.
    """
    outbox_dir.mkdir(mode=_MODE, parents=True, exist_ok=True)
    stamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y%m%dT%H%M%S.%f")
    folder = Folder(outbox_dir / f"{stamp}-{os.getpid()}-{secrets.token_hex(4)}", log_id, server)
    folder.path.mkdir(mode=_MODE)
    try:
        ownership = Ownership(folder.path)
        description = {"format": _FORMAT, "publisher": folder.log_id, "server": server}
        _write(folder.path / _DESCRIPTION, description)
        sync_folder(outbox_dir)
    except OSError:
        folder.remove()  # it is tried again, under another name
        raise
    return folder, ownership


def folders(outbox_dir: Path) -> list[Folder]:
    """Those that are there, the oldest first.

    Raises:
        OSError: the directory cannot be read.
    """
    return [folder for path in _paths(outbox_dir) if (folder := _folder(path)) is not None]


def unusable(outbox_dir: Path) -> dict[Path, str]:
    """Folders with a log that cannot be sent, and why.

    Raises:
        OSError: the directory cannot be read.
    """
    found: dict[Path, str] = {}
    for path in _paths(outbox_dir):
        try:
            # Looked for again, since one that is just being removed has its description for longer than its log.
            if _has_log(path) and _folder(path) is None and _has_log(path):
                found[path] = f"{_DESCRIPTION}, which says whose it is, cannot be read"
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            found[path] = cause(error)
    return found


def base_name(folder: Folder) -> str:
    """What stays the same when a folder is taken over."""
    return folder.path.name.partition(_TAKEN)[0]


def is_taken(folder: Folder) -> bool:
    """Whether another process has taken it over from the one that made it."""
    return _TAKEN in folder.path.name


def take_over(folder: Folder, owners: Owners) -> tuple[Folder, Ownership] | None:
    """Make this process the owner of a folder whose owner is dead. None if that is not so, or another process was faster.

    Raises:
        OSError: it cannot be done.
    """
    if owners.lives(folder.path) is not False:
        return None
    name = base_name(folder) + _TAKEN + secrets.token_hex(4)
    taken = Folder(folder.path.with_name(name), folder.log_id, folder.server)
    try:
        # Before anybody can find it under its new name, where the dead process would be the owner for a moment.
        Ownership(folder.path)
        folder.path.rename(taken.path)
    except FileNotFoundError:
        # Some network file systems say so although they have done it, when a reply was lost.
        if not taken.path.exists():
            return None
    try:
        return taken, Ownership(taken.path)
    except FileNotFoundError:
        return None


def _paths(outbox_dir: Path) -> list[Path]:
    try:
        return sorted(outbox_dir.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _folder(path: Path) -> Folder | None:
    values = _read(path / _DESCRIPTION)
    log_id, server = values.get("publisher"), values.get("server")
    if values.get("format") != _FORMAT or not isinstance(log_id, str) or not isinstance(server, str):
        return None
    return Folder(path, log_id, server)


def _has_log(path: Path) -> bool:
    return any(each.suffix == SUFFIX for each in path.iterdir())


def _write(path: Path, values: dict[str, Any]) -> None:
    path.touch(_FILE_MODE)  # the mode stays when the content is replaced
    write_atomically(path, json.dumps(values).encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
