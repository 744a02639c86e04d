"""Files as they travel to browsers that take gzip: made once for each content, in a thread of their own, kept in memory."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KINDS: Final = frozenset({".css", ".eot", ".html", ".ico", ".js", ".json", ".map", ".svg", ".ttf", ".txt", ".xml"})
"""What compression makes smaller. Pictures, and fonts for the web, are compressed already."""

LEAST_BYTES: Final = 1_000
MOST_BYTES: Final = 64_000_000
"""Of a file. Smaller and larger ones go as they are."""

KEPT_BYTES: Final = 16_000_000
"""Of all compressed files together. A page's come to less than 2 MB."""

LEVEL: Final = 9

WAIT_S: Final = 1.0
"""A browser waits so long for a file to be compressed: a proxy in between may give up a busy server after a few seconds."""


@dataclass(frozen=True, slots=True)
class Compressed:
    """A file's content, compressed."""

    version: str
    """The digest of the content."""
    data: bytes | None
    """None where compression does not make it smaller, or is not done yet."""

    @property
    def cost_bytes(self) -> int:
        return LEAST_BYTES + len(self.data or b"")


NOT_YET: Final = Compressed("", None)


class CompressedFiles:
    """Compresses files, and keeps those that were asked for last."""

    def __init__(self, kept_bytes: int = KEPT_BYTES, wait_s: float = WAIT_S) -> None:
        self._kept_bytes = kept_bytes
        self._wait_s = wait_s
        self._files: OrderedDict[tuple[str, int, int], Compressed] = OrderedDict()
        self._threads = ThreadPoolExecutor(1, "visdom-transport-files")
        """One, so that no file is compressed twice at a time."""

    async def get(self, path: str) -> Compressed | None:
        """The file as it is now; None if it is not worth it.

        Raises:
            OSError: it cannot be read.
        """
        status = os.stat(path)
        if os.path.splitext(path)[1].lower() not in KINDS or not LEAST_BYTES <= status.st_size <= MOST_BYTES:
            return None
        key = path, status.st_mtime_ns, status.st_size
        found = self._files.get(key)
        if found is None:
            making = asyncio.get_running_loop().run_in_executor(self._threads, self._make, key)
            # It goes on without whoever has waited for too long: the next one has the use of it.
            await asyncio.wait([making], timeout=self._wait_s)
            if making.done():
                return making.result()
            making.add_done_callback(lambda made: made.cancelled() or made.exception())  # nobody else asks for its error
            return NOT_YET
        with contextlib.suppress(KeyError):  # the thread has just given it up
            self._files.move_to_end(key)
        return found

    def _make(self, key: tuple[str, int, int]) -> Compressed:
        found = self._files.get(key)
        if found is None:
            content = Path(key[0]).read_bytes()
            data = gzip.compress(content, LEVEL, mtime=0)
            found = self._files[key] = Compressed(digest(content), data if len(data) < len(content) else None)
            while len(self._files) > 1 and sum(each.cost_bytes for each in list(self._files.values())) > self._kept_bytes:
                self._files.popitem(last=False)
        return found


def digest(content: bytes) -> str:
    """The version of a content, as URLs and ETags name it."""
    return hashlib.sha256(content).hexdigest()[:32]
