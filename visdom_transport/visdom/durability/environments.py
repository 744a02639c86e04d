"""Visdom's own files: one `<eid>.json` for each environment, written as a whole or not at all."""

from __future__ import annotations

import codecs
import errno
import itertools
import logging
import os
import stat
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from visdom_transport.core.encoding import encode
from visdom_transport.visdom.durability.history import NO_ENVIRONMENT, Base, Stamp
from visdom_transport.visdom.durability.names import SUFFIX, Names
from visdom_transport.visdom.durability.reading import Reader, Unreadable
from visdom_transport.visdom.durability.saved import MARK, Saved, take_mark
from visdom_transport.writing import Replacement, remove_abandoned, sync_folder

logger = logging.getLogger("visdom_transport.durability")

STAMP = "transport"
"""The member of a file that ties it to the journal. Visdom ignores it."""

NAMED = 10
"""Files without an environment that the log names."""


class Refused(OSError):
    """An environment that cannot be written under its name, or must not be. ``strerror`` says why."""


class Environments:
    """The environments in one directory. What is not an environment there is never changed.

    Args:
        folder: Visdom's ``env_path``.
        storage: 0.3.0's JSONStore, which knows more names.
    """

    def __init__(self, folder: Path, storage: Any = None) -> None:
        self.folder = folder
        self.saved = Saved()
        self._names = Names(folder, storage)
        self._reader = Reader()
        self._strangers: dict[str, str] = {}
        """Environments that began while there was a file of their name that holds none, and why it does not."""

    # --- what is there ---

    def listed(self, known: Collection[str] = ()) -> list[str]:
        """The environments on disk, but for those that are known. Files that look like something else are passed over."""
        found, others = [], []
        for path in self._names.files():
            if path.name.removesuffix(SUFFIX) in known:
                continue
            eid = self._names.environment(path) if self._reader.may_hold(path) else None
            if eid is None:
                others.append(path)
            elif eid not in known:
                found.append(eid)
        self._tell_left([path for path in others if self._reader.tell_no_more(path)])
        return found

    def _tell_left(self, paths: list[Path]) -> None:
        if paths:
            names = ", ".join(path.name.encode(errors="replace").decode() for path in paths[:NAMED])
            more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
            logger.warning("not environments, and left as they are in %s: %s%s", self.folder, names, more)

    def can_hold(self, eid: str) -> bool:
        """Whether an environment of this id can have a file."""
        try:
            self._names.target(eid)
        except OSError:
            return False
        return True

    def size(self, eid: str) -> int:
        """How many bytes the environment's file has; 0 when there is none."""
        path = self._names.existing(eid)
        file = self._fingerprint(path) if path is not None else None
        return file[0] if file is not None else 0

    def exists(self, eid: str) -> bool:
        """Whether there is anything under the name of the environment's file."""
        return self._names.existing(eid) is not None

    # --- reading ---

    def read(self, eid: str) -> dict[str, Any]:
        """The environment as it is in its file.

        Raises:
            Unreadable: there is no file, or none that holds an environment.
        """
        return self._read(eid)[0]

    def read_with_file(self, eid: str) -> tuple[dict[str, Any], list[int] | None]:
        """The same, and what tells the file that was read. None if it may have changed meanwhile."""
        path = self._names.existing(eid)
        before = self._fingerprint(path) if path is not None else None
        environment = self.read(eid)
        return environment, before if path is not None and before == self._fingerprint(path) else None

    def _read(self, eid: str) -> tuple[dict[str, Any], Any]:
        path = self._names.existing(eid)
        if path is None:
            raise Unreadable(f"{eid}{SUFFIX} is gone")
        environment = self._reader.read(path)
        environment.pop("name", None)
        self.saved.found(eid, take_mark(environment))
        return environment, environment.pop(STAMP, None)

    def base(self, eid: str) -> Base:
        """What is on disk under the environment's name."""
        path = self._names.existing(eid)
        if path is None:
            return Base()
        try:
            file = self._fingerprint(path)
            environment, stamp = self._read(eid)
        except Unreadable as unreadable:
            return Base(file=NO_ENVIRONMENT, error=unreadable.error)
        return Base(environment, Stamp.parse(stamp), file)

    def saved_windows(self, eid: str) -> frozenset[str]:
        """The windows that somebody has saved. May read the file, so it is for threads."""
        known = self.saved.known(eid)
        if known is None:
            self._in_file(eid)
            known = self.saved.found(eid, frozenset())
        return known

    def saved_besides(self, eid: str, wins: Iterable[str]) -> dict[str, Any]:
        """What somebody has saved and is not among these windows, as the file has it. May read that, so it is for threads."""
        besides = self.saved_windows(eid).difference(wins)
        return {win: window for win, window in self._in_file(eid).items() if win in besides} if besides else {}

    def _in_file(self, eid: str) -> dict[str, Any]:
        try:
            windows: dict[str, Any] = self._read(eid)[0]["jsons"]
        except Unreadable:
            return {}
        return windows

    def file(self, eid: str) -> list[int] | None:
        """What tells whether the environment's file is still the same; None when there is none."""
        path = self._names.existing(eid)
        if path is None:
            return None
        unreadable = self._reader.check(path)
        # One that cannot be opened now may be its own all the same.
        holds_none = unreadable is not None and unreadable.error is None
        return NO_ENVIRONMENT if holds_none or eid in self._strangers else self._fingerprint(path)

    def written_at(self, eid: str) -> float | None:
        """When the environment's file was written, in seconds since 1970; None when there is none."""
        path = self._names.existing(eid)
        file = self._fingerprint(path) if path is not None else None
        return file[1] / 1e9 if file is not None else None

    @staticmethod
    def _fingerprint(path: Path) -> list[int] | None:
        try:
            status = path.stat()
        except OSError:
            return None
        return [status.st_size, status.st_mtime_ns]

    # --- whose file it is ---

    def began(self, eid: str) -> str | None:
        """An environment begins that was not read from its file. If that holds no environment, it is not to be written there.

        Returns why it has no file, if so.
        """
        self._strangers.pop(eid, None)
        self.saved.forget(eid)
        path = self._names.existing(eid)
        if path is not None and (unreadable := self._reader.check(path, quiet=True)) is not None:
            self._strangers[eid] = str(unreadable)
        return self.refusal(eid)

    def ended(self, eid: str) -> None:
        """An environment is gone."""
        self._strangers.pop(eid, None)
        self.saved.forget(eid)

    def refusal(self, eid: str) -> str | None:
        """Why the environment must not, or cannot, be written to its file; None if it may be."""
        try:
            self._names.target(eid)
        except OSError as error:
            return error.strerror
        path = self._names.existing(eid)
        if path is None or is_empty(path):
            return None
        if eid in self._strangers:
            return f"{self._strangers[eid]}; it was there before this environment, and stays until somebody moves it away"
        unreadable = self._reader.check(path)
        return None if unreadable is None else f"{unreadable}; it stays until somebody repairs it or moves it away"

    # --- writing ---

    def open(self, eid: str, saved: Collection[str] | None = None) -> EnvironmentFile:
        """Begin to write an environment.

        Args:
            saved: the windows that somebody has saved before, if nobody asks for this; None: somebody does.

        Raises:
            OSError: it cannot be written.
        """
        path = self._check(eid)
        self.folder.mkdir(parents=True, exist_ok=True)
        members = self._names.target(eid)[1]
        return EnvironmentFile(path, self.folder, members, saved, lambda: self._written(eid, path))

    def _check(self, eid: str) -> Path:
        refusal = self.refusal(eid)
        if refusal is not None:
            raise Refused(errno.EEXIST, refusal, eid)
        return self._names.existing(eid) or self._names.target(eid)[0]

    def _written(self, eid: str, path: Path) -> None:
        self._strangers.pop(eid, None)
        self._reader.written(path)

    def save(self, eid: str, environment: Mapping[str, Any], *, asked: bool = True) -> None:
        """Write an environment.

        Args:
            asked: somebody wants it saved as it is. Otherwise what was saved before stays in the file.

        Raises:
            OSError: it cannot be written. The old file is as it was.
        """
        for attempt in itertools.count():
            try:
                self._save(eid, environment, asked)
                return
            except OSError as error:
                # The server of a network file system was restarted: what is reopened is found.
                if error.errno != errno.ESTALE or attempt:
                    raise

    def _save(self, eid: str, environment: Mapping[str, Any], asked: bool) -> None:
        windows = environment["jsons"] if asked else {**environment["jsons"], **self.saved_besides(eid, environment["jsons"])}
        with self.open(eid, None if asked else self.saved_windows(eid)) as file:
            for win, window in windows.items():
                file.add_window(win, encode(window))
            for name in encoded_members(environment):
                file.add_member(name, encode(environment[name]))
            file.commit()
        if asked:
            self.saved.set(eid, windows)

    def save_somewhere(self, eid: str, environment: Mapping[str, Any], *, asked: bool = False) -> None:
        """Write an environment that is kept nowhere else: under another name if it must not be written under its own.

        Args:
            asked: as in `save`.

        Raises:
            OSError: it cannot be written.
        """
        refusal = self.refusal(eid)
        if refusal is None:
            self.save(eid, environment, asked=asked)
            return
        other = next(name for n in itertools.count(2) if not self.exists(name := f"{eid} ({n})"))
        self.save(other, environment)
        logger.error("environment %.200r is saved as %.200r: %s", eid, other, refusal)

    def delete(self, eid: str) -> None:
        """Remove the environment's file, if it has one.

        Raises:
            OSError: it cannot be removed, or holds something else.
        """
        path = self._check(eid)
        path.unlink(missing_ok=True)

    def remove_temporary(self) -> None:
        """Remove what killed processes have left. Only for the one process that may write here."""
        remove_abandoned(self.folder)

    def sync(self) -> None:
        """Make durable which files there are.

        Raises:
            OSError: that is not possible now.
        """
        sync_folder(self.folder)


