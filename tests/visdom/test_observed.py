"""The observed state: every change of it, made by whichever handler, reaches who follows it."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from tests.support.stock_peers import StockSocket
from tests.support.wait import until
from visdom_transport.visdom.observed import Environment, State, Windows

Serve = Callable[..., LocalServer]


class Notes:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.taken: list[tuple[Any, ...]] = []

    def environments_changed(self) -> None:
        self.taken.append(("envs",))

    def environment_replaced(self, eid: str, before: set[str] | None) -> None:
        self.taken.append(("replaced", eid, before))

    def environment_found(self, eid: str) -> None:
        self.taken.append(("found", eid))

    def window_set(self, eid: str, win: str) -> None:
        self.taken.append(("set", eid, win))

    def window_removed(self, eid: str, win: str) -> None:
        self.taken.append(("removed", eid, win))

    def member_set(self, eid: str, name: str) -> None:
        self.taken.append(("member", eid, name))


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def state(notes: Notes) -> State:
    state = State({"main": {"jsons": {"a": {"n": 1}, "b": {"n": 2}}, "reload": {"a": 1}}}, None, lambda eid, content: None)
    state.observe(notes)
    return state


CHANGES: list[tuple[str, Callable[[Any], Any], list[tuple[Any, ...]]]] = [
    ("set", lambda w: w.__setitem__("c", 1), [("set", "main", "c")]),
    ("replace", lambda w: w.__setitem__("a", 1), [("set", "main", "a")]),
    ("delete", lambda w: w.__delitem__("a"), [("removed", "main", "a")]),
    ("pop", lambda w: w.pop("a"), [("removed", "main", "a")]),
    ("pop with a default", lambda w: w.pop("a", None), [("removed", "main", "a")]),
    ("pop of nothing", lambda w: w.pop("x", None), []),
    ("clear", lambda w: w.clear(), [("removed", "main", "a"), ("removed", "main", "b")]),
    ("update", lambda w: w.update({"a": 1}, c=2), [("set", "main", "a"), ("set", "main", "c")]),
    ("update by pairs", lambda w: w.update([("c", 2)]), [("set", "main", "c")]),
    ("setdefault", lambda w: w.setdefault("c", 2), [("set", "main", "c")]),
    ("setdefault of what is there", lambda w: w.setdefault("a", 2), []),
    ("or", lambda w: w.__ior__({"c": 1}), [("set", "main", "c")]),
]


@pytest.mark.parametrize(("change", "told"), [each[1:] for each in CHANGES], ids=[each[0] for each in CHANGES])
def test_every_way_to_change_windows_is_told(state: State, notes: Notes, change: Any, told: Any) -> None:
    plain = dict(state["main"]["jsons"])
    change(state["main"]["jsons"])
    change(plain)
    assert state["main"]["jsons"] == plain, "it behaves as a dict does"
    assert sorted(notes.taken) == sorted(told)


def test_it_answers_as_a_dict_does(state: State) -> None:
    windows = state["main"]["jsons"]
    assert windows.pop("a") == {"n": 1}
    assert windows.pop("a", 7) == 7
    with pytest.raises(KeyError):
        windows.pop("a")
    with pytest.raises(KeyError):
        del windows["a"]
    assert windows.popitem() == ("b", {"n": 2})
    with pytest.raises(KeyError):
        windows.popitem()
    assert json.dumps(state) == '{"main": {"jsons": {}, "reload": {"a": 1}}}'
    assert isinstance(state, dict)
    assert isinstance(windows, dict)


def test_windows_replaced_at_once_tell_what_was_there(state: State, notes: Notes) -> None:
    state["main"]["jsons"] = {"b": 1, "c": 2}
    assert notes.taken == [("replaced", "main", {"a", "b"})]
    notes.taken.clear()
    state["main"]["jsons"]["d"] = 3
    assert notes.taken == [("set", "main", "d")], "the new windows are observed as well"


def test_environments_come_and_go(state: State, notes: Notes) -> None:
    state["new"] = {"jsons": {"w": 1}, "reload": {}}
    assert notes.taken == [("envs",), ("replaced", "new", None)]
    notes.taken.clear()
    state["new"] = {"jsons": {}, "reload": {}}
    assert notes.taken == [("replaced", "new", {"w"})]
    notes.taken.clear()
    state.pop("new")
    assert notes.taken == [("envs",), ("replaced", "new", set())]
    notes.taken.clear()
    state["main"]["reload"]["x"] = 1
    state["main"]["experiment"] = {}
    assert notes.taken == [("member", "main", "experiment")]


@pytest.mark.parametrize("copier", [copy.deepcopy, copy.copy, lambda d: d.copy(), lambda d: pickle.loads(pickle.dumps(d))])
def test_copies_are_plain(state: State, notes: Notes, copier: Callable[[Any], Any]) -> None:
    duplicate = copier(state["main"])
    assert type(duplicate) is dict
    assert duplicate == state["main"]
    assert type(copier(state["main"]["jsons"])) is dict
    duplicate["jsons"] = {}
    assert notes.taken == []
    assert len(state["main"]["jsons"]) == 2


def test_a_fork_is_independent(state: State, notes: Notes) -> None:
    state["fork"] = copy.deepcopy(state["main"])
    notes.taken.clear()
    state["fork"]["jsons"]["a"]["n"] = 99
    state["fork"]["jsons"]["c"] = 1
    assert notes.taken == [("set", "fork", "c")]
    assert state["main"]["jsons"] == {"a": {"n": 1}, "b": {"n": 2}}
    assert isinstance(state["fork"], Environment)
    assert isinstance(state["fork"]["jsons"], Windows)


def test_an_environment_without_windows_is_refused_and_changes_nothing(state: State, notes: Notes) -> None:
    for content in ({}, {"jsons": 7}, None):
        with pytest.raises((KeyError, TypeError, ValueError)):
            state["bad"] = content
    with pytest.raises((TypeError, ValueError)):
        state["main"]["jsons"] = 7
    assert list(state) == ["main"]
    assert len(state["main"]["jsons"]) == 2
    assert notes.taken == []


# --- every endpoint that changes the state ---


@pytest.fixture
def viewer(server: LocalServer) -> Iterator[OwnSocket]:
    with OwnSocket(server, "shared", "env/main") as client:
        client.converge()
        yield client


def test_events_new_replaced_and_in_a_new_environment(server: LocalServer, viewer: OwnSocket) -> None:
    server.text("a", "one")
    viewer.converge()
    server.text("a", "two")
    viewer.converge()
    server.text("a", "one", eid="other")
    viewer.until(lambda: viewer.replicas.state("shared").get("envs") == ["main", "other"], "the environment is listed")


def test_update_of_every_kind(server: LocalServer, viewer: OwnSocket) -> None:
    server.plot("p", [1, 2])
    server.text("t", "one")
    viewer.converge()
    trace = {"type": "scatter", "x": [7], "y": [8]}
    updates: list[dict[str, Any]] = [
        {"win": "p", "data": [trace], "name": "1", "append": True},
        {"win": "p", "data": [trace], "name": "2"},
        {"win": "p", "data": [{**trace, "y": [9]}], "name": "1", "append": False},
        {"win": "p", "layout": {"title": "new"}},
        {"win": "p", "opts": {"title": "newer"}},
        {"win": "p", "data": [{}], "name": "2", "delete": True},
        {"win": "t", "data": [{"content": "more"}], "append": True},
        {"win": "made", "data": [trace], "append": True, "layout": {}},
    ]
    for body in updates:
        answer = server.post("/update", {"eid": "main", "layout": {}, "opts": {}, **body})
        assert (answer.status_code, answer.text) == (200, body["win"])
        viewer.converge()


def test_close_of_one_of_none_and_of_all(server: LocalServer, viewer: OwnSocket) -> None:
    for win in "abc":
        server.text(win, win)
    viewer.converge()
    assert server.post("/close", {"win": "a", "eid": "main"}).status_code == 200
    viewer.converge()
    assert server.post("/close", {"win": "never there", "eid": "main"}).status_code == 200
    assert server.post("/close", {"win": None, "eid": "main"}).status_code == 200
    viewer.converge()
    assert viewer.replicas.state("env/main") == {}


def test_win_data_sets_one_and_all(server: LocalServer, viewer: OwnSocket) -> None:
    server.text("a", "one")
    server.text("b", "two")
    windows = server.windows()
    windows["a"]["content"] = "set"
    assert server.post("/win_data", {"win": "a", "eid": "main", "data": json.dumps(windows["a"])}).status_code == 200
    viewer.converge()
    del windows["b"]
    windows["new"] = {**windows["a"], "id": "new"}
    assert server.post("/win_data", {"win": None, "eid": "main", "data": json.dumps(windows)}).status_code == 200
    viewer.converge()
    assert list(viewer.replicas.state("env/main")) == ["a", "new"]
    server.post("/win_data", {"win": "x", "eid": "made", "data": "{}"})
    viewer.until(lambda: "made" in viewer.replicas.state("shared")["envs"], "the new environment is listed")


def test_win_data_that_is_no_mapping_is_refused(server: LocalServer, viewer: OwnSocket, records: Records) -> None:
    records.expect("400 POST /win_data")
    server.text("a", "one")
    assert server.post("/win_data", {"win": None, "eid": "main", "data": "[1, 2]"}).status_code == 400
    assert list(server.windows()) == ["a"]
    server.text("a", "two")
    viewer.converge()


def test_delete_env_saved_or_not(server: LocalServer, viewer: OwnSocket) -> None:
    server.text("a", "one", eid="unsaved")
    server.text("a", "one", eid="saved")
    assert server.env_path is not None
    assert server.post("/save", {"data": ["saved"]}).json() == ["saved"]
    viewer.until(lambda: viewer.replicas.state("shared").get("envs") == ["main", "unsaved", "saved"], "three environments")
    for eid in ("unsaved", "saved", "never there"):
        assert server.post("/delete_env", {"eid": eid}).status_code == 200
    viewer.until(lambda: viewer.replicas.state("shared")["envs"] == ["main"], "one environment")
    assert not (server.env_path / "saved.json").exists()


def test_a_viewer_of_a_deleted_environment_is_left_with_nothing_and_then_the_new_one(server: LocalServer) -> None:
    server.text("a", "one", eid="gone")
    with OwnSocket(server, "env/gone") as viewer:
        viewer.converge("gone")
        server.post("/delete_env", {"eid": "gone"})
        viewer.until(lambda: viewer.replicas.state("env/gone") == {}, "nothing is left")
        server.text("b", "again", eid="gone")
        viewer.converge("gone")


def test_fork_env_new_and_over_an_old_one(server: LocalServer, viewer: OwnSocket) -> None:
    server.text("a", "one")
    server.text("z", "old", eid="copy")
    with OwnSocket(server, "env/copy") as other:
        other.converge("copy")
        assert server.post("/fork_env", {"prev_eid": "main", "eid": "copy"}).text == "copy"
        other.converge("copy")
        assert list(other.replicas.state("env/copy")) == ["a"]
        server.text("a", "only in the copy", eid="copy")
        other.converge("copy")
        viewer.converge()
        assert viewer.replicas.state("env/main")["a"]["content"] == "one"


def test_save_changes_nothing_but_the_disk(server: LocalServer, viewer: OwnSocket) -> None:
    server.text("a", "one")
    viewer.converge()
    assert server.post("/save", {"data": ["main", "nowhere"]}).json() == ["main"]
    assert server.env_path is not None
    assert json.loads((server.env_path / "main.json").read_text())["jsons"] == server.windows()
    assert viewer.silent() == []


def test_a_posted_environment_is_listed(server: LocalServer, viewer: OwnSocket) -> None:
    assert server.post("/env/new", {"eid": "new"}).status_code == 200
    viewer.until(lambda: viewer.replicas.state("shared").get("envs") == ["main", "new"], "it is listed")
    with OwnSocket(server, "env/new") as other:
        server.text("a", "one", eid="new")
        other.converge("new")


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 has no uploads")
def test_an_uploaded_environment_is_listed_and_live(server: LocalServer, viewer: OwnSocket) -> None:
    content = json.dumps({"jsons": {"a": {"id": "a", "i": 0, "command": "window"}}, "reload": {}})
    answer = server.http.post(server.url("/upload_env"), files={"file": ("run.json", content)}, timeout=20).json()
    eid = answer["eid"]
    viewer.until(lambda: eid in viewer.replicas.state("shared").get("envs", []), "it is listed")
    with OwnSocket(server, f"env/{eid}") as other:
        other.converge(eid)
        server.text("b", "more", eid=eid)
        other.converge(eid)


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 has no undo, comments and experiments")
def test_undo_comment_and_experiment(server: LocalServer, viewer: OwnSocket) -> None:

    def shared() -> dict[str, Any]:
        return viewer.replicas.state("shared")

    for win in "ab":
        server.text(win, win)
    viewer.converge()
    assert viewer.command(1, cmd="close", data="a", eid="main")["error"] is None
    viewer.converge()
    viewer.until(lambda: shared().get("undo/main") == 1, "one to undo")
    server.post("/close", {"win": "b", "eid": "main"})
    viewer.until(lambda: shared().get("undo/main") == 2, "two to undo")
    assert viewer.command(2, cmd="undo", eid="main")["error"] is None
    viewer.converge()
    viewer.until(lambda: shared().get("undo/main") == 1, "one left to undo")
    assert list(server.windows()) == ["b"]
    assert viewer.command(3, cmd="update_comment", eid="main", win="b", data="fine")["error"] is None
    viewer.converge()
    assert viewer.replicas.state("env/main")["b"]["comment"] == "fine"
    server.post("/experiments/log", {"eid": "run", "name": "first"}).raise_for_status()
    viewer.until(lambda: "run" in shared().get("envs", []), "the experiment's environment is listed")


# --- environments that are still on disk ---


def saved(path: Path, eid: str, **windows: str) -> None:
    common = {"command": "window", "type": "text", "title": "", "version": 1}
    jsons = {
        win: {**common, "id": win, "content": text, "contentID": text, "i": i} for i, (win, text) in enumerate(windows.items())
    }
    (path / f"{eid}.json").write_text(json.dumps({"jsons": jsons, "reload": {}}))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.mkdir()
    saved(path, "main")
    saved(path, "old", a="one", b="two")
    return path


def unread(server: LocalServer, eid: str) -> bool:
    return server.app.state[eid]._raw_dict is None


def test_a_copy_of_what_was_read_late_is_nobodys(serve: Serve, disk: Path) -> None:
    """Visdom's compare view changes a copy of the first environment."""
    server = serve(disk)
    with OwnSocket(server, "env/old") as client:
        client.converge("old")

        def change_a_copy() -> None:
            duplicate = copy.deepcopy(server.app.state["old"])
            duplicate["jsons"]["a"]["content"] = "changed"
            duplicate["jsons"]["x"] = {}
            del duplicate["jsons"]["b"]

        server.run(change_a_copy)
        assert client.silent() == []
        assert list(server.windows("old")) == ["a", "b"]


