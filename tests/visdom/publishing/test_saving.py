"""Saving a large environment: others are answered meanwhile, and the answer comes when it is in its file."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.raw import RawSocket
from tests.support.records import Records
from tests.support.wait import until
from visdom_transport.visdom.durability import folding, steps
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a server keeps its environments."""
    folder = tmp_path / "envs"
    folder.mkdir()
    return folder


def put(server: LocalServer, eid: str, content: str) -> None:
    server.post("/events", {"data": [{"type": "text", "content": content}], "win": "w", "eid": eid}).raise_for_status()


def save_command(eid: str, previous: str = "large") -> dict[str, Any]:
    return {"cmd": "save", "prev_eid": previous, "eid": eid, "data": {"w": [1, {"x": 5}]}}


def numbered(command: dict[str, Any]) -> dict[str, Any]:
    return {"type": "command", "id": 1, "command": command}


def by_socket(server: LocalServer, command: dict[str, Any]) -> None:
    with OwnSocket(server) as page:
        assert page.ask(numbered(command), "reply")["error"] is None


def by_polls(server: LocalServer, command: dict[str, Any]) -> None:
    page = OwnPoll(server)
    body = {"link": page.link, "secret": page.secret, "messages": [numbered(command)]}
    assert [each["error"] for each in page.request("/transport/send", body)] == [None]


def by_stock_socket(server: LocalServer, command: dict[str, Any]) -> None:
    with RawSocket(server, "/socket") as page:
        page.send(command)
        until(lambda: (server.env_path or Path()).joinpath(f"{command['eid']}.json").exists(), "it is saved")


def by_stock_polls(server: LocalServer, command: dict[str, Any]) -> None:
    sid = server.get("/socket_wrap").json()["sid"]
    body = {"message_type": "send", "sid": sid, "message": json.dumps(command)}
    assert server.post("/socket_wrap", body).json()["success"]


def by_fork(server: LocalServer, command: dict[str, Any]) -> None:
    answer = server.post("/fork_env", {"prev_eid": command["prev_eid"], "eid": command["eid"]})
    assert (answer.status_code, answer.text) == (200, command["eid"])


def by_save(server: LocalServer, command: dict[str, Any]) -> None:
    assert server.post("/save", {"data": [command["eid"]]}).json() == [command["eid"]]


def by_experiment(server: LocalServer, command: dict[str, Any]) -> None:
    body = {"eid": command["eid"], "action": "metrics", "metrics": {"a": 1, "b": 2}}
    assert [each["key"] for each in server.post("/experiments/log", body).json()["metrics"]] == ["a", "b"]


PAGES = [by_socket, by_polls, by_stock_socket, by_stock_polls]
COMMENT = {"cmd": "update_comment", "eid": "large", "win": "w", "data": "a comment"}
EXPERIMENT = {"eid": "large"}
WAYS: list[tuple[Callable[..., None], dict[str, Any]]] = [
    *((way, save_command(eid)) for way in PAGES for eid in ("large", "copy")),
    (by_fork, save_command("copy")),
    (by_save, save_command("large")),
]
if NEW_VISDOM:
    WAYS += [*((way, COMMENT) for way in PAGES), (by_experiment, EXPERIMENT)]


@pytest.mark.parametrize("journal", ["all", "off"])
@pytest.mark.parametrize(("way", "command"), WAYS)
def test_nobody_waits_for_one_that_is_saved_in_any_way(
    serve: Serve, disk: Callable[[], SlowDisk], folder: Path, way: Callable[..., None], command: dict[str, Any], journal: str
) -> None:
    server = serve(folder, settings={"journal": journal})
    put(server, "large", "x" * 100_000)
    slow = disk()
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(way, server, command)
        assert slow.begun.acquire(timeout=10)
        assert server.post("/win_exists", {"win": "w", "eid": "large"}).text == "true"
        put(server, "large", "later")
        assert not saving.done()
        slow.go_on.set()
        saving.result(20)
    eid = command["eid"]
    assert in_file(folder, eid) == "x" * 100_000
    saved = json.loads((folder / f"{eid}.json").read_text())
    if way in PAGES and command is COMMENT:
        assert saved["jsons"]["w"]["comment"] == "a comment"
    elif way in PAGES:
        assert saved["reload"] == {"w": [1, {"x": 5}]}
    assert ("experiment" in saved) == (way is by_experiment)
    assert server.windows(eid)["w"]["content"] == ("later" if eid == "large" else "x" * 100_000)