def is_empty(path: Path) -> bool:
    """Whether there is a file without anything in it, which anybody may write."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


class EnvironmentFile:
    """A file that takes the place of an environment's when it is committed. Leaving the context without that abandons it."""

    def __init__(
        self,
        path: Path,
        folder: Path,
        members: Mapping[str, Any],
        saved: Collection[str] | None,
        on_commit: Callable[[], None],
    ) -> None:
        self._replacement = Replacement(path)
        self._is_elsewhere = self._replacement.folder != Path(os.path.realpath(folder))
        self._parts: list[bytes] = [b'{"jsons":{']
        self._members = [b"%b:%b" % (encode(name), encode(value)) for name, value in members.items()]
        if saved is not None:
            self.add_member(MARK, encode(sorted(saved)))
        self.windows: set[str] = set()
        """Those that were added."""
        self.waiting_bytes = 0
        self.written_bytes = 0
        self._on_commit = on_commit

    def __enter__(self) -> EnvironmentFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._replacement.abandon()

    def add_window(self, win: str, *pieces: bytes) -> None:
        """Add a window, as JSON in one piece or several. None must end inside of a character."""
        self._parts.append(b"%b%b:" % (b"," if self.windows else b"", encode(win)))
        self._parts += pieces
        self.windows.add(win)
        self.waiting_bytes += sum(map(len, pieces))

    def add_member(self, name: str, encoded: bytes) -> None:
        self._members.append(b"%b:%b" % (encode(name), encoded))

    def write(self) -> None:
        """Write what was added so far."""
        parts, self._parts = self._parts, []
        self.waiting_bytes = 0
        for part in parts:
            self.written_bytes += self._replacement.write(ascii_json(part))

    def commit(self, *, sync_name: bool = True) -> bool:
        """Put it in the place of the old file, for good. Returns whether it did: what was begun later may be there already.

        Args:
            sync_name: False leaves `Environments.sync` to the caller, who has many files.

        Raises:
            OSError: it cannot be written.
        """
        self._parts.append(b"}%b}" % b"".join(b"," + member for member in self._members))
        self.write()
        placed = self._replacement.commit(sync_name=sync_name or self._is_elsewhere)
        if placed:
            self._on_commit()
        return placed


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)), error.end


codecs.register_error("visdom_transport.json", _escape)


def ascii_json(data: bytes) -> bytes:
    """The same JSON in ASCII: Visdom reads its files in the encoding of the locale."""
    return data if data.isascii() else data.decode().encode("ascii", "visdom_transport.json")


def encoded_members(environment: Mapping[str, Any]) -> Iterable[str]:
    """The names of what an environment holds besides its windows."""
    return [name for name in environment if name not in ("jsons", STAMP, MARK)]


def environments_of(app: Any) -> Environments:
    """The environments in the directory of an application that has one."""
    if not hasattr(app, "environments"):
        app.environments = Environments(Path(app.env_path), getattr(app, "storage", None))
    environments: Environments = app.environments
    return environments
