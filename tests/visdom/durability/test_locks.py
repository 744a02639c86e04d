"""One server at a time writes the journal of a folder, also where files cannot be locked."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.wait import until
from tests.visdom.durability.world import World, loaded
from visdom_transport.visdom.durability import lease as lease_module
from visdom_transport.visdom.durability.lease import Lease
from visdom_transport.visdom.durability.locks import FolderLock


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"RENEW_S": 0.05, "EXPIRES_S": 0.5, "SETTLE_S": 0.05, "LOOK_S": 0.02}.items():
        monkeypatch.setattr(lease_module, name, seconds)


def none(number: int) -> Callable[..., None]:
    def lock(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    return lock


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", none(request.param))
    monkeypatch.setattr(fcntl, "lockf", none(request.param))


def test_two_do_not_have_the_lock(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_where_flock_is_not_there_the_other_lock_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fcntl, "flock", none(errno.EOPNOTSUPP))
    lock = FolderLock(tmp_path)
    assert lock.acquire()
    assert caplog.text == ""
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    program = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    assert subprocess.run([sys.executable, "-c", program, tmp_path / "lock"], capture_output=True).returncode == 1
    lock.release()
    assert subprocess.run([sys.executable, "-c", program, tmp_path / "lock"], capture_output=True).returncode == 0


@pytest.mark.usefixtures("without_locks")
def test_without_locks_two_do_not_have_the_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / ".transport"
    folder.mkdir()
    first, second = FolderLock(folder), FolderLock(folder)
    assert first.acquire()
    assert not second.acquire()
    assert not first.is_lost()
    first.release()
    began = time.monotonic()
    assert second.acquire(), "it was given back"
    assert time.monotonic() - began < lease_module.EXPIRES_S, "so there is nothing to wait for"
    second.release()
    assert caplog.text.count("files cannot be locked") == 1


@pytest.mark.usefixtures("without_locks")
def test_without_locks_two_servers_do_not_share_a_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        first = World(tmp_path / "envs")
        first.set_window("a", "w", {"n": 1})
        await first.journal.write()
        second = World(tmp_path / "envs")
        assert not second.journal.on
        assert "another server uses" in caplog.text
        first.set_window("a", "w", {"n": 2})
        await first.journal.write()
        assert first.durable == 2
        assert loaded(first.image(tmp_path / "image"))[0] == first.now()
        first.stop()

    asyncio.run(run())


def test_a_lease_of_a_process_that_was_killed_here_is_taken_at_once(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from visdom_transport.visdom.durability.lease import Lease
print(Lease(Path(sys.argv[1])).acquire(), flush=True)
time.sleep(60)  # until it is killed
"""
    with subprocess.Popen([sys.executable, "-c", program, tmp_path / "lease"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"True\n"
            assert not Lease(tmp_path / "lease").acquire(), "it lives"
        finally:
            process.kill()
    began = time.monotonic()
    lease = Lease(tmp_path / "lease")
    assert lease.acquire()
    assert time.monotonic() - began < lease_module.EXPIRES_S
    lease.release()


def test_a_lease_of_another_machine_is_taken_when_it_was_not_renewed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "lease").write_bytes(json.dumps({"token": "theirs", "beat": 7, "host": "other", "pid": 1}).encode())
    lease = Lease(tmp_path / "lease")
    began = time.monotonic()
    assert lease.acquire()
    assert time.monotonic() - began >= lease_module.EXPIRES_S
    assert "waiting" in caplog.text
    lease.release()


def test_of_two_that_take_it_at_once_one_has_it(tmp_path: Path) -> None:
    async def run() -> list[bool]:
        leases = [Lease(tmp_path / "lease") for _ in range(4)]
        held = await asyncio.gather(*(asyncio.to_thread(lease.acquire) for lease in leases))
        for lease in leases:
            lease.release()
        return held

    assert asyncio.run(run()).count(True) == 1


def test_a_lease_that_another_has_taken_is_lost(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "lease")
    assert lease.acquire()
    (tmp_path / "lease").write_bytes(b'{"token": "theirs", "beat": 1}')
    until(lease.is_lost, "it is seen")
    lease.release()
    assert b"theirs" in (tmp_path / "lease").read_bytes(), "it is not this one's to remove"


@pytest.mark.usefixtures("without_locks")
def test_a_server_that_has_lost_the_folder_leaves_the_journal_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs")
        world.set_window("a", "w", {"n": 1})
        await world.journal.write()
        before = {path: path.read_bytes() for path in (tmp_path / "envs" / ".transport").glob("journal-*")}
        (tmp_path / "envs" / ".transport" / "lease").write_bytes(b'{"token": "theirs", "beat": 1}')
        until(world.journal._files.is_lost, "it is seen")
        world.set_window("a", "w", {"n": 2})
        await world.journal.write()
        assert {path: path.read_bytes() for path in (tmp_path / "envs" / ".transport").glob("journal-*")} == before
        assert not world.journal.on
        assert caplog.text.count("another server uses") == 1

    asyncio.run(run())
