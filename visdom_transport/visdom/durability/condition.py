"""Whether the journal can be written, for those who have to know before somebody changes something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from visdom_transport.links.flusher import clock
from visdom_transport.operators.health import GOOD, Verdict
from visdom_transport.visdom.durability.threads import in_thread
from visdom_transport.writing import unwritable

LOOK_EVERY_S: Final = 2.0
"""However often it is asked, the directory is tried at most this often."""
PATIENCE_S: Final = 0.5
"""How long whoever asks waits for that."""
STUCK_S: Final = 3.0
"""A directory that takes longer than this for some bytes does not answer."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a journal knows of itself."""

    mode: str
    """The setting, or `off` without a directory."""
    on: bool
    """It has not given up."""
    error: str | None
    """Why the last attempt to write has failed."""
    never_could: bool
    """The directory could not be written when the server began, for a reason that lasts, nor since."""


class Condition:
    """Judges a journal by its last attempt to write, and by trying its directory where nothing changes.

    Args:
        facts: of now.
        try_folder: writes some bytes in the directory. Returns why that cannot be done, if so. Called in a thread.
    """

    def __init__(self, facts: Callable[[], Facts], try_folder: Callable[[], OSError | None]) -> None:
        self._facts = facts
        self._try_folder = try_folder
        self._trying: asyncio.Future[OSError | None] | None = None
        self._tried_at = float("-inf")
        self._found: OSError | None = None

    async def look(self) -> None:
        """Try the directory, if that was not done lately."""
        facts = self._facts()
        if facts.mode == "off" or not facts.on or facts.never_could:
            return
        if self._trying is None and clock() - self._tried_at >= LOOK_EVERY_S:
            self._tried_at = clock()
            self._trying = asyncio.ensure_future(in_thread(self._try_folder))
        if self._trying is not None:
            await asyncio.wait([self._trying], timeout=PATIENCE_S)
            self._take()

    def _take(self) -> None:
        if self._trying is not None and self._trying.done():
            self._found = None if self._trying.cancelled() else self._trying.result()
            self._trying = None

    def verdict(self, now: float) -> Verdict:
        facts = self._facts()
        if facts.mode == "off":
            return Verdict(True, "off")
        if facts.never_could:
            return Verdict(True, f"the directory cannot be written since the start ({facts.error}), so nothing is kept")
        if not facts.on:
            return Verdict(False, facts.error or "another server uses the directory, so nothing is kept")
        if facts.error is not None:
            return Verdict(False, facts.error)
        if self._trying is not None and now - self._tried_at >= STUCK_S:
            return Verdict(False, f"the directory has not answered for {now - self._tried_at:.0f} s")
        return GOOD if self._found is None else Verdict(False, unwritable.cause(self._found))


def try_folder(folder: Path) -> Callable[[], OSError | None]:
    """What tries this directory."""
    return lambda: unwritable.attempt(folder)
