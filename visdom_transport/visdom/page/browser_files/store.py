"""Putting a fetched file into its place."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class FetchError(Exception):
    """Why one way of fetching did not work."""


def place(content: bytes, target: Path, temporary: Path) -> None:
    """Write a file so that no reader ever sees half of it, whoever else writes it now.

    `temporary` is a folder on the same file system.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=temporary)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    Path(name).chmod(0o644)
    Path(name).replace(target)
