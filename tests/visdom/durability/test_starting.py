"""A server whose directory cannot be written, made or read: it serves, and says once that nothing is kept."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.wait import until
from tests.visdom.durability.process import ServerProcess, creation, point

ENVIRONMENT = {"jsons": {"w": {"id": "w", "type": "text", "content": "hello", "contentID": "c", "i": 0}}, "reload": {}}


def text(win: str, eid: str = "main") -> dict[str, Any]:
    return {"win": win, "eid": eid, "data": [{"type": "text", "content": "x"}], "opts": {}}


def serves(server: ServerProcess) -> None:
    """Pages, plain updates and publishers; and nobody is promised that it is kept."""
    assert requests.get(server.url("/transport/status"), timeout=10).status_code == 200
    server.post("/events", text("plain"))
    body = {"producer": "p", "first": 1, "messages": [creation("w", "fed"), point("w", 2, "fed")]}
    reply = server.post("/transport/publish", body).json()
    assert (reply["applied"], reply["durable"], reply["refused"]) == (2, None, [])
    assert server.windows("main").keys() == {"plain"}
    saved = requests.post(server.url("/save"), json={"data": ["main"]}, timeout=10)
    assert (saved.status_code, saved.json()["error"]["code"]) == (500, "failed"), "who asks for it is told"
    requests.post(server.url("/save"), json={"data": ["main"]}, timeout=10)


def says_once(server: ServerProcess, folder: Path) -> None:
    lines = [line for line in server.log().splitlines() if "cannot be written" in line or "could not be saved" in line]
    assert len(lines) == 1, server.log()
    assert str(folder) in lines[0]
    assert "not kept" in lines[0]
    assert "Traceback" not in server.log()


def ends_well(server: ServerProcess) -> None:
    assert server.end(signal.SIGTERM) == 0, "nothing was promised"


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own, with an environment, and a journal that a killed server has left."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("needs to mount a file system")
    folder = tmp_path / "envs"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", folder], check=False, capture_output=True).returncode:
        pytest.skip("may not mount a file system")
    try:
        (folder / "old.json").write_text(json.dumps(ENVIRONMENT))
        with ServerProcess(folder, journal="all", journal_interval_s=0.05) as server:
            body = {"producer": "q", "first": 1, "messages": [creation("w", "journaled")]}
            server.post("/transport/publish", body)
            durable(server, "q", 1)
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def read_only(mounted: Path) -> Path:
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    return mounted


def durable(server: ServerProcess, producer: str, number: int) -> None:
    """Wait until the message of that number is on disk."""
    asks = {"producer": producer, "first": number + 1, "messages": []}
    until(lambda: server.post("/transport/publish", asks).json()["durable"] == number, "it is on disk", seen=server.log)


@pytest.mark.parametrize("mode", ["fed", "all", "off"])
def test_a_file_system_that_is_read_only(read_only: Path, mode: str) -> None:
    with ServerProcess(read_only, journal=mode, journal_interval_s=0.05) as server:
        assert server.windows("old")["w"]["content"] == "hello"
        assert server.windows("journaled").keys() == {"w"}, "it is in the journal only"
        serves(server)
        says_once(server, read_only)
        ends_well(server)


def test_what_can_be_written_again_is_kept(read_only: Path) -> None:
    with ServerProcess(read_only, journal="all", journal_interval_s=0.05) as server:
        serves(server)
        subprocess.run(["mount", "-o", "remount,rw", read_only], check=True)
        server.post("/transport/publish", {"producer": "p", "first": 3, "messages": [point("w", 3, "fed")]})
        durable(server, "p", 3)
        until(lambda: "can be written again" in server.log(), "it is said, after the journal was folded", seen=server.log)
    with ServerProcess(read_only) as server:
        assert server.windows("fed").keys() == {"w"}
        assert server.windows("journaled").keys() == {"w"}


@pytest.mark.parametrize("name", ["file/envs", "file", "x" * 300])
def test_a_directory_that_cannot_be_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with ServerProcess(tmp_path / name, home=tmp_path) as server:
        serves(server)
        says_once(server, tmp_path / name)
        ends_well(server)


@pytest.mark.parametrize(("mode", "seen"), [(0o555, True), (0o333, False), (0o000, False)])
def test_a_directory_that_belongs_to_somebody_else(tmp_path: Path, mode: int, seen: bool) -> None:
    envs = tmp_path / "envs"
    envs.mkdir()
    (envs / "old.json").write_text(json.dumps(ENVIRONMENT))
    started_by = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    if started_by and shutil.which(started_by[0]) is None:
        pytest.skip("cannot give up being able to write everywhere")
    envs.chmod(mode)
    try:
        with ServerProcess(envs, journal_interval_s=0.05, started_by=started_by) as server:
            assert ("old" in server.post("/env_state", {}).json()) == seen
            assert seen or "cannot be read" in server.log()
            if mode & 0o200:
                server.post("/events", text("plain"))
            else:
                serves(server)
                says_once(server, envs)
                ends_well(server)
    finally:
        envs.chmod(0o755)


def test_a_disk_that_is_full_at_the_start(mounted: Path) -> None:
    with contextlib.suppress(OSError), (mounted / "filling").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    with ServerProcess(mounted, journal="all", journal_interval_s=0.05) as server:
        assert server.windows("old")["w"]["content"] == "hello"
        assert server.windows("journaled").keys() == {"w"}
        server.post("/events", text("plain"))
        body = {"producer": "p", "first": 1, "messages": [creation("w", "fed")]}
        assert server.post("/transport/publish", body).json()["durable"] == 0, "it is kept when there is room"
        until(lambda: server.durability()["last_error"], "it is said")
        says_once(server, mounted)
        (mounted / "filling").unlink()
        durable(server, "p", 1)
    with ServerProcess(mounted) as server:
        assert server.windows("fed").keys() == {"w"}
        assert server.windows("main").keys() == {"plain"}


def test_a_style_that_cannot_be_read(tmp_path: Path) -> None:
    envs = tmp_path / "envs"
    envs.mkdir()
    (envs / "style.css").mkdir()
    with ServerProcess(envs) as server:
        assert "style" in server.log()
