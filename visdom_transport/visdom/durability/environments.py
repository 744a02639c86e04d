"""Visdom's own files: one `<eid>.json` for each environment. Written as a whole or not at all, set aside when unreadable."""

from __future__ import annotations

import codecs
import contextlib
import errno
import itertools
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from visdom.utils import server_utils

from visdom_transport.core.encoding import decode, encode
from visdom_transport.visdom.durability.history import Base, Stamp

logger = logging.getLogger("visdom_transport.durability")

STAMP = "transport"
"""The member of a file that ties it to the journal. Visdom ignores it."""

MAX_NAME_BYTES = 255

HASHED = re.compile(r"hash_[0-9a-f]{64}", re.IGNORECASE)
"""The files that 0.3.0's JSONStore does not take for environments of their own name."""

TEMPORARY = ".visdom-transport-*.tmp"


class Unreadable(Exception):
    """A file that is not an environment. The message says why."""


class Environments:
    """The environments in one directory.

    Args:
        folder: Visdom's ``env_path``.
        storage: 0.3.0's JSONStore, which knows more names.
    """

    def __init__(self, folder: Path, storage: Any = None) -> None:
        self.folder = folder
        self._storage = storage

    # --- names ---

    def can_hold(self, eid: str) -> bool:
        """Whether an environment of this id can have a file."""
        try:
            self._target(eid)
        except OSError:
            return False
        return True

    def existing(self, eid: str) -> Path | None:
        """The file of an environment, if there is one."""
        try:
            path = self._target(eid)[0]
        except OSError:
            return None
        return path if path.is_file() else None

    def _target(self, eid: str) -> tuple[Path, dict[str, Any]]:
        """The file of an environment, and what it must say besides."""
        try:
            size = len(os.fsencode(f"{eid}.json"))
        except UnicodeEncodeError:
            size = 0
        if self._storage is not None and (size > MAX_NAME_BYTES or HASHED.fullmatch(eid)):
            return Path(self._storage._hash_path(eid)), {"name": self._storage._safe_eid(eid)}
        name = self._storage._safe_eid(eid) if self._storage is not None else eid
        if not 0 < size <= MAX_NAME_BYTES or "\0" in eid or server_utils.escape_eid(name) != name:
            raise OSError(errno.EINVAL, "an environment id that cannot be a file's name", eid)
        return self.folder / f"{name}.json", {}

    # --- reading ---

    def base(self, eid: str) -> Base:
        """What is on disk under the environment's name. A file that cannot be read is set aside.

        Raises:
            OSError: there is a file, but it cannot be opened.
        """
        path = self.existing(eid)
        if path is None:
            return Base()
        file = fingerprint(path)
        try:
            environment = read(path)
        except Unreadable as error:
            set_aside(path, error)
            return Base()
        environment.pop("name", None)
        return Base(environment, Stamp.parse(environment.pop(STAMP, None)), file)

    def file(self, eid: str) -> list[int] | None:
        """What tells whether the environment's file is still the same; None when there is none."""
        path = self.existing(eid)
        return fingerprint(path) if path is not None else None

    # --- writing ---

    def open(self, eid: str) -> EnvironmentFile:
        """Begin to write an environment.

        Raises:
            OSError: it cannot be written.
        """
        path, members = self._target(eid)
        self.folder.mkdir(parents=True, exist_ok=True)
        return EnvironmentFile(path, members)

    def save(self, eid: str, environment: Mapping[str, Any]) -> None:
        """Write an environment.

        Raises:
            OSError: it cannot be written. The old file is as it was.
        """
        with self.open(eid) as file:
            for win, window in environment["jsons"].items():
                file.add_window(win, encode(window))
            for name in environment:
                if name not in ("jsons", STAMP):
                    file.add_member(name, encode(environment[name]))
            file.write()
            file.commit()

    def remove_temporary(self) -> None:
        """Remove what killed processes have left. Only for the one process that may write here."""
        for path in self.folder.glob(TEMPORARY):
            with contextlib.suppress(OSError):
                path.unlink()


