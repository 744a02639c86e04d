"""What a file system cannot do, and what that means for those who use it: said once for each folder."""

from __future__ import annotations

import errno
import logging
from enum import Enum
from pathlib import Path

logger = logging.getLogger("visdom_transport.writing")

CANNOT = frozenset(
    {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.ENOTTY, errno.EROFS}
)
"""How systems say that something is not possible here, rather than that it went wrong."""


class Weakness(Enum):
    """What is not possible in a folder, and the consequence."""

    MODES = "the modes of files cannot be changed: files saved again have the mode that the file system gives them"
    SYNC = "nothing can be synced: what was saved last may be lost when the machine loses power"
    RENAME = (
        "a file cannot be replaced by renaming, so it is rewritten in its place: others may read half of it meanwhile. "
        "A rewrite that is cut is finished when the server starts again"
    )
    BESIDE = (
        "no file can be made, so those that are there are rewritten in their place: when the server is killed while it saves, "
        "half a file is left"
    )
    LOCKS = (
        "files cannot be locked, so a server tells others by a file that it renews every few seconds. After a server elsewhere "
        "was killed, the next one waits some seconds before it starts"
    )


_told: set[tuple[Path, Weakness]] = set()


def warn(folder: Path, weakness: Weakness, error: OSError) -> None:
    """Say that something is weaker in this folder, unless it was said of it or of one above."""
    if not any((each, weakness) in _told for each in (folder, *folder.parents)):
        _told.add((folder, weakness))
        logger.warning("in %s %s (%s)", folder, weakness.value, error.strerror or error)
