"""Environments of clients that wait for nothing: what is on disk is at most so old, and of large windows older."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.visdom.durability.world import Disk, World, inline_executor, loaded, window
from visdom_transport.visdom.durability import changes as changes_module
from visdom_transport.visdom.durability import folding, writer

ENVIRONMENTS = ["a", "b"]
SMALL = ["u", "v"]
LARGE = ["x", "y"]


class Versions:
    """What each window was after each step, by the step."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.small_since = self.all_since = 0

    def written(self, *, everything: bool, before: int) -> None:
        self.small_since = before
        if everything:
            self.all_since = before

    def check(self, image: Path) -> None:
        """Each window is as it was at some step, which is not too long ago."""
        state, _ = loaded(image)
        for eid in ENVIRONMENTS:
            for win in SMALL + LARGE:
                since = self.small_since if win in SMALL else self.all_since
                found = state.get(eid, {"jsons": {}})["jsons"].get(win)
                versions = self._versions(eid, win, since)
                if None in versions and win in self._world.saved.get(eid, {}):
                    # It was saved, so it does not go by being closed.
                    versions = [*self._versions(eid, win, self._world.saved[eid][win]), *versions]
                    assert found is not None, (eid, win)
                assert found in versions, (eid, win, found, versions)

    def _versions(self, eid: str, win: str, since: int) -> list[Any]:
        return [snapshot.get(eid, {"jsons": {}})["jsons"].get(win) for snapshot in self._world.snapshots[since:]]


def step(world: World, rng: random.Random) -> None:
    n = len(world.snapshots)
    eid, win, kind = rng.choice(ENVIRONMENTS), rng.choice(SMALL + LARGE), rng.randrange(12)
    size = 20 if win in SMALL else 2_000
    if kind < 4:
        world.set_window(eid, win, window(n, size))
    elif kind < 9:
        world.update(eid, win, [["extend", ["content", "data", 0, "x"], [n, n]], ["set", ["n"], n]])
    elif kind == 9:
        world.close(eid, win)
    elif kind == 10:
        world.replace(eid, {"jsons": {name: window(n) for name in rng.sample(SMALL + LARGE, 3)}, "reload": {}})
    else:
        world.place(eid, win, {"i": n})


@pytest.fixture
def small_limits() -> Iterator[None]:
    """What takes megabytes otherwise takes some hundred bytes."""
    with (
        mock.patch.object(writer, "SMALL_BYTES", 1_000),
        mock.patch.object(writer, "STEP_BYTES", 1),
        mock.patch.object(folding, "STEP_BYTES", 1),
        mock.patch.object(changes_module, "MANY_DELTAS_BYTES", 100),
    ):
        yield


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("seed", range(16))
def test_a_crash_at_any_moment_of_writing_and_folding_and_saving(tmp_path: Path, seed: int) -> None:
    """Nothing is ahead of the large ones: they are written with everything, by folding, or never."""
    rng = random.Random(seed)

    async def run() -> None:
        inline_executor()
        world = World(tmp_path / "envs", publisher=False, journal_interval_s=14, journal_bytes_per_s=1)
        versions = Versions(world)
        for number in range(20):
            for _ in range(rng.randrange(8)):
                step(world, rng)
            before, everything = len(world.snapshots) - 1, rng.random() < 0.3
            busy = asyncio.create_task(act(world, "everything" if everything else rng.choice(["write", "fold", "save"])))
            while not busy.done():
                if rng.random() < 0.5:
                    step(world, rng)
                if rng.random() < 0.15:
                    versions.check(world.image(tmp_path / "image"))
                    shutil.rmtree(tmp_path / "image")
                await asyncio.sleep(0)
            await busy
            versions.written(everything=everything, before=before)
            versions.check(world.image(tmp_path / f"image-{number}"))
            if rng.random() < 0.1:
                world = await restarted(world)
                versions = Versions(world)
        assert await world.journal.close()
        check_restored(world, loaded(tmp_path / "envs")[0])

    async def act(world: World, what: str) -> None:
        await world.journal.write(everything=what == "everything")
        if what == "fold":
            await world.fold()
        elif what == "save" and world.app.state:
            eid = rng.choice(list(world.app.state))
            world.save(eid)

    asyncio.run(run())


async def restarted(world: World) -> World:
    await world.journal.write(everything=True)
    world.stop()
    again = World(world.folder, publisher=False, journal_interval_s=14, journal_bytes_per_s=1)
    check_restored(world, again.now())
    again.snapshots = [*world.snapshots, again.now()]
    again.saved = world.saved
    return again


