"""What is loaded is what was applied: exactly the steps that the publisher's number stands for, whenever the server dies."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.wait import until
from tests.visdom.durability.world import PRODUCER, Disk, World, inline_executor, loaded, window
from visdom_transport.visdom.durability import folding, writer

ENVIRONMENTS = ["a", "b"]
WINDOWS = ["u", "v", "w"]


def step(world: World, kind: int, eid: str, win: str) -> None:
    n = len(world.snapshots)
    if kind == 0:
        world.set_window(eid, win, window(n))
    elif kind <= 5:
        path = ["content", "data", 0, "x"]
        world.update(eid, win, [["extend", path, [n, n]], ["append", ["content", "text"], "ü\U0001f600"], ["set", ["n"], n]])
    elif kind == 6:
        world.close(eid, win)
    elif kind == 7:
        world.place(eid, win, {"i": n})
    elif kind == 8:
        world.replace(eid, {"jsons": {win: window(n)}, "reload": {}, "experiment": {"n": n}})


def any_step(world: World, rng: random.Random) -> None:
    step(world, rng.randrange(9), rng.choice(ENVIRONMENTS), rng.choice(WINDOWS))


steps = st.tuples(st.integers(0, 8), st.sampled_from(ENVIRONMENTS), st.sampled_from(WINDOWS))
plans = st.lists(st.one_of(steps, st.sampled_from(["write", "fold", "delete a", "crash", "restart"])), max_size=40)


def check(image: Path, world: World) -> None:
    """A server started on what a crash has left has every step that was durable, and no half one."""
    state, number = loaded(image)
    assert number is not None or world.durable == 0
    assert (number or 0) >= world.durable
    assert without_experiments(state) == without_experiments(world.snapshots[number or 0])


def without_experiments(state: dict[str, Any]) -> dict[str, Any]:
    """0.2.4 reads only windows and positions from its files."""
    return {eid: {name: environment[name] for name in ("jsons", "reload")} for eid, environment in state.items()}


async def follow(plan: list[Any], folder: Path) -> None:
    world = World(folder / "envs")
    for number, each in enumerate(plan):
        if each == "write":
            await world.journal.write()
            assert world.durable == len(world.snapshots) - 1
        elif each == "fold":
            await world.journal.write()
            await world.fold()
        elif each == "delete a":
            world.delete("a")
            await world.journal.write()
        elif each == "crash":
            check(world.image(folder / f"image-{number}"), world)
        elif each == "restart":
            await world.journal.write()
            world.stop()
            before = world
            world = World(folder / "envs")
            assert without_experiments(world.now()) == without_experiments(before.now())
            world.snapshots = before.snapshots
        else:
            step(world, *each)
    await world.journal.write()
    check(world.image(folder / "image"), world)
    assert await world.journal.close()
    check(world.image(folder / "closed"), world)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans)
def test_random_histories(plan: list[Any]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        asyncio.run(follow(plan, folder))
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("seed", range(12))
def test_a_crash_at_any_moment_of_writing_and_folding(tmp_path: Path, seed: int) -> None:
    """Steps go on while environments are folded one window at a time; every turn of the loop is a moment to crash."""
    rng = random.Random(seed)

    async def run() -> None:
        inline_executor()
        world = World(tmp_path / "envs")
        for number in range(25):
            for _ in range(rng.randrange(6)):
                any_step(world, rng)
            busy = asyncio.create_task(fold(world) if rng.random() < 0.6 else world.journal.write())
            while not busy.done():
                if rng.random() < 0.5:
                    any_step(world, rng)
                if rng.random() < 0.15:
                    check(world.image(tmp_path / "image"), world)
                    shutil.rmtree(tmp_path / "image")
                await asyncio.sleep(0)
            await busy
            check(world.image(tmp_path / f"image-{number}"), world)

    async def fold(world: World) -> None:
        await world.journal.write()
        await world.fold()

    with mock.patch.object(writer, "STEP_BYTES", 1), mock.patch.object(folding, "STEP_BYTES", 1):
        asyncio.run(run())


@pytest.mark.parametrize("seed", range(12))
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """Each server begins with what a killed one has left, folds that while steps go on, and is killed at any turn of the loop."""
    rng = random.Random(seed)

    async def run() -> None:
        inline_executor()
        world = World(tmp_path / "envs")
        for life in range(12):
            killed = await live(world)
            left = world.image(tmp_path / f"envs-{life}")
            check(world.image(tmp_path / f"image-{life}"), world)
            await killed  # of which nothing counts any more
            world.stop()
            world, before = World(left), world
            world.snapshots = before.snapshots[: world.publishers.numbers().get(PRODUCER, 0) + 1]

    async def live(world: World) -> asyncio.Task[None]:
        for _ in range(rng.randrange(1, 5)):
            busy = asyncio.create_task(world.journal.write())
            while not busy.done():
                if rng.random() < 0.5:
                    any_step(world, rng)
                if rng.random() < 0.03:
                    return busy
                await asyncio.sleep(0)
            await busy
            for _ in range(rng.randrange(6)):
                any_step(world, rng)
        return busy

    with mock.patch.object(writer, "STEP_BYTES", 1), mock.patch.object(folding, "STEP_BYTES", 1):
        asyncio.run(run())


def made(folder: Path, rng: random.Random, *, blocks: int) -> World:
    """A journal of several blocks."""

    async def run() -> World:
        world = World(folder)
        for _ in range(blocks):
            for _ in range(3):
                step(world, rng.choice([0, 0, 2, 3, 6, 7]), rng.choice(ENVIRONMENTS), rng.choice(WINDOWS))
            await world.journal.write()
        return world

    return asyncio.run(run())


def test_a_journal_cut_at_any_byte(tmp_path: Path) -> None:
    world = made(tmp_path / "envs", random.Random(1), blocks=6)
    (journal,) = (tmp_path / "envs" / ".transport").glob("journal-*.log")
    data = journal.read_bytes()
    seen = set()
    for cut in range(len(data)):
        image = world.image(tmp_path / "image")
        (image / ".transport" / journal.name).write_bytes(data[:cut])
        state, number = loaded(image)
        assert state == world.snapshots[number or 0]
        seen.add(number)
        shutil.rmtree(image)
    assert seen == {None, 3, 6, 9, 12, 15}
    check(world.image(tmp_path / "image"), world)


def test_a_journal_with_a_changed_byte(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(2)
    world = made(tmp_path / "envs", rng, blocks=6)
    (journal,) = (tmp_path / "envs" / ".transport").glob("journal-*.log")
    data = journal.read_bytes()
    for at in rng.sample(range(len(data)), 150):
        image = world.image(tmp_path / "image")
        changed = bytearray(data)
        changed[at] ^= 1 << rng.randrange(8)
        (image / ".transport" / journal.name).write_bytes(changed)
        caplog.clear()
        state, number = loaded(image)
        assert state in world.snapshots
        if number is None:
            kept = list((image / ".transport").glob("journal-*.corrupt-*"))
            assert [path.read_bytes() for path in kept] == [bytes(changed)], "what was not used is kept"
            assert kept[0].name in caplog.text
            assert journal.name in caplog.text
        else:
            assert state == world.snapshots[number], "the last block was torn"
        shutil.rmtree(image)


def test_after_a_damaged_journal_everything_is_written_afresh(tmp_path: Path) -> None:
    world = made(tmp_path / "envs", random.Random(3), blocks=4)
    world.stop()
    (journal,) = (tmp_path / "envs" / ".transport").glob("journal-*.log")
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)

    async def run() -> None:
        again = World(tmp_path / "envs")
        assert again.publishers.numbers() == {}
        again.set_window("a", "new", window(0))
        await again.journal.write()
        check(again.image(tmp_path / "image"), again)

    asyncio.run(run())


def test_on_disk_is_what_has_been_written(tmp_path: Path) -> None:
    """Not what is on its way: a block may take as long as the disk likes."""
    said: list[bool] = []

    def write(descriptor: int, data: bytes | memoryview) -> int:
        said.append(world.journal.status()["on_disk"])
        return os.write(descriptor, data)

    async def run() -> None:
        for n in range(3):
            world.set_window("a", "w", window(n))
            await world.journal.write()
            said.append(world.journal.status()["on_disk"])

    world = World(tmp_path / "envs", write=write)
    asyncio.run(run())
    assert said == [False, True] * 3


# --- what it costs ---


def written_bytes(world: World) -> int:
    return world.journal._files.size_bytes


def test_an_append_to_a_large_environment_writes_the_append(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs")
        for n in range(50):
            world.set_window("a", f"w{n}", {"content": {"data": [{"x": list(range(20_000))}], "text": ""}, "n": 0})
        await world.journal.write()
        before = written_bytes(world)
        assert before > 5_000_000
        world.update("a", "w7", [["extend", ["content", "data", 0, "x"], [1, 2, 3]]])
        await world.journal.write()
        assert written_bytes(world) - before < 300

    asyncio.run(run())


def test_what_is_replaced_often_is_written_once(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs")
        for n in range(100):
            world.set_window("a", "image", {"content": "x" * 10_000, "n": n})
        await world.journal.write()
        assert written_bytes(world) < 15_000
        for _ in range(100):
            world.update("a", "image", [["append", ["content"], "y"]])
        await world.journal.write()
        assert written_bytes(world) < 16_000

    asyncio.run(run())


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs")
        await world.journal.write()
        world.set_window("a", "w", window(1))
        await world.journal.write()
        before = written_bytes(world)
        await world.journal.write()
        assert written_bytes(world) == before

    asyncio.run(run())


def test_environments_that_no_publisher_feeds_are_not_journaled(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs", journal="fed", publisher=False)
        world.set_window("stock", "w", window(1))
        world.journal.track("fed")
        world.set_window("fed", "w", window(2))
        await world.journal.write()
        assert world.journal.status()["environments"] == ["fed"]
        assert not world.journal._tracking.changes
        assert set(loaded(world.image(tmp_path / "image"), journal="fed")[0]) == {"fed"}
        world.journal.track("stock")
        await world.journal.write()
        assert loaded(world.image(tmp_path / "image-2"), journal="fed")[0] == world.now()

    asyncio.run(run())


@pytest.mark.parametrize("what", ["write", "fold", "replace"])
def test_others_have_their_turn_while_a_large_environment_is_written(tmp_path: Path, what: str) -> None:
    """Counts windows per turn rather than seconds: at most one above the budget of a step."""
    encoded: list[int] = []
    turns = 0

    async def run() -> None:
        nonlocal turns
        world = World(tmp_path / "envs", publisher=what != "replace")
        for n in range(60):
            world.set_window("a", f"w{n}", {"content": "x" * 100_000, "n": n})
        if what == "replace":
            await world.journal.write()
            world.replace("a", world.now()["a"])
        if what == "fold":
            await world.journal.write()
        changes = world.journal._tracking.changes
        original = changes.encoded

        def counted(part: Any) -> bytes | None:
            encoded.append(turns)
            return original(part)

        with mock.patch.object(changes, "encoded", counted):
            busy = asyncio.create_task(world.fold() if what == "fold" else world.journal.write())
            while not busy.done():
                turns += 1
                await asyncio.sleep(0)
            await busy

    with mock.patch.object(writer, "STEP_BYTES", 500_000), mock.patch.object(folding, "STEP_BYTES", 500_000):
        asyncio.run(run())
    assert len(encoded) >= 60
    assert max(encoded.count(turn) for turn in set(encoded)) <= 6


def test_a_journal_that_has_outgrown_what_it_describes_is_folded(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs")
        sizes = []
        for n in range(60):
            world.set_window("a", "w", {"content": "x" * 5_000, "n": n})
            await world.journal.write()
            sizes.append(written_bytes(world))
        assert max(sizes) < 30_000
        assert (tmp_path / "envs" / "a.json").stat().st_size > 5_000
        assert len(list((tmp_path / "envs" / ".transport").glob("journal-*"))) == 1
        check(world.image(tmp_path / "image"), world)

    with mock.patch.object(folding, "MIN_FOLD_BYTES", 20_000):
        asyncio.run(run())


# --- others in the directory ---


def changed_by_stock(path: Path) -> None:
    path.write_text('{"jsons": {"theirs": {"content": "by somebody else"}}, "reload": {}}')


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("change", [changed_by_stock, removed])
def test_a_file_that_somebody_else_has_changed_is_not_touched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Callable[[Path], None], folded: bool
) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        envs.mkdir()
        (envs / "a.json").write_text('{"jsons": {"old": {"n": 0}}, "reload": {}}')
        world = World(envs)
        world.set_window("a", "w", window(1))
        world.set_window("b", "w", window(1))
        await world.journal.write()
        if folded:
            await world.fold()
            world.update("a", "w", [["set", ["n"], 2]])
            world.update("b", "w", [["set", ["n"], 2]])
            await world.journal.write()
        expected = world.now()
        world.stop()
        change(envs / "a.json")
        again = World(envs)
        if change is removed:
            assert "a" not in again.now()
        else:
            assert again.now()["a"]["jsons"] == {"theirs": {"content": "by somebody else"}}
        assert again.now()["b"] == expected["b"], "the others are as they were"
        (aside,) = (envs / ".transport").glob("set-aside-*.log")
        assert aside.name in caplog.text
        assert "environment a" in caplog.text
        await again.journal.write()
        await again.journal.close()
        caplog.clear()
        assert loaded(envs)[0] == again.now()
        assert caplog.text == ""

    asyncio.run(run())


def test_two_servers_do_not_share_a_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        first = World(tmp_path / "envs")
        first.set_window("a", "w", window(1))
        await first.journal.write()
        second = World(tmp_path / "envs")
        assert not second.journal.on
        assert "another server" in caplog.text
        second.set_window("b", "w", window(1))
        await second.journal.write()
        check(first.image(tmp_path / "image"), first)

    asyncio.run(run())


def test_switched_off_it_still_takes_up_what_an_earlier_server_has_left(tmp_path: Path) -> None:
    world = made(tmp_path / "envs", random.Random(4), blocks=3)
    world.stop()
    assert loaded(tmp_path / "envs", journal="off")[0] == world.now()
    assert list((tmp_path / "envs" / ".transport").glob("journal-*")) == []
    assert loaded(tmp_path / "envs", journal="off")[0] == world.now(), "it is in the files"


# --- when the disk does not take it ---


@pytest.mark.parametrize("room", [0, 1, 30, 200])
def test_a_full_disk_is_told_once_and_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture, room: int) -> None:
    async def run() -> None:
        disk = Disk()
        world = World(tmp_path / "envs", write=disk.write)
        world.set_window("a", "w", window(1))
        await world.journal.write()
        disk.room = room
        for n in range(5):
            world.set_window("a", f"w{n}", {"content": "x" * 1000, "n": n})
            await world.journal.write()
            assert world.durable == 1
            assert world.journal.status()["last_error"] == "No space left on device"
            check(world.image(tmp_path / f"image-{n}"), world)
        assert caplog.text.count("No space left on device") == 1
        disk.room = float("inf")
        await world.journal.write()
        assert world.durable == len(world.snapshots) - 1
        assert world.journal.status()["last_error"] is None
        check(world.image(tmp_path / "image"), world)

    asyncio.run(run())


def test_a_save_that_the_journal_cannot_follow_is_refused(tmp_path: Path) -> None:
    """The file would be ahead of what the publisher was told, which would send the rest again."""

    async def run() -> None:
        disk = Disk()
        world = World(tmp_path / "envs", write=disk.write)
        world.set_window("a", "w", window(1))
        await world.journal.write()
        disk.room = 10
        world.update("a", "w", [["extend", ["content", "data", 0, "x"], [1, 2, 3]]])
        with pytest.raises(OSError, match="No space left"):
            world.journal.save("a", world.app.state["a"])
        check(world.image(tmp_path / "image"), world)
        disk.room = float("inf")
        world.journal.save("a", world.app.state["a"])
        assert world.durable == len(world.snapshots) - 1
        check(world.image(tmp_path / "image-2"), world)

    asyncio.run(run())


def test_a_disk_that_is_full_from_time_to_time(tmp_path: Path) -> None:
    rng = random.Random(5)

    async def run() -> None:
        disk = Disk()
        world = World(tmp_path / "envs", write=disk.write)
        for number in range(60):
            for _ in range(3):
                any_step(world, rng)
            disk.room = rng.choice([float("inf"), rng.randrange(2000)])
            await world.journal.write()
            image = world.image(tmp_path / f"image-{number}")
            check(image, world)

    asyncio.run(run())


def test_a_journal_that_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        envs = tmp_path / "envs"
        envs.mkdir()
        (envs / ".transport").write_text("in the way")
        world = World(envs)
        world.set_window("a", "w", window(1))
        for _ in range(3):
            await world.journal.write()
        assert world.durable == 0
        assert world.journal.status()["last_error"]
        assert len(caplog.records) == 1
        (envs / ".transport").unlink()
        await world.journal.write()
        assert world.durable == 1
        check(world.image(tmp_path / "image"), world)

    asyncio.run(run())


def test_an_environment_whose_file_cannot_be_written_stays_in_the_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        world = World(tmp_path / "envs")
        sizes = []
        for n in range(12):
            world.set_window("a", "w", {"content": "x" * 5_000, "n": n})
            world.set_window("b", "w", {"content": "x" * 500, "n": n})
            await world.journal.write()
            assert world.durable == len(world.snapshots) - 1
            check(world.image(tmp_path / f"image-{n}"), world)
            sizes.append(written_bytes(world))
        assert max(sizes) < 30_000, "it is bounded all the same"
        assert (tmp_path / "envs" / "b.json").exists()
        assert len(caplog.records) == 1
        assert "environment a" in str(world.journal.status()["last_error"])
        broken.clear()
        world.set_window("a", "w", {"content": "x" * 20_000, "n": 0})
        await world.journal.write()
        assert world.journal.status()["last_error"] is None
        check(world.image(tmp_path / "image"), world)
        assert await world.journal.close()

    broken = {"a.json"}
    replace = os.replace

    def replace_unless_broken(source: Path, target: Path) -> None:
        if target.name in broken:
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        replace(source, target)

    with (
        mock.patch.object(os, "replace", replace_unless_broken),
        mock.patch.object(folding, "MIN_FOLD_BYTES", 20_000),
        mock.patch.object(folding, "FOLD_RETRY_S", 0.0),
    ):
        asyncio.run(run())


@pytest.mark.parametrize("end", ["crash", "close"])
def test_files_that_are_ahead_of_the_journal_do_not_hide_what_comes(tmp_path: Path, end: str) -> None:
    """The newest part of the journal is gone, and its numbers are given again."""

    async def run() -> None:
        envs = tmp_path / "envs"
        world = World(envs)
        for n in range(3):
            world.set_window("a", "w", window(n))
            world.set_window("b", "w", window(n))
            await world.journal.write()
            if n == 0:
                (journal,) = (envs / ".transport").glob("journal-*.log")
                early = journal.read_bytes()
        for eid in ("a", "b"):
            world.journal.save(eid, world.app.state[eid])
        world.stop()
        journal.write_bytes(early)
        again = World(envs)
        assert again.publishers.numbers() == {}, "publishers begin anew"
        again.set_window("a", "new", window(7))
        await again.journal.write()
        if end == "close":
            assert await again.journal.close()
        found = loaded(again.image(tmp_path / "image"))[0]
        assert found["a"]["jsons"]["new"] == window(7)
        assert found == again.now()

    asyncio.run(run())


def test_a_loop_that_ends_without_the_journal_ends_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As a notebook's does. The timer of the next write may ring while the loop waits for the last of its threads."""

    async def run() -> None:
        world = World(tmp_path / "envs", journal_interval_s=0.01)
        world.set_window("a", "u", window(1))
        journal = world.journal
        assert journal._timer is not None

        def has_rung() -> bool:
            return journal._timer is None and (journal._task is None or journal._task.done())

        asyncio.get_running_loop().run_in_executor(None, until, has_rung, "the timer rings, and its task ends")

    asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == []
