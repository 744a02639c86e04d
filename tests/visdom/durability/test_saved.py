"""What somebody has saved is there after a restart, however it was closed since; what was closed without that stays closed."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from visdom.utils import server_utils

from tests.support.wait import until
from tests.visdom.durability.process import ServerProcess
from tests.visdom.durability.world import World, inline_executor, loaded
from visdom_transport.visdom.durability import folding, writer

ENVIRONMENTS = ["a", "a", "a", "b"]
WINDOWS = ["v", "w"]

IS_0_3_0 = hasattr(server_utils, "notify")


def check(world: World, state: dict[str, Any], number: int) -> None:
    """Whether ``state``, which was loaded, has what was there after that many steps, and what was saved, and nothing else."""
    then = world.snapshots[number]
    assert state.keys() == then.keys()
    for eid, environment in state.items():
        kept = world.saved.get(eid, {})
        windows, expected = environment["jsons"], then[eid]["jsons"]
        assert windows.keys() == expected.keys() | kept.keys(), eid
        assert {win: windows[win] for win in expected} == expected
        for win in kept.keys() - expected.keys():
            assert windows[win]["n"] >= world.snapshots[kept[win]][eid]["jsons"][win]["n"], "what was saved, or what it was later"


def window(n: int) -> dict[str, Any]:
    return {"content": {"data": [{"x": [n]}]}, "n": n}


def step(world: World, kind: str, eid: str, win: str) -> None:
    n = len(world.snapshots)
    match kind:
        case "set":
            world.set_window(eid, win, window(n))
        case "append":
            world.update(eid, win, [["extend", ["content", "data", 0, "x"], [n]], ["set", ["n"], n]])
        case "close":
            world.close(eid, win)
        case "close all":
            for each in WINDOWS:
                world.close(eid, each)
        case "save":
            world.save(eid)


KINDS = ["set", "set", "append", "append", "close", "close", "close all", "save"]
steps = st.tuples(st.sampled_from(KINDS), st.sampled_from(ENVIRONMENTS), st.sampled_from(WINDOWS))
plans = st.lists(st.one_of(steps, st.sampled_from(["write", "fold", "delete a", "crash", "restart", "stop"])), max_size=30)


async def follow(plan: list[Any], folder: Path, mode: str) -> None:
    world = World(folder / "envs", journal=mode, publisher=mode == "all")
    await world.journal.write()
    for number, each in enumerate(plan):
        if each in ("write", "fold"):
            await world.journal.write()
            if each == "fold" and not world.journal.error:
                await world.fold()
        elif each == "delete a":
            world.delete("a")
            await world.journal.write()
        elif each == "crash" and mode == "all":
            state, durable = loaded(world.image(folder / f"image-{number}"))
            check(world, state, durable or 0)
        elif each == "stop" or (each == "restart" and mode == "all"):
            if each == "stop":
                assert await world.journal.close()
            else:
                await world.journal.write()
                world.stop()
            before = world
            world = World(folder / "envs", journal=mode, publisher=mode == "all")
            check(before, world.now(), -1)
            world.snapshots = [*before.snapshots, world.now()]
            world.saved = before.saved
            world.publishers.restore({"p": len(world.snapshots) - 1})
            world.publishers.moved("p")
            world.journal.touch()
            await world.journal.write()
        elif isinstance(each, tuple):
            step(world, *each)
    assert await world.journal.close()
    check(world, loaded(folder / "envs", journal=mode)[0], -1)


SET, APPEND, CLOSE, SAVE = ((kind, "a", "w") for kind in ("set", "append", "close", "save"))
ENDS = ["restart", "stop", "crash"]
SITUATIONS = [
    [SET, SAVE, CLOSE],
    [SET, "fold", SAVE, CLOSE],
    [SET, "stop", SAVE, CLOSE],
    [SET, SAVE, "stop", CLOSE, "stop", CLOSE],
    [SET, SAVE, APPEND, CLOSE],
    [SET, SAVE, "write", APPEND, "fold", APPEND, CLOSE, "fold"],
    [SET, SAVE, CLOSE, "restart", "restart"],
    [SET, SAVE, CLOSE, "stop", APPEND, "stop", CLOSE, "stop"],
    [SET, SAVE, CLOSE, "restart", APPEND, "write", "restart", APPEND, "restart"],
    [SET, SAVE, CLOSE, SET],
    [SET, SAVE, CLOSE, SET, CLOSE],
    [SET, SAVE, CLOSE, "fold", SET, CLOSE, "fold"],
    [SET, SAVE, CLOSE, SAVE],
    [SET, SAVE, "stop", CLOSE, SAVE],
    [SET, SAVE, CLOSE, "delete a", SET, "write", CLOSE],
    [SET, SAVE, "delete a", SET, "fold", CLOSE],
    [SET, "stop", CLOSE],
    [SET, "fold", "restart", CLOSE],
    [SET, SAVE, ("set", "a", "v"), "stop", ("close all", "a", "v")],
]


@pytest.mark.parametrize("mode", ["all", "fed"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("plan", SITUATIONS)
def test_situations(tmp_path: Path, mode: str, plan: list[Any], end: str) -> None:
    asyncio.run(follow([*plan, "write", end], tmp_path, mode))


@pytest.mark.parametrize("seed", range(6))
def test_a_crash_at_any_moment_after_a_restart(tmp_path: Path, seed: int) -> None:
    """What was saved and closed before it came back with the restart, and is changed while the journal is folded."""
    rng = random.Random(seed)

    async def run() -> None:
        inline_executor()
        before = World(tmp_path / "envs")
        for plan in (SET, ("set", "a", "v"), SAVE, CLOSE, ("set", "b", "v")):
            step(before, *plan)
        await before.journal.write()
        before.stop()
        world = World(tmp_path / "envs")
        world.snapshots = [*before.snapshots[:-1], world.now()]
        world.saved = before.saved
        busy = asyncio.create_task(world.journal.write())
        for moment in range(200):
            if busy.done():
                break
            if rng.random() < 0.3:
                step(world, rng.choice(["append", "append", "set", "close"]), "a", rng.choice(WINDOWS))
            image = world.image(tmp_path / f"image-{moment}")
            state, number = loaded(image)
            check(world, state, number or 0)
            await asyncio.sleep(0)
        await busy
        check(world, loaded(world.image(tmp_path / "image"))[0], world.durable)

    with mock.patch.object(folding, "STEP_BYTES", 1), mock.patch.object(writer, "STEP_BYTES", 1):
        asyncio.run(run())


@pytest.mark.parametrize("mode", ["all", "fed"])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(plan=plans)
def test_random_histories_with_saves(mode: str, plan: list[Any]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        asyncio.run(follow(plan, folder, mode))
    finally:
        shutil.rmtree(folder)


def line(win: str, eid: str, points: int, server: ServerProcess) -> None:
    trace = {"type": "scatter", "name": "1", "x": [0], "y": [0]}
    server.post("/events", {"win": win, "eid": eid, "data": [trace], "layout": {}, "opts": {}})
    for n in range(1, points):
        body = {"win": win, "eid": eid, "name": "1", "append": True, "data": [{**trace, "x": [n], "y": [n]}]}
        server.post("/update", body)


def points(envs: Path, eid: str) -> dict[str, int]:
    windows = json.loads((envs / f"{eid}.json").read_bytes())["jsons"]
    return {win: len(window["content"]["data"][0]["x"]) for win, window in windows.items()}


@pytest.mark.parametrize(
    ("how", "mode"), [("terminated", "fed"), ("terminated", "off"), ("interrupted", "all"), ("killed", "all"), ("killed", "fed")]
)
def test_a_server_that_ends_after_a_save_and_a_close(tmp_path: Path, how: str, mode: str) -> None:
    envs = tmp_path / "envs"
    envs.mkdir()
    with ServerProcess(envs, journal=mode, journal_interval_s=0.05) as server:
        line("w", "run", 20, server)
        server.post("/save", {"data": ["run"]})
        line("unsaved", "run", 3, server)
        server.post("/close", {"win": None, "eid": "run"})
        if mode == "all":
            until(lambda: server.durability()["on_disk"], "it is journaled", seen=server.log)
        if how != "killed":
            assert server.end(signal.SIGTERM if how == "terminated" else signal.SIGINT) == 0, server.log()
    # 0.3.0 saves everything as it is when it is interrupted.
    expected = {} if IS_0_3_0 and how == "interrupted" else {"w": 20}
    with ServerProcess(envs, journal=mode) as server:
        assert server.windows("run").keys() == expected.keys()
    assert points(envs, "run") == expected


def test_what_was_closed_is_gone_when_it_was_saved_without_it_or_never(tmp_path: Path) -> None:
    """Each time after a restart, which reads the files when a page asks for them."""
    envs = tmp_path / "envs"
    envs.mkdir()
    with ServerProcess(envs) as server:
        line("saved", "run", 5, server)
        server.post("/save", {"data": ["run"]})
        line("never", "run", 5, server)
        assert server.end(signal.SIGTERM) == 0
    assert points(envs, "run") == {"saved": 5, "never": 5}, "what is open is kept, saved or not"
    with ServerProcess(envs) as server:
        assert server.windows("run").keys() == {"saved", "never"}
        server.post("/close", {"win": None, "eid": "run"})
        assert server.end(signal.SIGTERM) == 0
    assert points(envs, "run") == {"saved": 5}
    with ServerProcess(envs) as server:
        server.post("/close", {"win": "saved", "eid": "run"})
        server.post("/save", {"data": ["run"]})
        assert server.end(signal.SIGTERM) == 0
    assert points(envs, "run") == {}