def check_restored(world: World, state: dict[str, Any]) -> None:
    """Whether ``state`` is what there was, and windows that were saved and then closed."""
    assert state.keys() == world.now().keys()
    for eid, (windows, positions) in without_members(world.now()).items():
        assert state[eid]["jsons"].keys() == windows.keys() | world.saved.get(eid, {}).keys()
        assert {win: state[eid]["jsons"][win] for win in windows} == windows
        assert state[eid]["reload"] == positions


def without_members(state: dict[str, Any]) -> dict[str, Any]:
    return {eid: (environment["jsons"], environment["reload"]) for eid, environment in state.items()}


def journal_bytes(world: World) -> int:
    return world.journal._files.size_bytes


def test_a_large_window_does_not_hold_up_a_small_one(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs", publisher=False, journal_interval_s=14, journal_bytes_per_s=100_000)
        world.set_window("a", "small", window(0))
        sizes = []
        for n in range(5):
            world.set_window("a", "large", window(n, 2_000_000))
            world.update("a", "small", [["set", ["n"], n]])
            before = journal_bytes(world)
            await world.journal.write()
            sizes.append(journal_bytes(world) - before)
            state, _ = loaded(world.image(tmp_path / f"image-{n}"))
            assert state["a"]["jsons"]["small"]["n"] == n
            assert state["a"]["jsons"]["large"]["n"] == 0, "it was new, and must wait for 20 s now"
        assert sizes[0] > 2_000_000
        assert max(sizes[1:]) < 1_000
        assert not world.journal.status()["on_disk"]
        await world.journal.write(everything=True)
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()
        assert world.journal.status()["on_disk"]

    asyncio.run(run())


def test_what_a_publisher_feeds_is_written_whatever_its_size(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs", publisher=False, journal_interval_s=14, journal_bytes_per_s=1_000)
        for n in range(3):
            world.set_window("a", "large", window(n, 200_000))
            await world.journal.write()
        world.journal.track("a")
        await world.journal.write()
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()
        assert world.journal.status()["on_disk"]

    asyncio.run(run())


def test_many_changes_of_a_part_take_no_more_room_than_the_part(tmp_path: Path) -> None:
    world = World(tmp_path / "envs", publisher=False)
    asyncio.run(world.journal.write())
    world.set_window("a", "w", window(0, 1_000))
    asyncio.run(world.journal.write())
    changes = world.journal._tracking.changes
    for n in range(500):
        world.update("a", "w", [["set", ["content", "text"], "x" * 1_000], ["set", ["n"], n]])
        assert changes.size(("a", "window", "w")) < 70_000
    asyncio.run(world.journal.write())
    assert journal_bytes(world) < 10_000
    assert loaded(world.image(tmp_path / "image"))[0] == world.now()


def test_a_save_from_another_thread_is_complete(tmp_path: Path) -> None:
    """Of an environment that has begun just now, with a window whose turn has not come."""

    async def run() -> None:
        world = World(tmp_path / "envs", publisher=False, journal_interval_s=10, journal_bytes_per_s=1)
        world.set_window("other", "large", window(0, 100_000))
        await world.journal.write()
        world.set_window("a", "large", window(0, 100_000))
        await asyncio.to_thread(world.journal.save, "a", world.app.state["a"])
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()

    asyncio.run(run())


def test_a_save_after_the_disk_was_full_does_not_lose_the_others(tmp_path: Path) -> None:
    async def run() -> None:
        disk = Disk()
        world = World(tmp_path / "envs", publisher=False, write=disk.write)
        world.set_window("a", "w", window(0))
        await world.journal.write()
        disk.room = 10
        world.set_window("b", "w", window(0))
        await world.journal.write()
        assert world.journal.status()["last_error"]
        disk.room = float("inf")
        world.journal.save("b", world.app.state["b"])
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()
        await world.journal.write()
        assert loaded(world.image(tmp_path / "image-2"))[0] == world.now()

    asyncio.run(run())


def test_what_is_saved_while_the_journal_cannot_be_written_is_in_its_file(tmp_path: Path) -> None:
    async def run() -> None:
        disk = Disk()
        world = World(tmp_path / "envs", publisher=False, write=disk.write)
        world.set_window("a", "w", window(0))
        await world.journal.write()
        disk.room = 10
        world.set_window("a", "w", window(1, 1_000))
        world.journal.save("a", world.app.state["a"])
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()
        disk.room = float("inf")
        world.update("a", "w", [["set", ["n"], 2]])
        await world.journal.write()
        assert loaded(world.image(tmp_path / "image-2"))[0] == world.now()

    asyncio.run(run())


def test_what_is_saved_while_there_can_be_no_journal_is_in_its_file(tmp_path: Path) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        envs.mkdir()
        (envs / ".transport").write_text("in the way")
        world = World(envs, publisher=False)
        world.set_window("a", "w", window(0))
        world.journal.save("a", world.app.state["a"])
        assert set(json.loads((envs / "a.json").read_bytes())["jsons"]) == {"w"}
        (envs / ".transport").unlink()
        world.update("a", "w", [["set", ["n"], 2]])
        await world.journal.write()
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()

    asyncio.run(run())


# --- what was read from a file ---


def saved_environment(folder: Path, windows: int) -> Path:
    folder.mkdir()
    path = folder / "a.json"
    content = {"jsons": {f"w{n}": window(n, 10_000) for n in range(windows)}, "reload": {}, "transport_saved": []}
    path.write_text(json.dumps(content))
    return path


def test_the_first_change_of_a_large_environment_that_was_read_writes_the_change(tmp_path: Path) -> None:
    saved_environment(tmp_path / "envs", 100)

    async def run() -> None:
        world = World(tmp_path / "envs", publisher=False)
        world.update("a", "w7", [["set", ["n"], -1]])
        world.set_window("a", "new", window(1))
        world.place("a", "w1", {"i": 5})
        await world.journal.write()
        assert journal_bytes(world) < 1_000
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()
        world.close("a", "w3")
        await world.fold()
        world.update("a", "w8", [["set", ["n"], -1]])
        await world.journal.write()
        assert journal_bytes(world) < 1_000
        assert loaded(world.image(tmp_path / "image-2"))[0] == world.now()
        world.stop()
        again = World(tmp_path / "envs", publisher=False)
        assert again.now() == world.now()

    asyncio.run(run())


def test_a_file_that_was_changed_since_it_was_read_is_not_what_the_environment_goes_on_from(tmp_path: Path) -> None:
    path = saved_environment(tmp_path / "envs", 3)

    async def run() -> None:
        world = World(tmp_path / "envs", publisher=False)
        path.write_text('{"jsons": {}, "reload": {"by": "somebody else"}}')
        world.update("a", "w1", [["set", ["n"], -1]])
        await world.journal.write()
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()

    asyncio.run(run())


def test_a_file_that_is_changed_later_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved_environment(tmp_path / "envs", 3)

    async def run() -> None:
        world = World(tmp_path / "envs", publisher=False)
        world.update("a", "w1", [["set", ["n"], -1]])
        await world.journal.write()
        path.write_text('{"jsons": {}, "reload": {"by": "somebody else"}}')
        state, _ = loaded(world.image(tmp_path / "image"))
        assert state["a"]["reload"] == {"by": "somebody else"}
        assert "environment a was not used" in caplog.text

    asyncio.run(run())


@pytest.mark.parametrize("how", ["saved", "replaced"])
def test_an_environment_that_has_changed_before_it_is_journaled_is_written_as_a_whole(tmp_path: Path, how: str) -> None:
    saved_environment(tmp_path / "envs", 3)

    async def run() -> None:
        world = World(tmp_path / "envs", publisher=False, journal="fed")
        if how == "replaced":
            world.app.state["a"]["jsons"] = {"other": window(1)}
        world.update("a", "w1", [["set", ["n"], -1]])
        if how == "saved":
            world.journal.save("a", world.app.state["a"])
            world.update("a", "w2", [["set", ["n"], -2]])
        world.journal.track("a")
        world.update("a", "w2", [["set", ["n"], -3]])
        await world.journal.write()
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()

    asyncio.run(run())


def test_what_is_saved_before_the_journal_has_begun_is_not_written_twice(tmp_path: Path) -> None:
    """A fork: the copy is saved at once."""

    async def run() -> None:
        world = World(tmp_path / "envs", publisher=False)
        world.replace("fork", {"jsons": {f"w{n}": window(n, 10_000) for n in range(50)}, "reload": {}})
        world.journal.save("fork", world.app.state["fork"])
        assert journal_bytes(world) < 1_000
        world.update("fork", "w3", [["set", ["n"], -1]])
        await world.journal.write()
        assert journal_bytes(world) < 1_000
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()

    asyncio.run(run())


def test_an_environment_that_replaces_another_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    async def run() -> None:
        inline_executor()
        world = World(tmp_path / "envs", publisher=False, journal_interval_s=14, journal_bytes_per_s=1)
        world.set_window("a", "old", window(0, 100_000))
        await world.journal.write(everything=True)
        world.replace("a", {"jsons": {f"w{n}": window(n, 100_000) for n in range(3)}, "reload": {}})
        busy = asyncio.create_task(world.journal.write())
        while not busy.done():
            await asyncio.sleep(0)
            state, _ = loaded(world.image(tmp_path / "image"))
            assert list(state["a"]["jsons"]) in (["old"], ["w0", "w1", "w2"])
            shutil.rmtree(tmp_path / "image")
        assert loaded(world.image(tmp_path / "image"))[0] == world.now()

    with mock.patch.object(writer, "STEP_BYTES", 1):
        asyncio.run(run())