def test_listing_reads_nothing(serve: Serve, disk: Path) -> None:
    server = serve(disk)
    with OwnSocket(server, "shared") as client:
        client.until(lambda: sorted(client.replicas.state("shared").get("envs", [])) == ["main", "old"], "both are listed")
    assert sorted(server.post("/env_state", {}).json()) == ["main", "old"]
    server.status()
    assert unread(server, "old")


def test_an_environment_read_late_is_observed(serve: Serve, disk: Path) -> None:
    server = serve(disk)
    with OwnSocket(server, "env/old") as client:
        client.converge("old")
        assert list(client.replicas.state("env/old")) == ["a", "b"]
        server.text("a", "changed", eid="old")
        client.converge("old")
        server.post("/close", {"win": "b", "eid": "old"})
        client.converge("old")


def test_an_environment_read_by_somebody_else_is_observed(serve: Serve, disk: Path) -> None:
    server = serve(disk)
    server.windows("old")
    with OwnSocket(server, "env/old") as client:
        client.converge("old")
        server.post("/win_data", {"win": None, "eid": "old", "data": "{}"})
        client.until(lambda: client.replicas.state("env/old") == {}, "all are gone")


def test_a_file_that_appears_later_can_be_opened(serve: Serve, disk: Path) -> None:
    server = serve(disk)
    saved(disk, "later", x="new")
    with OwnSocket(server, "shared", "env/later") as client:
        client.converge("later")
        assert list(client.replicas.state("env/later")) == ["x"]
        client.until(lambda: "later" in client.replicas.state("shared").get("envs", []), "it is listed")


