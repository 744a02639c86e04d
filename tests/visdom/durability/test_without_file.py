"""Environments that cannot have a file: the journal keeps them, and what is in the place of the file stays as it is."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.visdom.durability.world import World, loaded
from visdom_transport.visdom.durability import folding

WINDOW = '{"content": "theirs", "n": 0}'


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("not mounted"))


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content) and None


IN_THE_WAY = {
    "a folder": folder,
    "a pipe": pipe,
    "a link to nothing": dangling,
    "a configuration": text('{"lr": 0.1}'),
    "a list": text("[1, 2]"),
    "comments": text("// no JSON\n{}"),
    "windows that are a list": text('{"jsons": [1], "reload": {}}'),
    "half of an environment": text('{"jsons": {"w": ' + WINDOW),
}


def there(path: Path) -> Any:
    """What is there, as far as it can be compared."""
    status = path.lstat()
    return status.st_mode, status.st_ino, status.st_mtime_ns, path.read_bytes() if path.is_file() else None


@pytest.mark.parametrize("make", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_is_in_the_way_stays_and_the_environment_is_durable(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make: Callable[[Path], None]
) -> None:
    envs = tmp_path / "envs"

    async def run() -> None:
        envs.mkdir()
        make(envs / "a.json")
        before = there(envs / "a.json")
        world, sizes = World(envs), []
        for n in range(30):
            world.set_window("a", "w", {"content": "x" * 5_000, "n": n})
            world.set_window("b", "w", {"content": "x" * 500, "n": n})
            await world.journal.write()
            assert world.durable == len(world.snapshots) - 1
            sizes.append(world.journal._files.size_bytes)
        assert max(sizes) < 40_000, "the journal does not grow without end"
        assert world.journal.status()["last_error"] is None, "it is where it belongs"
        with pytest.raises(OSError, match=r"a\.json"):
            world.journal.save("a", world.app.state["a"])
        expected = world.now()
        told = [record.getMessage() for record in caplog.records]
        assert len([each for each in told if each.startswith("environment 'a' has no file")]) == 1
        assert len(told) <= 2, "and that the file was left, if it was"
        assert await world.journal.close(), "all of it is on disk"
        assert there(envs / "a.json") == before
        assert (envs / "b.json").exists()
        assert sorted(path.name for path in envs.iterdir()) == [".transport", "a.json", "b.json"]

        again = World(envs)
        assert again.now() == expected
        assert again.publishers.numbers() == world.publishers.numbers()
        again.set_window("a", "more", {"n": 1})
        await again.journal.write()
        assert await again.journal.close()
        assert there(envs / "a.json") == before

        (envs / "a.json").rename(tmp_path / "away")
        last = World(envs)
        assert last.now() == again.now()
        assert await last.journal.close()
        assert (envs / "a.json").stat().st_size > 5_000, "as soon as it can, it has a file"
        assert loaded(envs)[0] == again.now()

    with mock.patch.object(folding, "MIN_FOLD_BYTES", 20_000):
        asyncio.run(run())


@pytest.mark.parametrize("ours", [False, True])
def test_a_file_that_becomes_whole_later_is_not_overwritten(tmp_path: Path, ours: bool) -> None:
    """Whoever was copying it has finished. The environment that began meanwhile is another one."""

    async def run() -> None:
        envs = tmp_path / "envs"
        envs.mkdir()
        whole = '{"jsons": {"w": {"content": "theirs", "n": 0}}, "reload": {}}'
        if ours:
            # A copy of a file of this very journal, which is restored together with it.
            first = World(envs)
            first.set_window("a", "w", {"content": "theirs", "n": 0})
            await first.journal.write()
            await first.fold()
            first.set_window("b", "w", {"n": 0})
            await first.journal.write()
            first.stop()
            whole = (envs / "a.json").read_text()
        (envs / "a.json").write_text(whole[:20])
        world = World(envs)
        world.set_window("a", "mine", {"n": 1})
        await world.journal.write()
        (envs / "a.json").write_text(whole)
        world.set_window("a", "mine", {"n": 2})
        await world.journal.write()
        await world.fold()
        with pytest.raises(OSError, match="there before this environment"):
            world.journal.save("a", world.app.state["a"])
        assert await world.journal.close()
        assert (envs / "a.json").read_text() == whole
        again = World(envs)
        assert again.now()["a"]["jsons"] == {"w": {"content": "theirs", "n": 0}}
        (aside,) = (envs / ".transport").glob("set-aside-*")
        assert '"mine",{"n":2}' in aside.read_text()
        again.stop()

    asyncio.run(run())


def test_an_empty_file_may_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Containers are given single files, which begin empty."""

    async def run() -> None:
        envs = tmp_path / "envs"
        envs.mkdir()
        (envs / "a.json").touch()
        world = World(envs)
        for n in range(2):
            world.set_window("a", "w", {"n": n})
            await world.journal.write()
            world.journal.save("a", world.app.state["a"])
            assert json.loads((envs / "a.json").read_bytes())["jsons"] == {"w": {"n": n}}
        assert len(caplog.records) == 1
        assert "a.json is empty" in caplog.text
        assert await world.journal.close()

    asyncio.run(run())


def test_an_empty_file_that_is_filled_by_somebody_else_is_theirs(tmp_path: Path) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        envs.mkdir()
        (envs / "a.json").touch()
        world = World(envs)
        world.set_window("a", "w", {"n": 1})
        (envs / "a.json").write_text('{"jsons": {}, "reload": {}}')
        with pytest.raises(OSError, match="there before this environment"):
            world.journal.save("a", world.app.state["a"])
        assert await world.journal.close()
        assert (envs / "a.json").read_text() == '{"jsons": {}, "reload": {}}'

    asyncio.run(run())


def test_ids_that_cannot_be_file_names_are_kept_under_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs")
        for eid in ("../up", "x" * 300, "nul\0"):
            world.set_window(eid, "w", {"n": 1})
            world.set_window(eid, "w", {"n": 2})
        world.set_window("a", "w", {"n": 1})
        await world.journal.write()
        assert world.durable == len(world.snapshots) - 1
        assert len(caplog.records) == 3
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()
        assert await world.journal.close()
        assert loaded(tmp_path / "envs")[0] == world.now()
        assert not (tmp_path / "up.json").exists()

    asyncio.run(run())


def test_names_that_differ_in_blanks_have_files_of_their_own(tmp_path: Path) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        world = World(envs)
        for n, eid in enumerate(("a", "a ", " a", "A.json", ".a", "a.json.b")):
            world.set_window(eid, "w", {"n": n})
        await world.journal.write()
        assert await world.journal.close()
        assert loaded(envs, journal="off")[0] == world.now()

    asyncio.run(run())


def test_what_is_not_journaled_is_journaled_at_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        envs.mkdir()
        (envs / "a.json").write_text("[]")
        world = World(envs, journal="fed", publisher=False)
        world.set_window("a", "w", {"n": 1})
        world.set_window("b", "w", {"n": 1})
        assert world.journal.status()["environments"] == []
        assert await world.journal.close()
        assert (envs / "a.json").read_text() == "[]"
        assert loaded(envs, journal="fed")[0] == world.now()

    asyncio.run(run())


def test_visdoms_own_save_at_the_end_takes_another_name(tmp_path: Path) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        envs.mkdir()
        (envs / "a.json").write_text("[]")
        world = World(envs, journal="off")
        world.set_window("a", "w", {"n": 1})
        assert await world.journal.close()
        world.journal.save("a", world.app.state["a"])
        assert (envs / "a.json").read_text() == "[]"
        assert json.loads((envs / "a (2).json").read_bytes())["jsons"] == {"w": {"n": 1}}

    asyncio.run(run())


def test_without_a_journal_the_end_saves_it_under_another_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        first = World(envs)
        first.set_window("b", "w", {"n": 1})
        await first.journal.write()
        (envs / "a.json").write_text("[]")
        (envs / "a (2).json").write_text("[]")
        second = World(envs)
        assert not second.journal.on, "another server uses the directory"
        second.set_window("a", "w", {"n": 1})
        assert await second.journal.close()
        assert (envs / "a.json").read_text() == (envs / "a (2).json").read_text() == "[]"
        assert "'a' is saved as 'a (3)'" in caplog.text
        first.stop()
        assert loaded(envs)[0]["a (3)"]["jsons"] == {"w": {"n": 1}}

    asyncio.run(run())


def test_switched_off_nothing_in_the_journal_is_lost(tmp_path: Path) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        envs.mkdir()
        (envs / "a.json").write_text("[]")
        world = World(envs)
        world.set_window("a", "w", {"n": 1})
        world.set_window("b", "w", {"n": 1})
        await world.journal.write()
        world.stop()
        for _ in range(2):
            state = loaded(envs, journal="off")[0]
            assert state["a (2)"] == world.now()["a"] if "a (2)" in state else state["a"] == world.now()["a"]
            assert state["b"] == world.now()["b"]
        assert (envs / "a.json").read_text() == "[]"
        assert list((envs / ".transport").glob("journal-*")) == []

    asyncio.run(run())