@pytest.mark.parametrize("journal", ["all", "off"])
def test_one_that_was_read_and_has_not_changed_is_written_while_others_are_answered(
    serve: Serve, disk: Callable[[], SlowDisk], folder: Path, journal: str
) -> None:
    (folder / "large.json").write_text(json.dumps({"jsons": {"w": {"type": "text", "content": "x", "id": "w"}}, "reload": {}}))
    server = serve(folder, settings={"journal": journal})
    assert server.windows("large")["w"]["content"] == "x"
    slow = disk()
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(by_save, server, save_command("large"))
        assert slow.begun.acquire(timeout=10)
        put(server, "large", "later")
        slow.go_on.set()
        saving.result(20)
    server.post("/save", {"data": ["large"]}).raise_for_status()
    assert in_file(folder, "large") == "later"


def test_a_page_is_answered_while_it_saves_and_its_next_command_waits(
    serve: Serve, disk: Callable[[], SlowDisk], folder: Path
) -> None:
    server = serve(folder)
    put(server, "large", "x")
    slow = disk()
    with OwnSocket(server) as page:
        page.send(numbered(save_command("large")))
        page.send({"type": "command", "id": 2, "command": {"cmd": "close", "eid": "large", "data": "w"}})
        assert slow.begun.acquire(timeout=10)
        page.ask({"type": "ping"}, "pong")
        assert server.windows("large").keys() == {"w"}
        slow.go_on.set()
        assert [page.receive_type("reply")["id"] for _ in range(2)] == [1, 2]
        assert in_file(folder, "large") == "x"
        assert server.windows("large") == {}
        # A command that comes again is answered, not carried out.
        put(server, "large", "later")
        assert page.ask(numbered(save_command("large")), "reply")["error"] is None
    assert in_file(folder, "large") == "x"