_counter = itertools.count()


class EnvironmentFile:
    """A file that takes the place of an environment's when it is committed. Leaving the context without that abandons it."""

    def __init__(self, path: Path, members: Mapping[str, Any]) -> None:
        self._path = Path(os.path.realpath(path))
        # Without ".json" in its name, which is what Visdom looks for, and beside its target: a rename must not cross devices.
        self._temporary = self._path.with_name(TEMPORARY.replace("*", f"{os.getpid()}-{next(_counter)}"))
        self._file: BinaryIO | None = self._temporary.open("xb")
        self._parts: list[bytes] = [b'{"jsons":{']
        self._separator = b""
        self._members: list[bytes] = [b"%b:%b" % (encode(name), encode(value)) for name, value in members.items()]
        self.waiting_bytes = 0
        self.written_bytes = 0

    def __enter__(self) -> EnvironmentFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):
                file.close()
            with contextlib.suppress(OSError):
                self._temporary.unlink()

    def add_window(self, win: str, encoded: bytes) -> None:
        self._parts.append(b"%b%b:%b" % (self._separator, encode(win), encoded))
        self._separator = b","
        self.waiting_bytes += len(encoded)

    def add_member(self, name: str, encoded: bytes) -> None:
        self._members.append(b"%b:%b" % (encode(name), encoded))

    def write(self) -> None:
        """Write what was added so far."""
        assert self._file is not None
        parts, self._parts = self._parts, []
        self.waiting_bytes = 0
        for part in parts:
            self.written_bytes += self._file.write(ascii_json(part))

    def commit(self) -> None:
        """Put it in the place of the old file, for good."""
        assert self._file is not None
        self._parts.append(b"}%b}" % b"".join(b"," + member for member in self._members))
        self.write()
        self._file.flush()
        os.fsync(self._file.fileno())
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(self._path, self._temporary)
        file, self._file = self._file, None
        file.close()
        os.replace(self._temporary, self._path)
        sync_folder(self._path.parent)


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)), error.end


codecs.register_error("visdom_transport.json", _escape)


def ascii_json(data: bytes) -> bytes:
    """The same JSON in ASCII: Visdom reads its files in the encoding of the locale."""
    return data if data.isascii() else data.decode().encode("ascii", "visdom_transport.json")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fingerprint(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def read(path: Path) -> dict[str, Any]:
    """The environment a file holds.

    Raises:
        Unreadable: it holds something else.
        OSError: it cannot be opened.
    """
    data = path.read_bytes()
    try:
        environment = _parse(data)
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}" if data else "empty") from error
    if not isinstance(environment, dict):
        raise Unreadable("not an object")
    for name in ("jsons", "reload"):
        if not isinstance(environment.get(name), dict):
            raise Unreadable(f"no object {name!r} in it")
    return environment


def _parse(data: bytes) -> Any:
    try:
        return decode(data)
    except ValueError:
        # Visdom 0.2.4 writes NaN.
        try:
            return json.loads(data)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def set_aside(path: Path, reason: object) -> None:
    """Rename a file that cannot be used, so that it is neither in the way nor overwritten."""
    # Without ".json" in its name, which would make it an environment of Visdom 0.2.4's.
    stem = path.name.replace(".json", "")
    aside = path.with_name(f"{stem}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
    for n in itertools.count(2):
        if not aside.exists():
            break
        aside = path.with_name(f"{stem}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}-{n}")
    os.rename(path, aside)
    logger.error("%s cannot be used (%s) and was set aside as %s", path, reason, aside)


def set_aside_unreadable(path: str | Path | None) -> bool:
    """Set the file of an environment aside if it cannot be read. Returns whether it was."""
    if path is None or not Path(path).is_file():
        return False
    try:
        read(Path(path))
    except Unreadable as error:
        set_aside(Path(path), error)
        return True
    except OSError:
        return False
    return False


def encoded_members(environment: Mapping[str, Any]) -> Iterable[str]:
    """The names of what an environment holds besides its windows."""
    return [name for name in environment if name not in ("jsons", STAMP)]
