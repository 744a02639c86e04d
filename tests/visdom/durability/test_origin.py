"""What a server says it has gone on from, by which a page tells a closed window from a lost one."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.visdom.durability.world import World
from visdom_transport.core.encoding import decode, encode
from visdom_transport.visdom.durability.blocks import write_block

WINDOW = {"content": "hello"}


def restored(folder: Path, eid: str, **settings: Any) -> dict[str, Any]:
    """What a server that is started on this directory says of an environment."""
    world = World(folder, **settings)
    try:
        return world.journal.restored(eid)
    finally:
        world.stop()


def written(folder: Path, **settings: Any) -> str:
    """Let a server write two windows of `main`, and be killed. Returns the name of its state."""
    world = World(folder, **settings)
    world.set_window("main", "a", WINDOW)
    world.set_window("main", "b", WINDOW)
    asyncio.run(world.journal.write())
    state = world.journal.restored("main")["state"]
    world.stop()
    assert isinstance(state, str)
    return state


def shift(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let time pass, for the clock on the wall."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)


def test_a_server_that_finds_nothing_has_a_state_of_its_own(tmp_path: Path) -> None:
    first, second = restored(tmp_path / "one", "main"), restored(tmp_path / "two", "main")
    assert (first["age_s"], second["age_s"]) == (None, None)
    assert first["state"] != second["state"]


def test_a_server_that_keeps_nothing_says_so(tmp_path: Path) -> None:
    assert restored(tmp_path, "main", journal="off") == {"state": None, "age_s": None}


def test_a_killed_server_is_followed_by_one_that_says_how_old_its_state_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = written(tmp_path)
    shift(monkeypatch, 100)
    found = restored(tmp_path, "main")
    assert found == {"state": state, "age_s": pytest.approx(100, abs=2)}


def test_an_environment_that_was_deleted_is_as_old_as_the_journal_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.set_window("main", "a", WINDOW)
    asyncio.run(world.journal.write())
    world.delete("main")
    asyncio.run(world.journal.write())
    world.stop()
    shift(monkeypatch, 50)
    assert restored(tmp_path, "main")["age_s"] == pytest.approx(50, abs=2)


def test_what_was_not_written_does_not_make_the_state_younger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    world.set_window("main", "a", WINDOW)
    asyncio.run(world.journal.write())
    shift(monkeypatch, 50)
    world.set_window("main", "b", WINDOW)
    world.stop()
    assert restored(tmp_path, "main")["age_s"] == pytest.approx(50, abs=2)


def test_after_a_clean_end_the_state_is_as_old_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    world.set_window("main", "a", WINDOW)
    shift(monkeypatch, 30)
    assert asyncio.run(world.journal.close())
    state = world.journal.restored("main")["state"]
    shift(monkeypatch, 10)
    assert restored(tmp_path, "main") == {"state": state, "age_s": pytest.approx(10, abs=2)}


def test_where_only_fed_environments_are_journaled_the_others_are_as_old_as_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "saved.json").write_text(json.dumps({"jsons": {}, "reload": {}}))
    os.utime(tmp_path / "saved.json", (time.time() - 1000, time.time() - 1000))
    world = World(tmp_path, journal="fed")
    world.journal.track("main")
    world.set_window("main", "a", WINDOW)
    asyncio.run(world.journal.write())
    world.stop()
    shift(monkeypatch, 20)
    ages = {eid: restored(tmp_path, eid, journal="fed")["age_s"] for eid in ("main", "saved", "unsaved")}
    assert ages == {"main": pytest.approx(20, abs=2), "saved": pytest.approx(1020, abs=2), "unsaved": None}


def test_an_environment_whose_records_do_not_fit_its_file_is_of_unknown_age(tmp_path: Path) -> None:
    state = written(tmp_path)
    (tmp_path / "main.json").write_text(json.dumps({"jsons": {}, "reload": {}}))
    assert restored(tmp_path, "main") == {"state": state, "age_s": None}


def test_of_a_damaged_journal_nothing_is_known(tmp_path: Path) -> None:
    written(tmp_path)
    world = World(tmp_path)
    for number in range(3):
        world.set_window("main", f"w{number}", WINDOW)
        asyncio.run(world.journal.write())
    world.stop()
    (journal,) = (tmp_path / ".transport").glob("journal-*.log")
    data = journal.read_bytes()
    journal.write_bytes(data.replace(b'"w1"', b'"wx"'))
    assert restored(tmp_path, "main")["age_s"] is None


def test_a_journal_of_a_version_that_did_not_write_the_time_is_of_unknown_age(tmp_path: Path) -> None:
    state = written(tmp_path)
    (journal,) = (tmp_path / ".transport").glob("journal-*.log")
    lines = [decode(line) for line in journal.read_bytes().splitlines()[1:]]
    head = {name: value for name, value in lines[0].items() if name != "time"}
    journal.write_bytes(b"".join(write_block(head, [[encode(line)] for line in lines[1:]])))
    assert restored(tmp_path, "main") == {"state": state, "age_s": None}


def test_two_servers_on_one_directory_only_the_first_has_a_state(tmp_path: Path) -> None:
    written(tmp_path)
    first = World(tmp_path)
    try:
        assert restored(tmp_path, "main") == {"state": None, "age_s": None}
    finally:
        first.stop()
