"""A state that is kept on disk, without a server: every step is remembered, so that what is loaded can be found among them."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import errno
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from visdom_transport.core.delta import Delta, apply
from visdom_transport.settings import Settings
from visdom_transport.visdom.durability.environments import environments_of
from visdom_transport.visdom.durability.journal import Journal
from visdom_transport.visdom.durability.publishers import Publishers
from visdom_transport.visdom.durability.reading import Unreadable
from visdom_transport.visdom.observed import State, Unread

Environments = dict[str, Any]

PRODUCER = "p"


class World:
    """One application's state and its journal, in one directory. Nothing is written but when a test says so.

    Each step is one message of one publisher: `snapshots[n]` is the state after the n-th. Without a ``publisher`` the steps are
    those of clients that do not wait for anything.
    """

    def __init__(self, folder: Path, *, write: Callable[..., int] | None = None, publisher: bool = True, **settings: Any) -> None:
        self._publisher = publisher
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.publishers = Publishers()
        self.app = SimpleNamespace(env_path=str(folder), state={}, readonly=False)
        arguments = {} if write is None else {"write": write}
        self.journal = Journal(
            self.app, Settings(**{"journal": "all", "journal_interval_s": 3600.0, **settings}), self.publishers, **arguments
        )
        environments = environments_of(self.app)
        for eid in environments.listed():
            self.app.state[eid] = Unread(environments, eid)
        self.journal.load(self.app.state)
        self.app.state = State(self.app.state, environments, self.journal.save)
        self.app.state.observe(self)
        self.snapshots: list[Environments] = [self.now()]
        self.saved: dict[str, dict[str, int]] = {}
        """By environment, the windows that somebody has saved, and after which step."""

    # --- what the state tells ---

    def environments_changed(self) -> None:
        pass

    def environment_replaced(self, eid: str, before: set[str] | None) -> None:
        self.journal.environment_replaced(eid, begins=before is None)

    def environment_found(self, eid: str) -> None:
        pass

    def window_set(self, eid: str, win: str) -> None:
        self.journal.part_replaced(eid, "window", win)

    window_removed = window_set

    def member_set(self, eid: str, name: str) -> None:
        self.journal.part_replaced(eid, "member", name)

    # --- steps ---

    def set_window(self, eid: str, win: str, value: Any) -> None:
        self._feed(eid)
        if eid not in self.app.state or not self._is_readable(eid):
            self.app.state[eid] = {"jsons": {}, "reload": {}}
        self.app.state[eid]["jsons"][win] = value
        self._done()

    def update(self, eid: str, win: str, delta: Delta) -> None:
        """Nothing happens to a window that is not there."""
        self._feed(eid)
        windows = self.app.state[eid]["jsons"] if eid in self.app.state else {}
        if win in windows:
            apply(windows[win], delta)
            self.journal.window_updated(eid, win, delta)
        self._done()

    def close(self, eid: str, win: str) -> None:
        self._feed(eid)
        if eid in self.app.state:
            self.app.state[eid]["jsons"].pop(win, None)
        self._done()

    def replace(self, eid: str, environment: Any) -> None:
        self._feed(eid)
        self.app.state[eid] = environment
        self._done()

    def place(self, eid: str, win: str, item: Any) -> None:
        """Change something inside of `reload`, as a command does."""
        self._feed(eid)
        if eid in self.app.state:
            self.app.state[eid]["reload"][win] = item
            self.member_set(eid, "reload")
        self._done()

    def save(self, eid: str) -> None:
        """Somebody saves the environment by hand."""
        if eid in self.app.state:
            self.journal.save(eid, self.app.state[eid])
            self.saved[eid] = dict.fromkeys(self.app.state[eid]["jsons"], len(self.snapshots) - 1)

    def delete(self, eid: str) -> None:
        """Visdom removes the file at once: the journal has to follow before anything else happens."""
        self.app.state.pop(eid, None)
        self.saved.pop(eid, None)
        (self.folder / f"{eid}.json").unlink(missing_ok=True)
        self._done()

    def _feed(self, eid: str) -> None:
        if self._publisher:
            self.journal.track(eid)

    def _done(self) -> None:
        publisher = self.publishers.find(PRODUCER, len(self.snapshots))
        assert publisher is not None
        publisher.applied += 1
        self.publishers.moved(PRODUCER)
        self.journal.touch()
        self.snapshots.append(self.now())

    # --- what is there ---

    def now(self) -> Environments:
        return {eid: copy.deepcopy(environment) for eid, environment in self.app.state.items() if self._is_readable(eid)}

    def _is_readable(self, eid: str) -> bool:
        try:
            self.app.state[eid]["jsons"]
        except Unreadable:
            return False
        return True

    @property
    def durable(self) -> int:
        """The number of steps that were said to be on disk."""
        publisher = self.publishers.find(PRODUCER, 1)
        assert publisher is not None
        return publisher.durable

    def image(self, to: Path) -> Path:
        """What a crash would leave at this moment."""
        shutil.copytree(self.folder, to, ignore=shutil.ignore_patterns("lock"), copy_function=copy_if_there)
        return to

    async def fold(self) -> None:
        await self.journal._folding.fold()

    def stop(self) -> None:
        """Let go of the directory, saving nothing."""
        self.journal._files.release()


def copy_if_there(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # a temporary file that was just renamed
        shutil.copy2(source, target)


def window(n: int, size: int = 0) -> dict[str, Any]:
    """A window of more than ``size`` bytes."""
    return {"content": {"data": [{"x": [n], "y": [n]}], "text": "é" + "x" * size}, "n": n}


class Inline(ThreadPoolExecutor):
    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def inline_executor() -> None:
    """Without threads: the copy of a directory that changes meanwhile is nothing that a crash could leave."""
    asyncio.get_running_loop().set_default_executor(Inline())


class Disk:
    """Stands in for os.write; takes so many bytes."""

    def __init__(self, room: float = float("inf")) -> None:
        self.room = room

    def write(self, descriptor: int, data: Any) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = os.write(descriptor, bytes(data[: int(min(self.room, len(data)))]))
        self.room -= count
        return count


def loaded(folder: Path, **settings: Any) -> tuple[Environments, int | None]:
    """What a server that is started on this directory has: its environments, and the last number of the publisher."""
    world = World(folder, **settings)
    try:
        return world.now(), world.publishers.numbers().get(PRODUCER)
    finally:
        world.stop()
