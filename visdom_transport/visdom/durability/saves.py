"""Environments written while others have their turn: before whatever saves them is carried out, or after it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from visdom_transport.visdom.durability.environments import STAMP, Refused
from visdom_transport.visdom.durability.folding import Folding
from visdom_transport.visdom.durability.steps import taken
from visdom_transport.visdom.durability.tracking import Tracking
from visdom_transport.visdom.observed import is_unread

logger = logging.getLogger("visdom_transport.durability")

T = TypeVar("T")

ATTEMPTS = 2
"""So often is a window read in steps, if it changes meanwhile; then without a turn for others."""


class Saves:
    """Of one journal.

    Args:
        app: the application; its ``state`` is what is saved.
        is_open: whether there is a directory, and the server has not ended.
        can_write: whether what is journaled can be written.
        save_now: writes an environment without a turn for others. Raises OSError.
    """

    def __init__(
        self,
        app: Any,
        tracking: Tracking,
        folding: Folding,
        *,
        is_open: Callable[[], bool],
        can_write: Callable[[], bool],
        save_now: Callable[[str, Any], None],
    ) -> None:
        self._app = app
        self._tracking = tracking
        self._folding = folding
        self._is_open = is_open
        self._can_write = can_write
        self._save_now = save_now
        self._done: set[str] = set()
        """Environments that are being saved, and are in their files by now."""
        self._put_off: dict[str, None] | None = None
        """Environments that were saved by what is being carried out, and are written after it."""

    def takes(self, eid: str, content: Any) -> bool:
        """Whether a save that Visdom asks for is done by now, or will be: there is nothing to do then."""
        if eid in self._done:
            return True
        if self._put_off is None or not self._is_open():
            return False
        state = self._app.state
        if eid in state:
            take_over(state[eid], content)
        else:
            state[eid] = content
        self._put_off[eid] = None
        return True

    # --- before what saves ---

    async def before(self, eids: Iterable[str], save: Callable[[], None]) -> None:
        """Write environments that are to be saved; then call ``save``, which saves them all.

        What could not be written, or was replaced meanwhile, is left to ``save``.
        """
        done = {eid for eid in eids if await self.write(eid)}
        with self.done(done):
            save()

    async def write(self, eid: str) -> bool:
        """Write an environment that is about to be saved. Returns whether that was done."""
        content = self._app.state.get(eid) if self._is_open() else None
        if content is None or is_unread(content):
            return False
        self._tracking.begin_if_wanted(eid)
        try:
            if eid not in self._tracking.tracked:
                return await self._folding.save_untracked(eid)
            return self._can_write() and await self._folding.fold_environment(eid, asked=True)
        except OSError:
            pass  # whatever saves it meets the same, and tells
        except Exception:
            logger.exception("writing environment %.200r ahead failed", eid)
        return False

    @contextlib.contextmanager
    def done(self, eids: set[str]) -> Iterator[None]:
        """What saves these environments inside finds that done."""
        self._done = eids
        try:
            yield
        finally:
            self._done = set()

    # --- after what saves ---

    async def after(self, act: Callable[[], None]) -> None:
        """Call ``act``, which changes environments and saves them; then write them.

        Raises:
            OSError: one of them could not be written.
        """
        eids = self._put_off = {}
        try:
            act()
        finally:
            self._put_off = None
            for eid in eids:
                await self._save(eid)

    async def _save(self, eid: str) -> None:
        if await self.write(eid):
            return
        environment = self._app.state.get(eid)
        if environment is not None:
            with contextlib.suppress(Refused):  # as Visdom's own save does: it was told when the environment began
                self._save_now(eid, environment)

    # --- reading in steps ---

    async def steadily(self, eid: str, win: str, steps: Callable[[], Generator[Any, None, T]], at_once: Callable[[], T]) -> T:
        """What is made of a window in steps, as the window is at one moment: ``at_once`` if it changes again and again."""
        for _ in range(ATTEMPTS):
            with self._tracking.watch((eid, "window", win)) as watch:
                made = await taken(steps())
                await asyncio.sleep(0)
            if not watch.changed:
                return made
        return at_once()


def take_over(live: Any, content: Mapping[str, Any]) -> None:
    """Visdom 0.3.0 saves copies, and what it has read from disk with something added: that is in the state then, too."""
    if live is content:
        return
    for name in content.keys() - {"jsons", "reload", STAMP}:
        if live.get(name) != content[name]:
            live[name] = content[name]