@pytest.mark.parametrize("damage", [b'{"jsons": {', b"[]", b"\x00" * 40])
def test_a_damaged_file_does_not_take_what_the_journal_has(tmp_path: Path, damage: bytes) -> None:
    """All of the environment is in the journal, whatever was in its file when it began."""

    async def run() -> None:
        envs = tmp_path / "envs"
        envs.mkdir()
        (envs / "a.json").write_text('{"jsons": {"old": {"n": 0}}, "reload": {}}')
        world = World(envs)
        assert world.app.state["a"]["jsons"]
        world.replace("a", {"jsons": {"old": {"n": 0}, "w": {"n": 1}}, "reload": {}})
        await world.journal.write()
        expected = world.now()
        world.stop()
        (envs / "a.json").write_bytes(damage)
        again = World(envs)
        assert again.now() == expected
        again.set_window("a", "w", {"n": 2})
        await again.journal.write()
        assert await again.journal.close()
        assert (envs / "a.json").read_bytes() == damage
        assert loaded(envs)[0] == again.now()

    asyncio.run(run())


@pytest.mark.parametrize("how", ["folded", "read"])
def test_records_that_continue_a_damaged_file_are_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        if how == "read":
            envs.mkdir()
            (envs / "a.json").write_text('{"jsons": {"w": {"n": 1}}, "reload": {}}')
        world = World(envs)
        if how == "folded":
            world.set_window("a", "w", {"n": 1})
        world.set_window("b", "w", {"n": 1})
        await world.journal.write()
        if how == "folded":
            await world.fold()
        world.set_window("a", "w", {"n": 2})
        await world.journal.write()
        world.stop()
        damage = (envs / "a.json").read_bytes()[:-9]
        (envs / "a.json").write_bytes(damage)
        again = World(envs)
        assert "a.json is not JSON" in caplog.text
        (aside,) = (envs / ".transport").glob("set-aside-*")
        assert aside.name in caplog.text
        assert '["window","a","w",{"n":2}]' in aside.read_text()
        assert (envs / "a.json").read_bytes() == damage
        assert again.app.state["b"]["jsons"] == {"w": {"n": 1}}
        again.stop()

    asyncio.run(run())


def not_opened(name: str) -> Any:
    """As if the file were somebody else's, whose mode lets nobody read it."""
    original = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return original(path)

    return mock.patch.object(Path, "read_bytes", read_bytes)


def test_a_file_that_cannot_be_opened_now_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The journal continues the file of `a`, and says all there is of `b`."""

    async def run() -> None:
        envs = tmp_path / "envs"
        world = World(envs)
        world.set_window("a", "w", {"n": 1})
        await world.journal.write()
        await world.fold()
        world.set_window("a", "v", {"n": 2})
        (envs / "b.json").write_text('{"jsons": {}, "reload": {}}')
        world.replace("b", {"jsons": {"w": {"n": 1}}, "reload": {}})
        await world.journal.write()
        expected = world.now()
        world.stop()

        with not_opened("b.json"):
            again = World(envs)
            assert again.now() == expected
            assert "b.json cannot be opened: Permission denied" in caplog.text
            again.set_window("b", "v", {"n": 2})
            await again.journal.write()
            assert await again.journal.close()
        assert (envs / "b.json").read_text() == '{"jsons": {}, "reload": {}}'
        assert loaded(envs)[0] == again.now()
        last = World(envs)
        assert await last.journal.close()
        assert loaded(envs, journal="off")[0] == again.now(), "it can be written again"

    asyncio.run(run())


def test_a_journal_that_continues_a_file_that_cannot_be_opened_waits_for_it(tmp_path: Path) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        world = World(envs)
        world.set_window("a", "w", {"n": 1})
        world.set_window("b", "w", {"n": 1})
        await world.journal.write()
        await world.fold()
        world.set_window("a", "w", {"n": 2})
        world.set_window("b", "w", {"n": 2})
        await world.journal.write()
        expected = world.now()
        world.stop()
        with not_opened("a.json"):
            again = World(envs)
            assert not again.journal.on
            assert "Permission denied" in str(again.journal.error)
            assert again.now() == {"b": {"jsons": {"w": {"n": 1}}, "reload": {}}}, "what the file says"
            assert await again.journal.close()
            again.stop()
        assert loaded(envs)[0] == expected

    asyncio.run(run())