def test_saving_what_was_not_read_keeps_its_file(serve: Serve, disk: Path) -> None:
    server = serve(disk)
    before = (disk / "old.json").read_text()
    answer = server.post("/save", {"data": ["old", "main"]})
    assert answer.status_code == 200
    if not NEW_VISDOM:
        assert answer.json() == ["old", "main"]
    assert (disk / "old.json").read_text() == before
    with OwnSocket(server) as client:
        reply = client.command(1, cmd="save", data={"a": {"i": "a"}}, prev_eid="old", eid="old")
        assert reply["error"] is None
    saved = json.loads((disk / "old.json").read_text())
    del saved["transport"]
    assert saved == {"jsons": json.loads(before)["jsons"], "reload": {"a": {"i": "a"}}}


@pytest.mark.parametrize("how", ["http", "command"])
def test_a_fork_of_what_was_not_read_is_whole_and_its_own(serve: Serve, disk: Path, how: str) -> None:
    server = serve(disk, settings={"journal": "off"})
    wanted = json.loads((disk / "old.json").read_text())["jsons"]
    if how == "http":
        assert server.post("/fork_env", {"prev_eid": "old", "eid": "fork"}).status_code == 200
    else:
        with OwnSocket(server) as client:
            assert client.command(1, cmd="save", data={}, prev_eid="old", eid="fork")["error"] is None
    assert json.loads((disk / "fork.json").read_text())["jsons"] == wanted
    server.text("a", "changed", eid="old")
    server.post("/save", {"data": ["old"]})
    server.post("/delete_env", {"eid": "old"})
    assert server.windows("fork") == wanted
    server.text("new", "x", eid="fork")
    assert serve(disk).windows("fork") == wanted, "what is on disk after a restart"


