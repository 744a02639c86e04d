"""Names of environments and windows, whatever they are: nothing outside of the directory is touched, what can be saved is there
after a restart, and what cannot is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.fuzz.values import AWKWARD_NAMES, text_of
from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from tests.support.stock_peers import StockSocket
from tests.support.wait import until

Serve = Callable[..., LocalServer]


def tree(root: Path, without: Path | None = None) -> dict[str, bytes | None]:
    """Everything below a directory: the content of files, None for directories."""
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
        if without is None or (path != without and without not in path.parents)
    }


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory for environments, among others that are none of a server's business."""
    envs = tmp_path / "a" / "b" / "envs"
    for folder in (envs, tmp_path / "a" / "etc", tmp_path / "a" / "b" / "view", tmp_path / "a" / "b" / ".transport"):
        folder.mkdir(parents=True)
    for name in ("a/x.json", "a/b/x.json", "a/b/main.json", "a/b/envs.json", "a/etc/passwd", "a/etc/passwd.json", "x.json"):
        (tmp_path / name).write_text('{"jsons": {}, "reload": {}, "mine": true}')
    (tmp_path / "a" / "b" / "view" / "layouts.json").write_text("mine")
    (tmp_path / "a" / "b" / ".transport" / "lock").write_text("mine")
    return envs


@pytest.fixture
def quiet(records: Records) -> None:
    for pattern in (r"tornado\.access", r"ERROR: 4\d\d", "rendering", "refused a command", "is not kept on disk"):
        records.ignore(pattern)


class Caller:
    """Says a name to a server in every way there is."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.http = requests.Session()
        self.page = StockSocket(server)
        self.page.register()
        self.number = 0
        self.own = OwnSocket(server, "shared", role="browser")

    def post(self, path: str, body: Any) -> requests.Response:
        answer = self.http.post(self.server.url(path), data=text_of(body), timeout=10)
        assert answer.status_code < 500, (path, body, answer.status_code, answer.text[:300])
        return answer

    def command(self, **command: Any) -> Any:
        self.number += 1
        error = self.own.command(self.number, **command)["error"]
        assert error is None or error["code"] != "failed" or "cannot be deleted" in error["message"], (command, error)
        return error

    def fill(self, name: str) -> None:
        """Make environments and windows of this name."""
        text = {"data": [{"type": "text", "content": "hello"}], "opts": {"title": name}}
        self.post("/events", {**text, "win": name, "eid": name})
        self.post("/events", {**text, "win": name, "eid": "main"})
        self.post("/update", {"data": [{"type": "text", "content": "more"}], "win": name, "eid": name})
        body = {**text, "win": name, "eid": f"published-{name}"}
        message = {"endpoint": "events", "body": body}
        self.post("/transport/publish", {"producer": name[:90] or "p", "first": 1, "messages": [message]})
        self.post("/embedding", {"type": "embedding", **dict.fromkeys("xyz", 1), **KIND, "win": name, "eid": f"points-{name}"})
        self.post("/win_data", {"win": name, "eid": f"data-{name}", "data": text_of({"type": "text", "content": name})})

    def ask(self, name: str) -> None:
        """Ask for everything of this name, of which nothing may exist."""
        path = quote(name.encode("utf-8", "replace"), safe="") or "x"
        for body in ({"sid": self.page.sid}, {"sid": self.page.sid, "eid": name}):
            self.post(f"/env/{path[:3_000]}", body)
            self.post(f"/compare/main+{path[:3_000]}", body)
        for what in ("env", "compare", "user"):
            answer = self.http.get(self.server.url(f"/{what}/{path[:3_000]}"), timeout=10)
            # 503 is the page that says that browser files are missing.
            assert answer.status_code < 500 or answer.status_code == 503, (what, name)
        self.post("/win_exists", {"win": name, "eid": name})
        self.post("/win_data", {"win": name, "eid": name})
        for feed in (f"env/{name}", f"compare/{name}+main", f"compare/all:{name}", name):
            self.own.send({"type": "subscribe", "feed": feed, "position": None})
            self.own.send({"type": "unsubscribe", "feed": feed})
            self.own.ask({"type": "ping"}, "pong")
        self.command(cmd="forward_to_vis", data={"eid": name, "target": name, "event_type": "KeyPress", "key": name})
        self.command(cmd="layout_item_update", eid=name, win=name, data={"i": name})

    def save(self, name: str) -> None:
        self.post("/save", {"data": [name]})
        self.command(cmd="save", data={}, prev_eid="main", eid=f"saved-{name}")
        self.post("/fork_env", {"prev_eid": "main", "eid": f"forked-{name}"})
        self.command(cmd="close", data=name, eid="main")
        if NEW_VISDOM:
            self.command(cmd="undo", eid="main")
        self.command(cmd="save_layouts", data=name)

    def delete(self, name: str) -> None:
        self.command(cmd="delete_env", eid=name)
        self.post("/delete_env", {"eid": f"saved-{name}"})
        self.post("/delete_env", {"eid": name})
        self.post("/close", {"eid": name, "win": name})

    def close(self) -> None:
        self.http.close()
        self.page.close()
        self.own.close()


KIND = {"phase": "train", "predicted": "a", "cluster": "a"}


@pytest.mark.usefixtures("quiet")
def test_nothing_outside_the_directory_is_touched(serve: Serve, place: Path, tmp_path: Path, records: Records) -> None:
    records.ignore("has no file and is kept in the journal: its id cannot be the name of a file")
    server = serve(place, settings={"journal": "all", "journal_interval_s": 0.02})
    outside = tree(tmp_path, without=place)
    caller = Caller(server)
    try:
        for name in AWKWARD_NAMES:
            caller.ask(name)
            caller.fill(name)
            caller.ask(name)
            caller.save(name)
            assert tree(tmp_path, without=place) == outside, f"{name!r} reached outside"
        until(lambda: server.status()["durability"]["on_disk"], "all is written", seen=lambda: server.status()["durability"])
        for name in AWKWARD_NAMES:
            caller.delete(name)
            assert tree(tmp_path, without=place) == outside, f"{name!r} reached outside"
        assert not NEW_VISDOM or "main" in server.post("/env_state", {}).json()
        until(lambda: server.status()["durability"]["on_disk"], "all is written", seen=lambda: server.status()["durability"])
        server.await_(server.app.transport.journal.close())
        assert tree(tmp_path, without=place) == outside
    finally:
        caller.close()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("gently", [True, False], ids=["stopped", "killed"])
def test_all_is_there_after_a_restart_whatever_it_is_called(
    serve: Serve, place: Path, tmp_path: Path, records: Records, gently: bool
) -> None:
    records.ignore("has no file and is kept in the journal: its id cannot be the name of a file")
    server = serve(place, settings={"journal": "all", "journal_interval_s": 0.02})
    caller = Caller(server)
    try:
        for name in AWKWARD_NAMES:
            caller.fill(name)
        until(lambda: server.status()["durability"]["on_disk"], "all is written", seen=lambda: server.status()["durability"])
    finally:
        caller.close()
    journal = server.app.transport.journal
    before = server.run(lambda: {eid: dict(content["jsons"]) for eid, content in server.app.state.items()})
    if gently:
        server.await_(journal.close())
    image = tmp_path / "image"
    shutil.copytree(place, image, ignore=shutil.ignore_patterns("lock"))

    again = serve(image, settings={"journal": "all"})
    after = again.run(lambda: {eid: dict(content["jsons"]) for eid, content in again.app.state.items()})
    assert after.keys() == before.keys()
    for eid, windows in after.items():
        assert windows == before[eid], eid
