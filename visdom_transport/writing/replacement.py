"""New content for a file, in the place of the old as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import stat
import threading
from pathlib import Path
from typing import BinaryIO

from visdom_transport.writing import in_place
from visdom_transport.writing.syncing import sync_file, sync_folder
from visdom_transport.writing.weaknesses import CANNOT, Weakness, warn

_NO_NEW_FILES = frozenset({errno.EPERM, errno.EACCES, errno.EROFS})
_NO_RENAMING = CANNOT | {errno.EBUSY, errno.EXDEV, errno.EEXIST, errno.ENOTEMPTY, errno.ETXTBSY}

_tickets = itertools.count(1)
_newest: dict[Path, int] = {}
_placing = threading.Lock()


class Replacement:
    """Content that takes the place of a file's when it is committed. Leaving the context without that abandons it.

    Of two for one file the one that was begun last counts, whichever is committed last.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.realpath(path))
        self._ticket = next(_tickets)
        self._temporary: Path | None = None
        self._file: BinaryIO | None = self._begin()

    def __enter__(self) -> Replacement:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    @property
    def folder(self) -> Path:
        """Where the file is."""
        return self._path.parent

    def write(self, data: bytes) -> int:
        """Add to the content. Returns how many bytes that was."""
        assert self._file is not None, "neither committed nor abandoned"
        return self._file.write(data)

    def commit(self, *, sync_name: bool = True) -> bool:
        """Put the content into its place, for good. Returns whether it did: later content may be there already.

        Args:
            sync_name: False leaves `sync_folder` to the caller, who has many files.

        Raises:
            OSError: it could not be done. The file has its old content, or is finished when the next process takes it up.
        """
        file = self._file
        assert file is not None, "neither committed nor abandoned"
        file.flush()
        if self._temporary is not None:
            sync_file(file.fileno(), self.folder)
            self._keep_mode(self._temporary)
        with _placing:
            if _newest.get(self._path, 0) > self._ticket:
                self.abandon()
                return False
            self._rename_into_place(file)
            _newest[self._path] = self._ticket
        if sync_name:
            sync_folder(self.folder)
        return True

    def abandon(self) -> None:
        """Leave the file as it is."""
        file, self._file = self._file, None
        if file is None:
            return
        with contextlib.suppress(OSError):
            file.close()
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()

    def _begin(self) -> BinaryIO:
        # Beside its target: a rename must not cross devices. Nobody can guess the name, so it need not be made exclusively,
        # which not every file system can.
        temporary = in_place.temporary_in(self.folder)
        mode = _mode(self._path)
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(temporary, flags, 0o666 if mode is None else mode | stat.S_IWUSR)
        except OSError as error:
            if error.errno not in _NO_NEW_FILES or mode is None or not os.access(self._path, os.W_OK):
                raise
            warn(self.folder, Weakness.BESIDE, error)
            return io.BytesIO()
        self._temporary = temporary
        return os.fdopen(descriptor, "wb")

    def _keep_mode(self, temporary: Path) -> None:
        mode = _mode(self._path)
        if mode is None or mode == _mode(temporary):
            return
        try:
            os.chmod(temporary, mode)
        except OSError as error:
            warn(self.folder, Weakness.MODES, error)

    def _rename_into_place(self, file: BinaryIO) -> None:
        if self._temporary is None:
            assert isinstance(file, io.BytesIO)
            self._file = None
            _overwrite(self._path, file.getvalue())
            return
        file.close()  # some systems say only now that it was not written
        try:
            os.replace(self._temporary, self._path)
        except OSError as error:
            if error.errno not in _NO_RENAMING:
                raise
            self._rewrite(self._temporary, error)
        self._file = None
        in_place.finished(self._path)

    def _rewrite(self, temporary: Path, why: OSError) -> None:
        try:
            in_place.rewrite_from(temporary, self._path)
        except OSError:
            if in_place.is_unfinished(temporary):
                self._file = None  # it is needed
            raise
        warn(self.folder, Weakness.RENAME, why)


def write_atomically(path: Path, content: bytes) -> None:
    """Give a file this content, as a whole or not at all.

    Raises:
        OSError: it could not be done.
    """
    with Replacement(path) as replacement:
        replacement.write(content)
        replacement.commit()


def _overwrite(path: Path, content: bytes) -> None:
    before = path.read_bytes()
    try:
        _put(path, content)
    except OSError:
        with contextlib.suppress(OSError):
            _put(path, before)
        raise


def _put(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        sync_file(file.fileno(), path.parent)


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