def test_a_file_that_cannot_be_read_is_told_and_harms_nobody(serve: Serve, disk: Path, records: Records) -> None:
    records.expect("409 POST /fork_env")
    saved(disk, "broken", x="lost")
    server = serve(disk)
    (disk / "broken.json").unlink()
    with OwnSocket(server, "env/main", "env/old") as client:
        client.converge("old")
        for feed in ("env/broken", "compare/broken+old"):
            verdict = client.ask({"type": "subscribe", "feed": feed, "position": None}, "subscribed")
            assert "broken.json is gone" in verdict["header"]["problem"]
        for command in (
            {"cmd": "close", "data": "a", "eid": "broken"},
            {"cmd": "save", "data": {}, "prev_eid": "broken", "eid": "copy"},
        ):
            reply = client.ask({"type": "command", "id": len(command), "command": command}, "reply")
            assert reply["error"]["code"] == "unknown_env"
        answer = server.post("/fork_env", {"prev_eid": "broken", "eid": "copy"})
        assert (answer.status_code, "broken.json is gone" in answer.text) == (409, True)
        assert sorted(server.post("/env_state", {}).json()) == ["broken", "main", "old"]
        assert server.post("/save", {"data": ["old", "broken"]}).status_code == 200
        server.text("a", "changed", eid="old")
        client.converge("old")
    assert not (disk / "copy.json").exists()


