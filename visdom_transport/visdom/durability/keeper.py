"""Keeps environments on disk while they change: records changes, writes them in the background, folds them into files."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.ioloop import IOLoop

from ...core.delta import Delta
from ...core.encoding import encode
from ...settings import Settings
from ..producers import Producers
from ..state import is_lazy, is_unread
from .blocks import write_block
from .changes import Changes, Part
from .environments import STAMP, EnvironmentFile, Refused, encoded_members, environments_of
from .files import FOLDER, JournalFiles, Piece
from .history import History, Stamp
from .origin import Origin, origin_of
from .recovery import recover

logger = logging.getLogger("visdom_transport.durability")

STEP_BYTES = 1_000_000
"""So much is encoded before others have their turn; a single larger window goes alone."""

MIN_FOLD_BYTES = 8_000_000
"""A smaller journal is not folded. A larger one is when it has outgrown the environments it describes."""

FOLD_RETRY_S = 60.0
"""After a fold that failed, the next one comes so much later."""

SAVE_TIMEOUT_S = 120.0


@dataclass(slots=True, eq=False)
class Life:
    """An environment that is journaled, since it began or was read."""

    base: int | None = None
    """The records up to this number are in its file."""
    base_bytes: int = 0


class Keeper:
    """The durable side of one application's state.

    ``on`` says whether anything is kept. What changes is recorded by the methods of the second section, which cost nothing for
    environments that are not journaled. Everything else happens in one task on the event loop; files are written by a thread.

    Args:
        app: the application; its ``state`` is what is kept.
        write: like os.write, for tests.
    """

    def __init__(
        self,
        app: Any,
        settings: Settings,
        producers: Producers,
        write: Callable[[int, bytes | memoryview], int] = os.write,
    ) -> None:
        self._app = app
        self._mode = settings.journal
        self._interval_s = settings.journal_interval_s
        self._producers = producers
        self._changes = Changes(self._read)
        self._lives: dict[str, Life] = {}
        self._fed: set[str] = set()
        """Environments that are to be journaled; those without a life when that is possible again."""
        self._unsaved: set[str] = set()
        """Environments that have changed and are not journaled."""
        self._journal_id = secrets.token_hex(8)
        self._fresh = True
        """Nothing in the journal counts: the next generation begins with everything."""
        self._begun = False
        """This process has begun a generation."""
        self._kept_bytes = 0
        """What the journal took after it was folded: environments that cannot have a file stay in it."""
        self._origin = Origin()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._closed = False
        self.error: str | None = None
        """Why nothing can be written now."""
        self._fold_error: str | None = None
        """Why an environment's file could not be written the last time."""
        self._fold_after = 0.0
        self.on = app.env_path is not None and self._mode != "off"
        if app.env_path is not None:
            self._environments = environments_of(app)
            self._files = JournalFiles(Path(app.env_path) / FOLDER, write)

    def status(self) -> dict[str, Any]:
        """For people."""
        return {
            "journal": self._mode if self.on else "off",
            "environments": sorted(self._lives),
            "journal_bytes": self._files.size_bytes if self.on else 0,
            "on_disk": self.on and self.error is None and not self._has_work() and not self._files.is_behind,
            "last_error": self.error or self._fold_error,
        }

    def restored(self, eid: str) -> dict[str, Any]:
        """For clients: what this server began the environment with (docs/protocol.md, section 3)."""
        return {"state": self._journal_id if self.on else None, "age_s": self._origin.age_s(eid, time.time())}

    # --- at the start ---

    def load(self, state: dict[str, Any]) -> None:
        """Bring ``state`` to where the journal ends. Before anybody has seen it."""
        if self._app.env_path is None:
            return
        try:
            if not self._files.exists():
                return
            if not self._files.acquire():
                self._in_use()
                return
            self._environments.remove_temporary()
            self._take_up(state, *self._files.load())
            if not self.on:
                self._fold_for_good(state)
        except OSError as error:
            self.on = False
            self.error = str(error)
            logger.error("the journal in %s cannot be used, so nothing is kept but what is saved: %s", self._files.folder, error)

    def start(self) -> None:
        """Go on with what `load` has found, as soon as the event loop runs."""
        if self.on and self._has_work():
            IOLoop.current().add_callback(self._schedule)

    def _in_use(self) -> None:
        self.on = False
        logger.warning("another server uses %s: what publishers send is not kept on disk by this one", self._files.folder.parent)

    def _take_up(self, state: dict[str, Any], generations: list[Any], whole: bool) -> None:
        history = History(generations)
        if history.id is None:
            return
        self._journal_id = history.id
        self._changes.number = history.last
        for eid, recovered in recover(history, self._environments, self._files.folder).items():
            if recovered.content is None:
                self._changes.end(eid)
                continue
            state[eid] = recovered.content
            if recovered.is_stranger or not self._environments.can_hold(eid):
                self._began(eid)
            self._fed.add(eid)
            self._lives[eid] = Life()
            self._changes.set_last(eid, history.logs[eid].last)
        if whole and history.whole:
            self._fresh = False
            self._producers.restore(history.producers)
            saved = None if self._mode == "all" else {eid: self._environments.written_at(eid) for eid in state}
            self._origin = origin_of(history, self._lives, saved)
        else:
            # It is not known what the files contain of what is missing: publishers begin anew.
            self._lives.clear()
            self._changes.clear()

    def _fold_for_good(self, state: dict[str, Any]) -> None:
        for eid in self._fed:
            self._environments.save_somewhere(eid, state[eid])
        self._files.remove(list(self._files.old))
        self._fed.clear()
        self._lives.clear()
        self._changes.clear()

    # --- what changes ---

    def feed(self, eid: str) -> None:
        """A publisher feeds this environment: from now on it is journaled. If it cannot be read, from when it begins anew."""
        if self.on and eid not in self._fed:
            self._fed.add(eid)
            if eid in self._app.state and not is_unread(self._app.state[eid]):
                self._begin(eid)

    def fed(self, eid: str) -> None:
        """What was meant for this environment has been carried out, or refused: an environment that is not there is not kept."""
        if eid not in self._app.state:
            self._fed.discard(eid)

    def touch(self) -> None:
        """A publisher has come further."""
        if self.on:
            self._schedule()

    def environment_replaced(self, eid: str, *, begins: bool) -> None:
        """All of the environment is new, or it is gone. ``begins``: there was none of that name, or none that was read."""
        if eid in self._app.state and not is_unread(self._app.state[eid]):
            if begins:
                self._began(eid)
            self._unsaved.add(eid)
            if self._wants(eid):
                self._begin(eid)
            return
        if self._app.env_path is not None:
            self._environments.ended(eid)
        self._unsaved.discard(eid)
        self._fed.discard(eid)
        if self._lives.pop(eid, None) is not None:
            self._changes.end(eid)
            self._schedule()

    def _began(self, eid: str) -> None:
        refusal = self._environments.began(eid) if self._app.env_path is not None else None
        if refusal is not None:
            where = "in the journal" if self.on else "nowhere but in memory"
            logger.warning("environment %.200r has no file and is kept %s: %s", eid, where, refusal)

    def part_replaced(self, eid: str, kind: str, name: str) -> None:
        """A window or member is new, replaced or gone."""
        self._unsaved.add(eid)
        if eid in self._lives:
            self._changes.replaced((eid, kind, name))
            self._schedule()
        elif self._wants(eid):
            self._begin(eid)

    def window_updated(self, eid: str, win: str, delta: Delta) -> None:
        """``delta`` has been applied to the window."""
        self._unsaved.add(eid)
        if eid in self._lives:
            self._changes.updated((eid, "window", win), delta)
            self._schedule()
        elif self._wants(eid):
            self._begin(eid)

    def _wants(self, eid: str) -> bool:
        return self.on and (eid in self._fed or self._mode == "all")

    def _begin(self, eid: str) -> None:
        """Record all there is in the environment."""
        environment = self._app.state[eid]
        environment["jsons"]
        self._fed.add(eid)
        self._schedule()
        if self._fresh:
            return  # it is begun when it can be written
        self._lives[eid] = Life()
        self._changes.begin(eid, self._environments.file(eid))
        for part in self._parts(eid, environment):
            self._changes.replaced(part)

    @staticmethod
    def _parts(eid: str, environment: Mapping[str, Any]) -> list[Part]:
        windows: list[Part] = [(eid, "window", win) for win in environment["jsons"]]
        return windows + [(eid, "member", name) for name in encoded_members(environment)]

    def _read(self, part: Part) -> Any:
        environment = self._app.state[part[0]]
        return environment["jsons"][part[2]] if part[1] == "window" else environment[part[2]]

    # --- the task ---

    def _has_work(self) -> bool:
        if self._fresh:
            return bool(self._fed) or self._producers.has_news()
        return bool(self._changes) or self._producers.has_news() or bool(self._files.old)

    def _schedule(self) -> None:
        if self._task is not None or self._closed:
            return
        with contextlib.suppress(RuntimeError):  # no loop yet: the next change schedules it
            self._loop = asyncio.get_running_loop()
            self._task = self._loop.create_task(self._work())

    async def _work(self) -> None:
        try:
            while self.on and self._has_work() and not self._closed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), self._interval_s)
                await self.write()
                if self._closed:
                    return
        finally:
            self._task = None

    async def write(self) -> None:
        """Make durable what has changed, and fold the journal when it is due."""
        if not self.on:
            return
        try:
            if not self._acquired():
                return
            if self._fresh:
                await self._write_afresh()
            else:
                await self._flush()
            if self._fold_is_due():
                await self.fold()
        except OSError as error:
            self._failed(error)
        except Exception as error:
            logger.exception("writing the journal failed")
            self._failed(error)
        else:
            self._succeeded()

    def _acquired(self) -> bool:
        if self._files.acquire():
            return True
        self._in_use()
        return False

    def _failed(self, error: Exception) -> None:
        """Give up what is not written: all of it is in the state, which is written afresh when that is possible again."""
        cause = str(getattr(error, "strerror", None) or error)
        if cause != self.error:
            logger.error(
                "%s cannot be written, so what publishers send is not kept on disk: %s. The server goes on and tries again.",
                self._files.folder.parent,
                error,
            )
        self.error = cause
        self._fresh = True
        self._begun = False
        self._files.forget_waiting()
        self._lives.clear()
        self._changes.clear()

    def _succeeded(self) -> None:
        if self.error is not None:
            logger.warning("%s can be written again", self._files.folder.parent)
            self.error = None

    async def _write_afresh(self) -> None:
        self._fresh = False
        for eid in sorted(self._fed):
            if eid in self._app.state:
                self._begin(eid)
        await self._flush(fresh=True)
        await asyncio.get_running_loop().run_in_executor(None, self._files.remove, list(self._files.old))

    async def _flush(self, *, rotate: bool = False, fresh: bool = False) -> None:
        """Make durable what has changed until the last moment before this returns to the loop for good."""
        step = self._changes.sealed_bytes
        for part in self._changes.pending():
            self._changes.seal(part)
            if self._changes.sealed_bytes - step > STEP_BYTES:
                await asyncio.sleep(0)
                step = self._changes.sealed_bytes
        self._cut(rotate=rotate, fresh=fresh)
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._files.drain)
        finally:
            self._settle()

    def _cut(self, *, rotate: bool = False, fresh: bool = False) -> None:
        """Put a block with everything that has changed up to this moment on its way."""
        first, records = self._changes.take()
        rotate = rotate or fresh or not self._begun
        producers = self._producers.numbers() if rotate else self._producers.news()
        if not (records or producers or rotate):
            return
        self._begun = True
        head: dict[str, Any] = {"first": first, "producers": producers, "time": round(time.time(), 3)}
        if rotate:
            self._producers.news()
            clean = {eid: life.base for eid, life in self._lives.items() if not self._is_dirty(eid)}
            head["journal"] = {"id": self._journal_id, "fresh": fresh, "bases": clean}
        self._files.put(Piece(write_block(head, records), rotate, producers))

    def _settle(self) -> None:
        for piece in self._files.take_done():
            self._producers.durable(piece.producers)

    def _is_dirty(self, eid: str) -> bool:
        base = self._lives[eid].base
        return base is None or base < self._changes.last(eid)

    # --- folding ---

    def _fold_is_due(self) -> bool:
        if asyncio.get_running_loop().time() < self._fold_after:
            return False
        described = sum(life.base_bytes for life in self._lives.values()) + self._kept_bytes
        return bool(self._files.old) or self._files.size_bytes - self._kept_bytes > max(MIN_FOLD_BYTES, described)

    async def fold(self) -> None:
        """Write the environments that have changed into Visdom's files, and begin a new generation of the journal.

        An environment whose file cannot be written goes into the new generation as a whole.

        Raises:
            OSError: the journal could not be written; nothing is lost.
        """
        if not self._files.old:
            await self._flush(rotate=True)
        old = list(self._files.old)
        failure: str | None = None
        for eid in [eid for eid in self._lives if self._is_dirty(eid)]:
            failure = await self._fold_or_keep(eid) or failure
        # An environment that was replaced meanwhile has begun anew: not its file but its record takes the place of the old ones.
        await self._flush()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._files.remove, old)
        if failure is not None and failure != self._fold_error:
            logger.error("the file of an environment cannot be written, so it stays in the journal: %s", failure)
        self._fold_error = failure
        self._fold_after = loop.time() + FOLD_RETRY_S if failure is not None else 0.0
        self._kept_bytes = self._files.size_bytes

    async def _fold_or_keep(self, eid: str) -> str | None:
        """Write an environment into its file, or keep all of it in the journal. Returns what went wrong, if anything did."""
        failure = None
        try:
            await self._fold_environment(eid)
            return None
        except Refused:
            pass  # which was told when it began
        except OSError as error:
            failure = f"environment {eid}: {error.strerror or error}"
        if eid in self._lives:
            self._begin(eid)
        return failure

    async def _fold_environment(self, eid: str) -> None:
        life = self._lives.get(eid)
        if life is None:
            return
        run = asyncio.get_running_loop().run_in_executor
        with self._environments.open(eid) as file:
            stamp = Stamp(self._journal_id, eid, self._changes.number, {}, {})
            for part in self._parts(eid, self._app.state[eid]):
                self._add(file, part, stamp)
                if file.waiting_bytes > STEP_BYTES:
                    await run(None, file.write)
                    if self._lives.get(eid) is not life:
                        return
            file.add_member(STAMP, encode(stamp.as_json()))
            # The file may be ahead of the journal on disk. It must not get there first.
            await self._flush()
            if self._lives.get(eid) is not life:
                return
            await run(None, file.commit)
        self._committed(eid, life, stamp.number, file)

    def _add(self, file: EnvironmentFile, part: Part, stamp: Stamp) -> None:
        """Write a part as it is now, and say in the stamp which records that includes."""
        eid, kind, name = part
        encoded = self._changes.seal(part) or self._changes.encoded(part)
        numbers: Any = stamp.windows if kind == "window" else stamp.members
        if self._changes.last(eid) > stamp.number:
            numbers[name] = self._changes.last(eid)
        if encoded is not None and kind == "window":
            file.add_window(name, encoded)
        elif encoded is not None:
            file.add_member(name, encoded)

    def _committed(self, eid: str, life: Life, number: int, file: EnvironmentFile) -> None:
        if self._lives.get(eid) is life:
            life.base, life.base_bytes = number, file.written_bytes
            if not self._is_dirty(eid):
                self._unsaved.discard(eid)
        elif eid not in self._app.state:
            # It was deleted while its file was on the way.
            self._environments.delete(eid)

    # --- saving ---

    def refusal(self, eid: str) -> str | None:
        """Why an environment of this id is not saved to a file; None if it is, or if there is no directory."""
        return self._environments.refusal(eid) if self._app.env_path is not None else None

    def save(self, eid: str, environment: Any) -> None:
        """Visdom saves an environment: write it now.

        Raises:
            OSError: it cannot be written. Its old file is as it was.
        """
        if self._closed and self._mode != "off":
            return  # saved already, and nothing can have changed since
        content = environment._raw_dict if is_lazy(environment) else environment
        if self._closed:
            self._environments.save_somewhere(eid, content)
            return
        if eid not in self._lives:
            self._environments.save(eid, content)
            self._unsaved.discard(eid)
            return
        live = self._app.state[eid]
        if environment is not live:
            # Visdom 0.3.0 saves copies, and what it has read from disk with something added.
            for name in content.keys() - {"jsons", "reload", STAMP}:
                if live.get(name) != content[name]:
                    live[name] = content[name]
        if self._loop is not None and self._loop.is_running() and not self._on_loop():
            asyncio.run_coroutine_threadsafe(self._fold_environment(eid), self._loop).result(SAVE_TIMEOUT_S)
        else:
            self._save_now(eid)

    def _on_loop(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def _save_now(self, eid: str) -> None:
        life = self._lives[eid]
        try:
            self._cut()
            self._files.drain()
        except OSError as error:
            self._failed(error)
            raise
        finally:
            self._settle()
        with self._environments.open(eid) as file:
            stamp = Stamp(self._journal_id, eid, self._changes.number, {}, {})
            for part in self._parts(eid, self._app.state[eid]):
                self._add(file, part, stamp)
            file.add_member(STAMP, encode(stamp.as_json()))
            file.commit()
        self._committed(eid, life, stamp.number, file)

    # --- at the end ---

    async def close(self) -> bool:
        """Write everything for the last time. Returns whether that worked. The state must not change any more."""
        self._hurry.set()
        self._closed = True
        if self._task is not None:
            await self._task
        complete = True
        if self.on:
            self._begin_without_files()
        if self.on and (self._lives or self._has_work()):
            complete = await self._close_journal()
        if self._app.env_path is not None and self._mode != "off":
            complete &= self._save_rest(self._unsaved.difference(self._lives))
        if self.on:
            self._files.release()
        return complete

    def _begin_without_files(self) -> None:
        """Have the journal keep what has changed and cannot be saved to a file."""
        for eid in self._unsaved.difference(self._lives):
            environment = self._app.state.get(eid)
            if environment is not None and not is_unread(environment) and self.refusal(eid) is not None:
                self._begin(eid)

    async def _close_journal(self) -> bool:
        await self.write()
        if self.error is None and self.on:
            try:
                without_file = []
                for eid in [eid for eid in self._lives if self._is_dirty(eid)]:
                    try:
                        await self._fold_environment(eid)
                    except Refused:
                        without_file.append(eid)
                # What is left to tell is how far the publishers have come, and what cannot have a file.
                self._unsaved.difference_update(self._lives)
                self._lives.clear()
                for eid in without_file:
                    self._begin(eid)
                await self._flush(rotate=True)
                self._files.remove(list(self._files.old))
            except OSError as error:
                self._failed(error)
        return self.error is None

    def _save_rest(self, eids: Iterable[str]) -> bool:
        complete = True
        for eid in eids:
            environment = self._app.state.get(eid)
            if environment is None or is_unread(environment):
                continue
            try:
                self._environments.save_somewhere(eid, environment._raw_dict if is_lazy(environment) else environment)
            except OSError as error:
                complete = False
                logger.error("environment %s could not be saved: %s", eid, error)
        return complete
