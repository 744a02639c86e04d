"""Folders of an outbox directory: whose they are, and who takes over those of processes that have ended."""

from __future__ import annotations

import errno
import json
import shutil
import stat
import threading
from pathlib import Path

import pytest

from tests.client.disk.logs import HERE, batch, left_behind, write
from visdom_transport.client.disk.folders import Folder, base_name, folders, is_taken, make, take_over, unusable
from visdom_transport.client.disk.owner import EXPIRES_S, Owners, Ownership, owner_of


def of_another_machine(folder: Folder, beat: int = 0) -> None:
    """Say that a folder belongs to a process elsewhere."""
    owner = {"beat": beat, "host": "elsewhere", "pid": 1, "boot": "another", "pids": "another", "started": "1"}
    (folder.path / "owner.json").write_text(json.dumps(owner))


def test_a_folder_is_its_processs_while_that_lives(tmp_path: Path) -> None:
    folder, _ = make(tmp_path / "outbox", HERE, "a" * 32)
    assert Owners().lives(folder.path) is True
    assert take_over(folder, Owners()) is None
    assert folders(tmp_path / "outbox") == [folder]
    assert "process" in owner_of(folder.path)


def test_a_folder_that_could_not_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("visdom_transport.client.disk.folders.write_atomically", full)
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            make(tmp_path / "outbox", HERE, "a" * 32)
    assert list((tmp_path / "outbox").iterdir()) == []


def test_nobody_else_may_read_what_is_in_it(tmp_path: Path) -> None:
    folder, _ = make(tmp_path / "outbox", HERE, "a" * 32)
    folder.note_course(3, 2)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "outbox", folder.path, *folder.path.iterdir()]}
    assert {modes.pop("outbox"), modes.pop(folder.path.name)} == {0o700}
    assert modes == {"owner.json": 0o600, "publisher.json": 0o600, "course.json": 0o600}


def test_a_folder_of_a_process_that_has_ended_is_taken_over(tmp_path: Path) -> None:
    folder = left_behind(tmp_path)
    taken = take_over(folder, Owners())
    assert taken is not None
    assert (taken[0].log_id, taken[0].server, base_name(taken[0])) == (folder.log_id, folder.server, base_name(folder))
    assert is_taken(taken[0])
    assert folders(tmp_path) == [taken[0]]
    assert Owners().lives(taken[0].path) is True
    assert take_over(folder, Owners()) is None


def test_of_many_who_try_at_once_one_takes_a_folder_over(tmp_path: Path) -> None:
    for _ in range(5):
        folder = left_behind(tmp_path)
        together = threading.Barrier(8)
        taken: list[object] = []

        def take(folder: Folder = folder, together: threading.Barrier = together, taken: list[object] = taken) -> None:
            together.wait()
            taken.append(take_over(folder, Owners()))

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(each is not None for each in taken) == 1
        shutil.rmtree(folders(tmp_path)[0].path)


def test_the_owner_notices_that_its_folder_was_taken_over(tmp_path: Path) -> None:
    folder = left_behind(tmp_path)
    first = take_over(folder, Owners())
    assert first is not None
    of_another_machine(first[0])
    now = [0.0]
    owners = Owners(lambda: now[0])
    assert owners.lives(first[0].path) is None
    now[0] = EXPIRES_S + 1
    assert take_over(first[0], owners) is not None
    first[1]._next = 0.0
    with pytest.raises(FileNotFoundError):
        first[1].renew()


def test_a_folder_that_is_just_being_removed_is_not_written_to(tmp_path: Path) -> None:
    folder, ownership = make(tmp_path, HERE, "a" * 32)
    for path in folder.path.iterdir():
        path.unlink()
    ownership._next = 0.0
    with pytest.raises(FileNotFoundError):
        ownership.renew()
    assert list(folder.path.iterdir()) == []


def test_a_process_of_another_machine_lives_while_it_says_so(tmp_path: Path) -> None:
    folder = left_behind(tmp_path)
    of_another_machine(folder)
    now = [0.0]
    owners = Owners(lambda: now[0])
    assert owners.lives(folder.path) is None
    now[0] = EXPIRES_S - 1
    of_another_machine(folder, beat=1)
    assert owners.lives(folder.path) is True
    now[0] += EXPIRES_S - 1
    assert owners.lives(folder.path) is True
    now[0] += 2
    assert owners.lives(folder.path) is False


def test_a_copy_of_a_folder_is_not_its_owners(tmp_path: Path) -> None:
    folder, _ = make(tmp_path / "outbox", HERE, "a" * 32)
    shutil.copytree(folder.path, tmp_path / "copy" / folder.path.name)
    now = [0.0]
    owners = Owners(lambda: now[0])
    copy = folders(tmp_path / "copy")[0]
    assert owners.lives(copy.path) is None
    now[0] = EXPIRES_S + 1
    assert owners.lives(copy.path) is False


def test_what_is_no_folder_of_a_publisher_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "something").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "publisher.json").write_text('{"format": 1, "publ')
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "publisher.json").write_text('{"format": 2, "publisher": "a", "server": "b"}')
    (tmp_path / "file").write_text("")
    assert folders(tmp_path) == []
    assert folders(tmp_path / "missing") == []


@pytest.mark.parametrize("content", ["", '{"format": 1, "publ', '{"format": 2, "publisher": "a", "server": "b"}'])
def test_a_log_that_does_not_say_whose_it_is_is_not_passed_over_in_silence(tmp_path: Path, content: str) -> None:
    kept = left_behind(tmp_path)
    lost = left_behind(tmp_path).path
    (lost / "publisher.json").write_text(content)
    assert unusable(tmp_path) == {}, "there is no log in it"
    write(kept.path, batch(1))
    write(lost, batch(1))
    assert folders(tmp_path) == [kept]
    assert {path: "publisher.json" in why for path, why in unusable(tmp_path).items()} == {lost: True}


def test_a_folder_that_is_removed_meanwhile_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = left_behind(tmp_path)
    write(folder.path, batch(1))

    def gone(path: Path) -> None:
        folder.remove()

    monkeypatch.setattr("visdom_transport.client.disk.folders._folder", gone)
    assert unusable(tmp_path) == {}


def test_where_a_course_is_torn_it_begins_at_the_beginning(tmp_path: Path) -> None:
    folder, ownership = make(tmp_path, HERE, "a" * 32)
    folder.note_course(5, 3)
    assert folder.course() == (5, 3)
    (folder.path / "course.json").write_text('{"confirmed": 5, "off')
    assert folder.course() == (0, 0)
    assert isinstance(ownership, Ownership)
