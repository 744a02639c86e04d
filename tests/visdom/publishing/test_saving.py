"""Saving a large environment: others are answered meanwhile, and the answer comes when it is in its file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.local import LocalServer
from tests.support.records import Records
from visdom_transport.visdom.durability.environments import EnvironmentFile

Serve = Callable[..., LocalServer]


class SlowDisk:
    """Holds each file of an environment, before it takes its place, until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        commit = EnvironmentFile.commit

        def slow_commit(file: EnvironmentFile, **options: Any) -> bool:
            self.begun.release()
            assert self.go_on.wait(20), "nobody let it go on: the loop waits for it"
            return commit(file, **options)

        monkeypatch.setattr(EnvironmentFile, "commit", slow_commit)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], SlowDisk]]:
    disks: list[SlowDisk] = []

    def slow() -> SlowDisk:
        disks.append(SlowDisk(monkeypatch))
        return disks[-1]

    yield slow
    for each in disks:
        each.go_on.set()


def put(server: LocalServer, eid: str, content: str) -> None:
    server.post("/events", {"data": [{"type": "text", "content": content}], "win": "w", "eid": eid}).raise_for_status()


def in_file(folder: Path, eid: str) -> object:
    path = folder / f"{eid}.json"
    return json.loads(path.read_text())["jsons"]["w"]["content"] if path.exists() else None


def test_others_are_answered_while_it_is_saved(serve: Serve, disk: Callable[[], SlowDisk], tmp_path: Path) -> None:
    folder = tmp_path / "envs"
    folder.mkdir()
    server = serve(folder)
    put(server, "large", "x" * 100_000)
    slow = disk()
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(server.post, "/save", {"data": ["large"]})
        assert slow.begun.acquire(timeout=10)
        assert server.post("/win_exists", {"win": "w", "eid": "large"}).text == "true"
        put(server, "large", "later")
        assert not saving.done()
        slow.go_on.set()
        assert saving.result(20).json() == ["large"]
    assert in_file(folder, "large") == "x" * 100_000
    # What has changed since is no longer what was saved.
    assert server.post("/save", {"data": ["large"]}).json() == ["large"]
    assert in_file(folder, "large") == "later"


def test_one_that_is_deleted_while_it_is_saved_is_gone(serve: Serve, disk: Callable[[], SlowDisk], tmp_path: Path) -> None:
    folder = tmp_path / "envs"
    folder.mkdir()
    server = serve(folder)
    put(server, "large", "x")
    slow = disk()
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(server.post, "/save", {"data": ["large"]})
        assert slow.begun.acquire(timeout=10)
        server.post("/delete_env", {"eid": "large"}).raise_for_status()
        slow.go_on.set()
        assert saving.result(20).json() == []
    assert in_file(folder, "large") is None


def test_one_that_must_not_be_saved_keeps_the_others_from_it(serve: Serve, records: Records, tmp_path: Path) -> None:
    for pattern in ("taken.json is not JSON", "'taken' has no file", "400 POST /save"):
        records.expect(pattern)
    folder = tmp_path / "envs"
    folder.mkdir()
    server = serve(folder)
    (folder / "taken.json").write_text("no environment")
    put(server, "fine", "x")
    put(server, "taken", "x")
    assert server.post("/save", {"data": ["fine", "taken"]}).status_code == 400
    assert in_file(folder, "fine") is None
