"""The journal's files: generations, of which only the newest is written, by any thread, in order."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from visdom_transport.visdom.durability.blocks import Block, Record, read_blocks, write_block
from visdom_transport.visdom.durability.history import is_sound
from visdom_transport.visdom.durability.locks import FolderLock
from visdom_transport.writing import sync_file, sync_folder
from visdom_transport.writing.framing import Damage

logger = logging.getLogger("visdom_transport.durability")

FOLDER = ".transport"
"""In Visdom's ``env_path``. Without ".json" in its name, it is nothing to Visdom."""

_GENERATION = re.compile(r"journal-(\d+)\.log")


@dataclass(slots=True)
class PendingBlock:
    """A block on its way to the disk."""

    head: dict[str, Any]
    records: list[Record]
    begins_generation: bool
    publishers: dict[str, int] = field(default_factory=dict)


class JournalFiles:
    """The files of one journal, in one folder, which one process at a time may use.

    Args:
        write: like os.write, for tests.
    """

    def __init__(self, folder: Path, write: Callable[[int, bytes | memoryview], int] = os.write) -> None:
        self.folder = folder
        self._write = write
        self._waiting: deque[PendingBlock] = deque()
        self._done: list[PendingBlock] = []
        self._lock = threading.Lock()
        self._acquiring = threading.Lock()
        self._owned: FolderLock | None = None
        self._descriptor: int | None = None
        self._size = 0
        self._generation = 0
        self.old: list[Path] = []
        """Generations before the one that is written, oldest first."""
        self.old_bytes = 0

    # --- who may use it ---

    def acquire(self) -> bool:
        """Keep other processes from using the folder. False when another one does. Takes some seconds where there are no locks.

        Raises:
            OSError: the folder cannot be made or written.
        """
        with self._acquiring:  # two threads of this process would keep each other out
            if self._owned is not None:
                return True
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(self.folder)
            if not lock.acquire():
                return False
            self._owned = lock
            return True

    @property
    def is_acquired(self) -> bool:
        """Whether no other process may use the folder."""
        return self._owned is not None and not self.is_lost()

    def is_lost(self) -> bool:
        """Whether another process uses the folder now, because this one seemed to be dead."""
        return self._owned is not None and self._owned.is_lost()

    def release(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._close_generation()
            if self._owned is not None:
                self._owned.release()
            self._owned = None

    def _close_generation(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    # --- reading ---

    def exists(self) -> bool:
        """Whether there is anything to read."""
        return os.path.isdir(self.folder) and bool(self._generations())

    def _generations(self) -> list[tuple[int, Path]]:
        found = ((_GENERATION.fullmatch(path.name), path) for path in self.folder.iterdir())
        return sorted((int(match[1]), path) for match, path in found if match)

    def load(self) -> tuple[list[list[Block]], bool]:
        """The blocks of every generation that can be read, and whether the last one is whole, but for a torn end.

        What is read counts as old from now on. A file that was changed after it was written is copied aside.

        Raises:
            OSError: a file cannot be read.
        """
        found = self._generations()
        self.old = [path for _, path in found]
        self._generation = found[-1][0] if found else 0
        generations, damage = [], None
        for path in self.old:
            data = path.read_bytes()
            self.old_bytes += len(data)
            blocks, damage = read_blocks(data)
            sound = list(takewhile(is_sound, blocks))
            if len(sound) < len(blocks):
                damage = Damage.CORRUPT
            generations.append(sound)
            # A torn file may have a successor: that of a process that found it torn, and went on from there.
            if damage is Damage.CORRUPT:
                aside = path.with_name(f"{path.stem}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
                with contextlib.suppress(OSError):  # where nothing can be written it stays where it is
                    shutil.copyfile(path, aside)
                logger.error("%s is damaged (%s): what can be read is used; it is kept as %s", path, damage.value, aside)
        return generations, damage is not Damage.CORRUPT

    # --- writing ---

    @property
    def size_bytes(self) -> int:
        """What all generations take on disk."""
        return self.old_bytes + self._size

    def put(self, block: PendingBlock) -> None:
        """Write this after what was put before, when it is drained."""
        self._waiting.append(block)

    @property
    def is_behind(self) -> bool:
        """Whether something that was put is not durable yet."""
        return bool(self._waiting)

    def forget_waiting(self) -> None:
        """Give up what is not written."""
        with self._lock:
            self._waiting.clear()

    def drain(self) -> None:
        """Write what was put. When this returns, it is durable.

        Raises:
            OSError: not everything could be written.
        """
        with self._lock:
            if self.is_lost():
                raise OSError(errno.EBUSY, "another server has taken over the journal")
            while self._waiting:
                self._write_block(self._waiting[0])
                self._done.append(self._waiting.popleft())

    def take_done(self) -> list[PendingBlock]:
        """What has become durable since the last time."""
        with self._lock:
            done, self._done = self._done, []
            return done

    def remove(self, old: list[Path]) -> None:
        """Remove generations.

        Raises:
            OSError: one cannot be removed.
        """
        for path in old:
            path.unlink(missing_ok=True)
            self.old.remove(path)
        if not self.old:
            self.old_bytes = 0

    def _write_block(self, pending: PendingBlock) -> None:
        block = write_block(pending.head, (record.chunks() for record in pending.records))
        if pending.begins_generation:
            self._write_generation(block)
            return
        assert self._descriptor is not None, "a generation was begun"
        os.lseek(self._descriptor, self._size, os.SEEK_SET)
        try:
            self._write_all(self._descriptor, block)
        except OSError:
            # Half a block would end the journal for its reader.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += sum(map(len, block))

    def _write_generation(self, block: list[bytes]) -> None:
        number, path = self._free_number()
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            self._write_all(descriptor, block)
            sync_folder(self.folder, part_of=self.folder.parent)
        except OSError:
            with contextlib.suppress(OSError):
                os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        if self._descriptor is not None:
            self._close_generation()
            self.old.append(self.folder / f"journal-{self._generation:06}.log")
            self.old_bytes += self._size
        self._descriptor, self._size = descriptor, sum(map(len, block))
        self._generation = number

    def _free_number(self) -> tuple[int, Path]:
        """A generation that nobody has begun: not even a process that holds no lock."""
        number = self._generation + 1
        while (path := self.folder / f"journal-{number:06}.log").exists():
            number += 1
        return number, path

    def _write_all(self, descriptor: int, block: list[bytes]) -> None:
        for piece in block:
            rest = memoryview(piece)
            while rest:
                rest = rest[self._write(descriptor, rest) :]
        sync_file(descriptor, self.folder.parent)
