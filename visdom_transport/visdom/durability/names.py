"""Which file in Visdom's directory belongs to which environment."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_NAME_BYTES = 255

SUFFIX = ".json"

HASHED = re.compile(r"hash_[0-9a-f]{64}", re.IGNORECASE)
"""The files whose environments Visdom 0.3.0 knows by what is in them: those of names that are too long for a file."""


class Names:
    """The names of environments and of their files.

    A file is called as its environment, literally, with `.json` behind it.

    Args:
        folder: Visdom's ``env_path``.
        storage: 0.3.0's JSONStore, which has other names for long ones.
    """

    def __init__(self, folder: Path, storage: Any = None) -> None:
        self.folder = folder
        self._storage = storage

    def target(self, eid: str) -> tuple[Path, dict[str, Any]]:
        """The file of an environment, and what it must say besides.

        Raises:
            OSError: there can be none.
        """
        try:
            size = len(os.fsencode(eid + SUFFIX))
        except UnicodeEncodeError:
            size = 0
        if self._storage is not None and (size > MAX_NAME_BYTES or HASHED.fullmatch(eid)):
            # Names that differ in nothing but blanks have the same hash.
            if self._storage._safe_eid(eid) == eid:
                return Path(self._storage._hash_path(eid)), {"name": eid}
            size = 0
        if not 0 < size <= MAX_NAME_BYTES or any(character in eid for character in ("/", "\0", os.sep)):
            raise OSError(errno.EINVAL, "its id cannot be the name of a file", eid)
        return self.folder / (eid + SUFFIX), {}

    def existing(self, eid: str) -> Path | None:
        """What is there under the name of an environment's file, if anything: not always a file."""
        try:
            path = self.target(eid)[0]
        except OSError:
            return None
        return path if os.path.lexists(path) else None

    def files(self) -> Iterator[Path]:
        """What could be files of environments, going by their names."""
        try:
            names = sorted(os.listdir(self.folder))
        except OSError:
            return
        for name in names:
            if name.endswith(SUFFIX):
                yield self.folder / name

    def environment(self, path: Path) -> str | None:
        """The environment a file belongs to; None if its name is none that people could ask for."""
        eid = path.name.removesuffix(SUFFIX)
        try:
            eid.encode()
        except UnicodeEncodeError:
            return None
        if self._storage is None or not HASHED.fullmatch(eid):
            return eid
        return self._name_inside(path)

    def _name_inside(self, path: Path) -> str | None:
        try:
            name = json.loads(path.read_bytes())["name"]
            return name if Path(self._storage._hash_path(name)).name == path.name else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
