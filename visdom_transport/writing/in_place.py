"""Rewriting a file in its place, where it cannot be replaced, without losing both its old and its new content.

The new content is complete beside the file before that is touched, and a note beside it says so, of which file, and how to see
that it is complete. The two are removed when the file is. What a process that was killed has left is finished by the next one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

from visdom_transport.writing.syncing import sync_file, sync_folder

logger = logging.getLogger("visdom_transport.writing")

TEMPORARY = ".visdom-transport-*.tmp"
"""Without ".json" in its name, which is what Visdom looks for."""

NOTE = ".note"

_CHUNK_BYTES = 1_000_000


def temporary_in(folder: Path) -> Path:
    """A new name for what is not complete yet. Nobody can guess it."""
    return folder / TEMPORARY.replace("*", f"{os.getpid()}-{secrets.token_hex(8)}")


_unfinished: dict[Path, list[Path]] = {}
"""By file, the temporary files of rewrites that have failed in this process."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a temporary file that is complete."""

    name: str
    """Of the file it is the content of, in the same folder."""
    size: int
    crc32: int
    time_ns: int
    """When it was made: of two for one file the later one counts."""


def rewrite_from(temporary: Path, path: Path) -> None:
    """Make ``path`` have the content of ``temporary``, which is complete and beside it. That is gone afterwards.

    Raises:
        OSError: it could not be done. If the file may be damaged by that, what is needed to finish stays.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666))  # fails where nothing can be written
    size, checksum = _measure(temporary)
    note = _note_of(temporary)
    try:
        with note.open("wb") as file:
            file.write(json.dumps(asdict(Note(path.name, size, checksum, time.time_ns()))).encode())
            file.flush()
            sync_file(file.fileno(), path.parent)
        sync_folder(path.parent)
    except OSError:
        _remove(note)
        raise
    _unfinished.setdefault(path, []).append(temporary)
    _copy(temporary, path)
    finished(path)


def finished(path: Path) -> None:
    """The file is complete: what was kept to finish it goes."""
    for temporary in _unfinished.pop(path, ()):
        # The note first: without it the other is nothing.
        _remove(_note_of(temporary))
        _remove(temporary)


def is_unfinished(temporary: Path) -> bool:
    """Whether the file is needed to finish a rewrite."""
    return _note_of(temporary).exists()


def has_unfinished(folder: Path) -> bool:
    """Whether there is something to take up in a folder."""
    return next(iter(_notes(folder)), None) is not None


def take_up(folder: Path) -> None:
    """Finish what processes that were killed have left in a folder. Only for the one process that may write there."""
    found: dict[Path, tuple[Note, Path]] = {}
    for path in _notes(folder):
        note, temporary = _read(path), path.with_suffix("")
        if note is None:
            _remove(path)  # it was cut itself, so the file was not touched
            continue
        target = path.with_name(note.name)
        _unfinished.setdefault(target, []).append(temporary)
        if target not in found or found[target][0].time_ns < note.time_ns:
            found[target] = note, temporary
    for target, (note, temporary) in found.items():
        try:
            _finish(target, note, temporary)
        except OSError as error:
            logger.error("%s could not be finished (%s): its content is in %s", target, error, temporary)


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes have left and nobody needs. Only for the one process that may write there."""
    for path in folder.glob(TEMPORARY):
        if not is_unfinished(path):
            _remove(path)


def _finish(target: Path, note: Note, temporary: Path) -> None:
    if not temporary.exists():  # it was renamed, or the note is the last that is left of a rewrite that is done
        finished(target)
        return
    if _measure(temporary) != (note.size, note.crc32):
        logger.error("%s may be damaged: the server was killed while it wrote it, and %s is damaged", target, temporary)
        return
    _copy(temporary, target)
    finished(target)
    logger.warning("the server was killed while it wrote %s, which is complete now", target)


def _notes(folder: Path) -> Iterable[Path]:
    return folder.glob(TEMPORARY + NOTE)


def _note_of(temporary: Path) -> Path:
    return temporary.with_name(temporary.name + NOTE)


def _read(path: Path) -> Note | None:
    try:
        note = Note(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return note if note.name == Path(note.name).name else None


def _measure(path: Path) -> tuple[int, int]:
    size = checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            size += len(chunk)
            checksum = crc32(chunk, checksum)
    return size, checksum


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as content, target.open("wb") as file:
        shutil.copyfileobj(content, file, _CHUNK_BYTES)
        file.flush()
        sync_file(file.fileno(), target.parent)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