def test_a_page_that_asks_for_what_cannot_be_read_goes_on_with_its_own(serve: Serve, disk: Path, records: Records) -> None:
    if not NEW_VISDOM:
        records.expect("404 POST /env/broken")
    saved(disk, "broken", x="lost")
    server = serve(disk)
    (disk / "broken.json").unlink()
    with StockSocket(server) as page, StockSocket(server) as bystander:
        page.register()
        bystander.register()
        page.load("old")
        answer = server.post("/env/broken", {"sid": page.sid})
        if NEW_VISDOM:
            assert answer.status_code == 200
            said = page.receive_command("notification")["data"]
            assert (said["type"], "broken.json is gone" in said["message"]) == ("error", True)
        else:
            assert (answer.status_code, "broken.json is gone" in answer.text) == (404, True)
        server.text("a", "changed", eid="old")
        assert page.receive_command("window")["content"] == "changed"
        assert [message for message in bystander.silent() if message["command"] == "notification"] == []


def test_a_corrupt_main_does_not_keep_pages_out(serve: Serve, disk: Path, records: Records) -> None:
    records.expect("main.json")
    (disk / "main.json").write_text("not json")
    server = serve(disk)
    with StockSocket(server) as page:
        page.register()
        assert [message["id"] for message in page.load("old") if message["command"] == "window"] == ["a", "b"]


def test_the_memory_of_a_left_environment_is_given_back(serve: Serve, disk: Path) -> None:
    server = serve(disk, settings={"grace_s": 0.2, "heartbeat_s": 0.2, "dead_after_s": 0.7, "poll_wait_s": 0.5})
    with OwnSocket(server, "env/old", "env/main", "compare/main+old") as client:
        client.converge("old")
    until(lambda: set(server.status()["feeds"]) == {"events", "notifications"}, "no feed is left", seen=server.status)
