"""Having what was written on the disk, as far as the file system can."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .weaknesses import CANNOT, Weakness, warn

_NO_SYNC_OF_FOLDERS = CANNOT | {errno.EISDIR, errno.EBADF, errno.ESTALE}


def sync_file(descriptor: int, folder: Path) -> None:
    """Make the content of an open file durable. ``folder`` is where it is.

    Raises:
        OSError: it could not be written. That syncing is not possible here is no error.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        warn(folder, Weakness.SYNC, error)


def sync_folder(folder: Path, part_of: Path | None = None) -> None:
    """Make the names in a folder durable. That this is not possible is said of the folder it is part of, if there is one.

    Raises:
        OSError: they could not be written. That syncing is not possible here is no error.
    """
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC_OF_FOLDERS:
            raise
        warn(part_of or folder, Weakness.SYNC, error)