def test_a_window_that_changes_while_it_is_written_is_written_as_it_was_at_one_moment(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """Whether it is encoded or copied: x and y are of one length, whatever is appended between two steps."""
    for module in (folding, steps):
        monkeypatch.setattr(module, "STEP_BYTES", 2_000)
        monkeypatch.setattr(module, "REST_S", 0)
    monkeypatch.setattr(steps, "TURN_S", 0)
    server = serve(folder)
    server.plot("w", [0.5] * 5_000, "large")
    done = threading.Event()

    def append() -> None:
        while not done.is_set():
            server.http.post(server.url("/update"), data=json.dumps(APPEND), timeout=20).raise_for_status()

    with ThreadPoolExecutor(1) as pool, OwnSocket(server) as page:
        appending = pool.submit(append)
        try:
            for number in range(1, 21):
                eid = "large" if number % 2 else f"copy{number}"
                assert page.command(number, **save_command(eid))["error"] is None
                content = json.loads((folder / f"{eid}.json").read_text())["jsons"]["w"]["content"]
                trace = content["data"][0]
                assert len(trace["x"]) == len(trace["y"]) >= 5_000
        finally:
            done.set()
            appending.result(20)


APPEND = {
    "data": [{"type": "scatter", "name": "1", "x": [1], "y": [2]}],
    "name": "1",
    "win": "w",
    "eid": "large",
    "append": True,
    "layout": {},
}


def in_file(folder: Path, eid: str) -> object:
    path = folder / f"{eid}.json"
    return json.loads(path.read_text())["jsons"]["w"]["content"] if path.exists() else None


def test_others_are_answered_while_it_is_saved(serve: Serve, disk: Callable[[], SlowDisk], folder: Path) -> None:
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


def test_one_that_is_deleted_while_it_is_saved_is_gone(serve: Serve, disk: Callable[[], SlowDisk], folder: Path) -> None:
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


def test_one_that_must_not_be_saved_keeps_the_others_from_it(serve: Serve, records: Records, folder: Path) -> None:
    for pattern in ("taken.json is not JSON", "'taken' has no file", "400 POST /save"):
        records.expect(pattern)
    server = serve(folder)
    (folder / "taken.json").write_text("no environment")
    put(server, "fine", "x")
    put(server, "taken", "x")
    assert server.post("/save", {"data": ["fine", "taken"]}).status_code == 400
    assert in_file(folder, "fine") is None


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 takes no uploads")
def test_others_are_answered_while_an_upload_is_saved(serve: Serve, disk: Callable[[], SlowDisk], folder: Path) -> None:
    server = serve(folder)
    put(server, "large", "x")
    content = json.dumps({"jsons": server.windows("large"), "reload": {"w": 1}, "more": 5})
    slow = disk()
    with ThreadPoolExecutor(1) as pool:
        uploading = pool.submit(server.http.post, server.url("/upload_env"), files={"file": ("run.json", content)}, timeout=20)
        assert slow.begun.acquire(timeout=10)
        assert server.post("/win_exists", {"win": "w", "eid": "large"}).text == "true"
        assert not uploading.done()
        slow.go_on.set()
        answer = uploading.result(20).json()
    assert answer["success"], answer
    assert answer["eid"].startswith("uploaded_run_")
    assert in_file(folder, answer["eid"]) == "x"
    assert server.windows(answer["eid"])["w"]["content"] == "x"


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 knows no experiments")
@pytest.mark.parametrize("eid", ["known", "new"])
def test_an_experiment_that_cannot_be_written_is_an_error(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, records: Records, folder: Path, eid: str
) -> None:
    records.expect("/experiments/log failed: .*No space left")
    records.expect("500 POST /experiments/log")
    server = serve(folder)
    put(server, "known", "x")

    def full(*_: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(EnvironmentFile, "commit", full)
        answer = server.post("/experiments/log", {"eid": eid, "name": "first"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "failed")
    # What was to be written is not forgotten.
    server.post("/experiments/log", {"eid": eid, "description": "more"}).raise_for_status()
    experiment = json.loads((folder / f"{eid}.json").read_text())["experiment"]
    assert (experiment["name"], experiment["description"]) == ("first", "more")


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 knows no experiments")
def test_what_an_experiment_had_before_it_was_refused_is_written(serve: Serve, records: Records, folder: Path) -> None:
    records.ignore("400 POST /experiments/log")
    server = serve(folder, settings={"journal": "off"})
    put(server, "known", "x")
    body = {"eid": "known", "action": "metrics", "metrics": {"good": 1, "bad": "no number"}}
    stock_takes_it = server.post("/experiments/log", body).status_code == 200
    experiment = json.loads((folder / "known.json").read_text())["experiment"]
    assert [each["key"] for each in experiment["metrics"]] == ["good", "bad"][: 2 if stock_takes_it else 1]


def test_of_two_saves_at_the_same_time_none_is_done_again_on_the_loop(
    serve: Serve, disk: Callable[[], SlowDisk], folder: Path
) -> None:
    """Whichever is in its place first: the one that was begun later counts."""
    server = serve(folder)
    put(server, "large", "x")
    slow = disk()
    with ThreadPoolExecutor(2) as pool:
        saving = []
        for _ in range(2):
            saving.append(pool.submit(by_save, server, save_command("large")))
            assert slow.begun.acquire(timeout=10)
        slow.go_on.set()
        for each in saving:
            each.result(20)
    assert not slow.begun.acquire(blocking=False), "a third file was written"
    assert in_file(folder, "large") == "x"
