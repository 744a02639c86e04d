"""Writes a fetched file."""

from __future__ import annotations

import contextlib
from pathlib import Path

from visdom_transport.writing import write_atomically


class FetchError(Exception):
    """Why one way of fetching did not work."""


def install_file(content: bytes, target: Path) -> None:
    """Write a file so that no reader ever sees half of it, whoever else writes it now."""
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, content)
    with contextlib.suppress(OSError):  # where modes cannot be changed, it has the one that all files have
        target.chmod(0o644)
