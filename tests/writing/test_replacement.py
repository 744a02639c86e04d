"""A file is written as a whole or not at all, whatever its file system cannot do, and what is weaker for that is said once."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from visdom_transport.writing import Replacement, has_unfinished, remove_abandoned, sync_folder, take_up, write_atomically

Injection = Callable[[pytest.MonkeyPatch], None]


def failing(name: str, number: int, applies: Callable[..., bool] = lambda *_: True) -> Injection:
    """Have ``os.<name>`` fail with this error."""

    def inject(monkeypatch: pytest.MonkeyPatch) -> None:
        original = getattr(os, name)

        def function(*args: Any, **kwargs: Any) -> Any:
            if applies(*args):
                raise OSError(number, os.strerror(number))
            return original(*args, **kwargs)

        monkeypatch.setattr(os, name, function)

    return inject


def is_folder(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def is_exclusive(_: object, flags: int, *__: object) -> bool:
    return bool(flags & os.O_EXCL)


def makes_a_file(_: object, flags: int, *__: object) -> bool:
    return bool(flags & os.O_CREAT)


WEAK = {
    "no modes": (failing("chmod", errno.EPERM), "modes of files"),
    "no modes, in other words": (failing("chmod", errno.EOPNOTSUPP), "modes of files"),
    "folders are not synced": (failing("fsync", errno.EINVAL, is_folder), "machine loses power"),
    "folders are not opened": (failing("open", errno.EACCES, lambda path, *_: Path(path).is_dir()), "machine loses power"),
    "nothing is synced": (failing("fsync", errno.ENOSYS), "machine loses power"),
    "the handle of the folder is stale": (failing("fsync", errno.ESTALE, is_folder), "machine loses power"),
    "nothing is renamed onto a mount": (failing("replace", errno.EBUSY), "rewritten in its place"),
    "nothing is renamed onto a file": (failing("replace", errno.EEXIST), "rewritten in its place"),
    "nothing is renamed": (failing("replace", errno.ENOTSUP), "rewritten in its place"),
    "not across devices": (failing("replace", errno.EXDEV), "rewritten in its place"),
    "others may not be replaced": (failing("replace", errno.EPERM), "rewritten in its place"),
    "no file is made": (failing("open", errno.EROFS, makes_a_file), "rewritten in their place"),
    "no file is made exclusively": (failing("open", errno.EINVAL, is_exclusive), ""),
}


@pytest.mark.parametrize("kind", WEAK)
def test_it_is_written_every_time_and_what_is_weaker_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    inject, said = WEAK[kind]
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    path.chmod(0o640)
    umask = os.umask(0o077)
    try:
        inject(monkeypatch)
        for content in (b"one", b"longer than before", b"2"):
            write_atomically(path, content)
            assert path.read_bytes() == content
    finally:
        os.umask(umask)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"], "nothing is left beside it"
    assert len(caplog.records) == (1 if said else 0), caplog.text
    assert said in caplog.text
    assert not said or str(tmp_path) in caplog.text


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE])
def test_what_went_wrong_is_not_taken_for_what_is_not_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    failing("fsync", number)(monkeypatch)
    with pytest.raises(OSError, match=os.strerror(number)):
        write_atomically(path, b"after")
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_the_mode_of_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    for mode in (0o600, 0o664, 0o444):
        path.chmod(mode)
        write_atomically(path, b"after")
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_nobody_else_reads_a_private_file_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    path.chmod(0o600)
    with Replacement(path) as replacement:
        replacement.write(b"after")
        (temporary,) = set(tmp_path.iterdir()) - {path}
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere" / "b.json", tmp_path / "a.json"
    target.parent.mkdir()
    target.write_bytes(b"before")
    link.symlink_to(target)
    write_atomically(link, b"after")
    assert link.is_symlink()
    assert target.read_bytes() == b"after"


def test_of_two_the_one_that_was_begun_later_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with Replacement(path) as earlier, Replacement(path) as later:
        earlier.write(b"earlier")
        later.write(b"later")
        assert later.commit()
        assert not earlier.commit()
    assert path.read_bytes() == b"later"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_write_one_file_leave_what_one_of_them_wrote(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def write(number: int) -> None:
        write_atomically(path, b"%d" % number * 1000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(10, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = path.read_bytes()
    assert content == content[:2] * 1000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ])
def test_a_name_that_cannot_be_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    failing("replace", number)(monkeypatch)
    with pytest.raises(OSError, match=os.strerror(number)):
        write_atomically(tmp_path / "a:b.json", b"")
    assert list(tmp_path.iterdir()) == []


# --- in place ---


class Full:
    """A disk that has no more room, for what is copied in place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import shutil

        original = shutil.copyfileobj

        def copyfileobj(source: Any, target: Any, length: int = 0) -> None:
            if not self.full:
                return original(source, target, length)
            target.write(source.read(2))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.full = True
        monkeypatch.setattr(shutil, "copyfileobj", copyfileobj)


def test_a_rewrite_that_failed_is_finished_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    failing("replace", errno.EBUSY)(monkeypatch)
    disk = Full(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"after")
    assert path.read_bytes() == b"af"
    assert has_unfinished(tmp_path)
    remove_abandoned(tmp_path)
    disk.full = False
    take_up(tmp_path)
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


def test_what_failed_does_not_come_back_over_what_was_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    failing("replace", errno.EBUSY)(monkeypatch)
    disk = Full(monkeypatch)
    for content in (b"one", b"two"):
        with pytest.raises(OSError, match="No space left"):
            write_atomically(path, content)
    disk.full = False
    write_atomically(path, b"three")
    assert not has_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    take_up(tmp_path)
    assert path.read_bytes() == b"three"


def test_of_two_that_failed_the_later_one_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    failing("replace", errno.EBUSY)(monkeypatch)
    disk = Full(monkeypatch)
    for content in (b"one", b"two"):
        with pytest.raises(OSError, match="No space left"):
            write_atomically(path, content)
    disk.full = False
    take_up(tmp_path)
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_note_that_names_a_file_elsewhere_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    note = tmp_path / "envs" / ".visdom-transport-1-a.tmp.note"
    note.with_suffix("").write_bytes(b"after")
    note.write_text('{"name": "../a.json", "size": 5, "crc32": 1, "time_ns": 1}')
    take_up(tmp_path / "envs")
    assert not (tmp_path / "a.json").exists()


def test_content_that_is_damaged_is_not_put_in_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    note = tmp_path / ".visdom-transport-1-a.tmp.note"
    note.with_suffix("").write_bytes(b"aft")
    note.write_text('{"name": "a.json", "size": 5, "crc32": 1, "time_ns": 1}')
    take_up(tmp_path)
    assert path.read_bytes() == b"before"
    assert "a.json may be damaged" in caplog.text


def test_where_no_file_can_be_made_a_full_disk_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    failing("open", errno.EROFS, makes_a_file)(monkeypatch)
    failures = iter([True, False])
    failing("fsync", errno.ENOSPC, lambda *_: next(failures))(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"after")
    assert path.read_bytes() == b"before"


def test_a_file_system_that_is_read_only_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"before")
    failing("open", errno.EROFS, makes_a_file)(monkeypatch)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OSError, match="Read-only"):
        write_atomically(path, b"after")
    assert path.read_bytes() == b"before"


def test_syncing_a_folder_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing("fsync", errno.EIO)(monkeypatch)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        sync_folder(tmp_path)
