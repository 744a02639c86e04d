"""A server on a file system that does less than others: it saves and journals all the same, and says once what is weaker."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.flavour import NEW_VISDOM
from tests.support.stock_peers import StockSocket
from tests.support.wait import until
from tests.visdom.durability.process import ServerProcess, creation, numbers_in, point

INJECTED = """
import errno, fcntl, os, stat
sync, replace, rename, open_ = os.fsync, os.replace, os.rename, os.open
def fail(number):
    raise OSError(number, os.strerror(number))
"""

SYNC, RENAME, LOCKS = "machine loses power", "rewritten in its place", "cannot be locked"
WEAKNESSES = {SYNC, RENAME, LOCKS, "modes of files", "no file can be made"}

ODD = {
    "no modes": ("os.chmod = lambda *a, **k: fail(errno.EPERM)", set()),
    "no sync of folders": (
        "os.fsync = lambda fd: fail(errno.EINVAL) if stat.S_ISDIR(os.fstat(fd).st_mode) else sync(fd)",
        {SYNC},
    ),
    "files that are bound": (
        "os.replace = os.rename = lambda a, b: fail(errno.EBUSY) if str(b).endswith('.json') else replace(a, b)",
        {RENAME},
    ),
    "no renaming": ("os.replace = os.rename = lambda a, b: fail(errno.ENOTSUP)", {RENAME}),
    "no locks": ("fcntl.flock = fcntl.lockf = lambda *a: fail(errno.ENOLCK)", {LOCKS}),
    "nothing of this": (
        """
os.chmod = lambda *a, **k: fail(errno.ENOTSUP)
os.fsync = lambda fd: fail(errno.EINVAL)
os.replace = os.rename = lambda a, b: fail(errno.EPERM)
fcntl.flock = fcntl.lockf = lambda *a: fail(errno.ENOSYS)
""",
        {SYNC, RENAME, LOCKS},
    ),
}


def text(content: str, eid: str = "t") -> dict[str, Any]:
    return {"win": "w", "eid": eid, "data": [{"type": "text", "content": content}], "opts": {}}


@pytest.mark.parametrize("kind", ODD)
def test_it_saves_every_time_and_is_there_after_a_kill_and_after_a_stop(tmp_path: Path, kind: str) -> None:
    injection, said = ODD[kind]
    envs, odd = tmp_path / "envs", INJECTED + injection
    envs.mkdir()
    with ServerProcess(envs, odd=odd, journal_interval_s=0.05) as server:
        for content in ("one", "longer than one", "2"):
            server.post("/events", text(content))
            server.post("/save", {"data": ["t"]})
            assert json.loads((envs / "t.json").read_bytes())["jsons"]["w"]["content"] == content
        body = {"producer": "p", "first": 1, "messages": [creation("w", "fed"), *(point("w", n, "fed") for n in range(2, 9))]}
        server.post("/transport/publish", body)
        until(lambda: server.durability()["on_disk"], "it is journaled", seen=server.log)
        assert server.durability()["last_error"] is None
        assert {line: server.log().count(line) for line in WEAKNESSES} == {line: int(line in said) for line in WEAKNESSES}
    with ServerProcess(envs, odd=odd, journal_interval_s=0.05) as server:
        assert numbers_in(server.windows("fed"), "w") == list(range(2, 9)), "after a kill"
        assert server.windows("t")["w"]["content"] == "2"
        server.post("/events", text("three", "other"))
        assert server.end(signal.SIGTERM) == 0
        log = server.log()
    assert "Traceback" not in log
    assert "another server" not in log
    assert "ERROR:visdom" not in log
    assert not list(envs.glob(".visdom-transport-*")), "nothing is left"
    assert json.loads((envs / "other.json").read_bytes())["jsons"]["w"]["content"] == "three"
    assert numbers_in(json.loads((envs / "fed.json").read_bytes())["jsons"], "w") == list(range(2, 9))


def test_views_and_closed_windows_are_saved_where_nothing_is_renamed(tmp_path: Path) -> None:
    envs, odd = tmp_path / "envs", INJECTED + ODD["no renaming"][0]
    envs.mkdir()
    views = '{"main": [["v", {"w": [0, 0, 1, 1]}]]}'
    with ServerProcess(envs, odd=odd) as server:
        server.post("/events", text("one", "main"))
        with StockSocket(server) as page:
            page.send({"cmd": "save_layouts", "data": views})
            until(lambda: (envs / "view" / "layouts.json").exists(), "the views are saved", seen=server.log)
            page.send({"cmd": "close", "eid": "main", "data": "w"})
            until(lambda: not server.windows("main"), "it is closed")
        assert "could not be saved" not in server.log()
        assert "ERROR:visdom" not in server.log()
    assert (envs / "view" / "layouts.json").read_text() == views
    if NEW_VISDOM:
        from visdom.server.defaults import UNDO_DIRNAME

        assert "one" in (envs / UNDO_DIRNAME / "main.json").read_text()


def test_a_rewrite_that_was_killed_is_finished_by_the_next_server(tmp_path: Path) -> None:
    """Killed in the middle of the copy, of which half is in the file."""
    envs = tmp_path / "envs"
    envs.mkdir()
    kill = """
import shutil
def copyfileobj(source, target, length=0):
    if os.path.exists(os.path.join(os.path.dirname(target.name), "kill")):
        target.write(source.read(100)), target.flush()
        os.kill(os.getpid(), 9)
    while chunk := source.read(100):
        target.write(chunk)
shutil.copyfileobj = copyfileobj
"""
    with ServerProcess(envs, odd=INJECTED + ODD["files that are bound"][0] + kill) as server:
        for n in range(3):
            server.post("/events", text("x" * 1000 + str(n)))
            if n == 2:
                (envs / "kill").touch()
                with pytest.raises(requests.ConnectionError):
                    server.post("/save", {"data": ["t"]})
            else:
                server.post("/save", {"data": ["t"]})
        server.process.wait(30)
    assert len((envs / "t.json").read_bytes()) == 100
    with ServerProcess(envs) as server:
        assert server.windows("t")["w"]["content"] == "x" * 1000 + "2"
        assert "complete now" in server.log()
    assert not list(envs.glob(".visdom-transport-*"))
