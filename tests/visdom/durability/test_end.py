"""The end of a server: quickly, with everything on disk, however much there is and however slow the disk."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests

from tests.visdom.durability.process import ServerProcess
from tests.visdom.durability.world import World, loaded
from visdom_transport.visdom.durability import ending, many

SLOW = """
import os, threading, time
sync, lock = os.fsync, threading.Lock()
def fsync(descriptor):
    with lock:  # a disk does one thing at a time
        time.sleep({seconds})  # the pace of the disk itself
    sync(descriptor)
os.fsync = fsync
"""


def text(eid: str, content: str = "x") -> dict[str, Any]:
    return {"win": "w", "eid": eid, "data": [{"type": "text", "content": content}], "opts": {}}


def test_many_environments_that_nobody_saved_are_on_disk_in_time_and_there_again(tmp_path: Path) -> None:
    """Syncing each of the files alone would take 18 s."""
    envs, count = tmp_path / "envs", 600
    envs.mkdir()
    with ServerProcess(envs, odd=SLOW.format(seconds=0.03)) as server:
        for n in range(count):
            server.post("/events", text(f"e{n}"))
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        answers = []
        while server.process.poll() is None:
            try:
                asked = time.monotonic()
                answers.append((requests.post(server.url("/events"), json=text("late"), timeout=10).status_code, asked))
            except requests.ConnectionError:
                break
        assert server.process.wait(30) == 0
        took = time.monotonic() - began
        log = server.log()
    assert took < 15, log[-2000:]
    refused = [asked for status, asked in answers if status == 503]
    assert refused[-1] - refused[0] > 2, "it answers until its end"
    assert "the next start writes them" in log
    with ServerProcess(envs) as server:
        late = {"late"} if 200 in {status for status, _ in answers} else set()
        assert set(server.post("/env_state", {}).json()) == {"main", *late, *(f"e{n}" for n in range(count))}
        assert server.windows(f"e{count - 1}")["w"]["content"] == "x"


def change(world: World, count: int, size: int = 1) -> None:
    for n in range(count):
        world.app.state[f"e{n}"] = {"jsons": {"w": {"content": "x" * size, "n": n}}, "reload": {}}


@pytest.mark.parametrize("mode", ["fed", "all"])
def test_what_there_is_no_time_for_is_in_the_journal_and_in_its_file_after_the_next_start(tmp_path: Path, mode: str) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs", journal=mode)
        change(world, 20)
        world.snapshots.append(world.now())
        with mock.patch.object(ending, "END_S", -1.0):
            assert await world.journal.close()
        assert not list((tmp_path / "envs").glob("*.json"))
        again = World(tmp_path / "envs", journal=mode)
        assert again.now() == world.now()
        await again.journal.write()
        assert len(list((tmp_path / "envs").glob("*.json"))) == 20
        assert loaded(again.image(tmp_path / "image"), journal=mode)[0] == world.now()
        assert await again.journal.close()
        (journal,) = (tmp_path / "envs" / ".transport").glob("journal-*")
        assert journal.stat().st_size < 200, "there is nothing left in it"

    asyncio.run(run())


def test_what_is_in_its_file_already_is_not_written_again_by_the_next_start(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs")
        change(world, 20)
        clock = iter([False] * 5 + [True] * 100)
        written = many.write_all

        async def five(*args: Any, is_over: Any, **kwargs: Any) -> Any:
            return await written(*args, is_over=lambda: next(clock), **kwargs)

        with mock.patch.object(ending, "write_all", five):
            assert await world.journal.close()
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "envs").glob("*.json")}
        assert len(before) == 5
        again = World(tmp_path / "envs")
        assert again.now() == world.now()
        await again.journal.write()
        assert len(list((tmp_path / "envs").glob("*.json"))) == 20
        assert {path: path.stat().st_mtime_ns for path in before} == before
        assert loaded(again.image(tmp_path / "image"))[0] == world.now()

    asyncio.run(run())


def test_a_crash_at_any_moment_of_the_end(tmp_path: Path) -> None:
    """What was journaled by then is there, and each file is whole."""

    async def run() -> None:
        world = World(tmp_path / "envs", journal="fed")
        change(world, 12)
        ending = asyncio.create_task(world.journal.close())
        counts = []
        for moment in range(10_000):
            if ending.done():
                break
            state, _ = loaded(world.image(tmp_path / f"image-{moment}"), journal="fed")
            assert all(world.now()[eid] == environment for eid, environment in state.items())
            counts.append(len(state))
            await asyncio.sleep(0.001)
        assert await ending
        assert counts == sorted(counts), "nothing that was on disk is lost again"
        assert loaded(tmp_path / "envs", journal="fed")[0] == world.now()

    asyncio.run(run())


def test_one_environment_that_cannot_be_written_does_not_keep_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs", journal="fed")
        change(world, 4)
        replace = os.replace

        def refuse(source: Path, target: Path) -> None:
            if target.name == "e2.json":
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            replace(source, target)

        monkeypatch.setattr(os, "replace", refuse)
        assert await world.journal.close(), "it is in the journal"
        assert "environment 'e2' could not be saved: File name too long" in caplog.text
        assert {path.name for path in (tmp_path / "envs").glob("*.json")} == {f"e{n}.json" for n in (0, 1, 3)}
        assert (tmp_path / "envs" / ".transport" / "journal-000002.log").stat().st_size < 600, "and nothing else is"
        assert loaded(tmp_path / "envs", journal="fed")[0] == world.now()

    asyncio.run(run())


def test_without_a_journal_all_files_are_written_however_long_that_takes(tmp_path: Path) -> None:
    async def run() -> None:
        other = World(tmp_path / "envs")
        other.set_window("other", "w", {"n": 1})
        await other.journal.write()
        world = World(tmp_path / "envs")
        assert not world.journal.on
        change(world, 20)
        with mock.patch.object(ending, "END_S", -1.0):
            assert await world.journal.close()
        assert len(list((tmp_path / "envs").glob("e*.json"))) == 20

    asyncio.run(run())


def test_a_journal_that_is_full_leaves_the_files(tmp_path: Path) -> None:
    """The limit is that of the journal alone."""

    def write(descriptor: int, data: Any) -> int:
        raise OSError(28, os.strerror(28))

    async def run() -> None:
        world = World(tmp_path / "envs", journal="fed", write=write)
        change(world, 20)
        with mock.patch.object(ending, "END_S", -1.0):
            assert await world.journal.close()
        assert len(list((tmp_path / "envs").glob("e*.json"))) == 20

    asyncio.run(run())


def test_a_fold_that_is_under_way_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs")
        change(world, 30)
        await world.journal.write()
        folding = asyncio.create_task(world.fold())
        world.journal._task = folding
        await asyncio.sleep(0)
        with mock.patch.object(ending, "END_S", -1.0):
            assert await world.journal.close()
        assert len(list((tmp_path / "envs").glob("*.json"))) < 30
        assert loaded(tmp_path / "envs")[0] == world.now()

    asyncio.run(run())


def test_the_folder_is_synced_once_and_several_files_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders, under_way, most = 0, 0, 0
    lock, sync = threading.Lock(), os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal folders, under_way, most
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        with lock:
            folders += path == str(tmp_path / "envs")
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.002)  # a disk takes so long: only then are several under way at once
        sync(descriptor)
        with lock:
            under_way -= 1

    async def run() -> None:
        world = World(tmp_path / "envs", journal="fed")
        change(world, 60)
        monkeypatch.setattr(os, "fsync", fsync)
        assert await world.journal.close()

    asyncio.run(run())
    assert folders <= 2, "before the journal is dropped"
    assert most > 1


def test_progress_is_told_when_it_takes_long(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def run() -> None:
        world = World(tmp_path / "envs", journal="fed")
        change(world, 200)
        assert await world.journal.close()

    with mock.patch.object(many, "REPORT_S", 0.01):
        asyncio.run(run())
    assert "of 200 environments are in their files" in caplog.text
