"""Folders that cannot be written, which is said once per cause, and again when the next time it works."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from pathlib import Path

from visdom_transport.writing.in_place import temporary_in
from visdom_transport.writing.weaknesses import CANNOT

logger = logging.getLogger("visdom_transport.writing")

LASTING = CANNOT | {errno.ENOTDIR, errno.ENOENT, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}
"""What does not pass by itself, as a full disk may."""

PROBE_BYTES = 4096

_causes: dict[Path, OSError] = {}


def probe(folder: Path) -> OSError | None:
    """Try to make the folder and to write in it. Returns why it cannot be done, which is said, or None."""
    error = attempt(folder)
    if error is not None:
        failed(folder, error)
    return error


def attempt(folder: Path) -> OSError | None:
    """Try to make the folder and to write in it. Returns why it cannot be done, or None."""
    path = temporary_in(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            path.write_bytes(bytes(PROBE_BYTES))
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
    except OSError as error:
        return error
    return None


def failed(folder: Path, error: OSError) -> None:
    """Something could not be written in the folder: say so, unless it was said."""
    before = _causes.get(folder)
    _causes[folder] = error
    if before is None or cause(before) != cause(error):
        text = "%s cannot be written (%s), so what changes is not kept on disk. The server goes on and tries again"
        logger.error(text, folder, cause(error))


def log(error: OSError, text: str, what: str) -> None:
    """Say that something could not be written, unless it was said that nothing can be where it belongs.

    Args:
        text: has a place for ``what`` and one for the error.
    """
    name = error.filename
    if not isinstance(name, str | bytes | os.PathLike) or not is_known(Path(os.fsdecode(name))):
        logger.error(text, what, error)


def succeeded(folder: Path) -> None:
    """Something was written in the folder."""
    if _causes.pop(folder, None) is not None:
        logger.warning("%s can be written again", folder)


def is_lasting(folder: Path) -> bool:
    """Whether nothing could be written in the folder the last time, for a reason that somebody has to remove."""
    error = _causes.get(folder)
    return error is not None and error.errno in LASTING


def is_known(path: Path) -> bool:
    """Whether it was said of the folder, or one above it, that it cannot be written."""
    return any(folder in _causes for folder in (path, *path.parents))


def reason(folder: Path) -> str | None:
    """Why nothing could be written in the folder the last time; None if that worked."""
    error = _causes.get(folder)
    return cause(error) if error is not None else None


def cause(error: OSError) -> str:
    """What is wrong, without the name of a file."""
    return error.strerror or str(error)
