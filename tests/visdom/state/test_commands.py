"""What each command does to the state and the disk, and what it tells. (Bad ones: tests/links.)"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from visdom.utils import server_utils

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from visdom_transport.visdom.durability.environments import EnvironmentFile

Serve = Callable[..., LocalServer]


class Tab:
    """A page with a counter for its commands."""

    def __init__(self, client: OwnSocket) -> None:
        self.client = client
        self._last = 0

    def do(self, **command: Any) -> Any:
        self._last += 1
        reply = self.client.command(self._last, **command)
        return reply["error"] and reply["error"]["code"]


@pytest.fixture
def client(server: LocalServer) -> Iterator[OwnSocket]:
    server.text("a", "one")
    with OwnSocket(server, "env/main", "shared", "events") as client:
        client.converge()
        yield client


@pytest.fixture
def tab(client: OwnSocket) -> Tab:
    return Tab(client)


def events(client: OwnSocket) -> list[Any]:
    client.silent()
    return client.replicas.events.get("events", [])


def test_close_is_told_once_and_repeated_without_harm(server: LocalServer, client: OwnSocket, tab: Tab) -> None:
    window = server.windows()["a"]
    assert tab.do(cmd="close", data="a", eid="main") is None
    client.converge()
    assert tab.do(cmd="close", data="a", eid="main") is None
    assert events(client) == [{"event_type": "close", "target": "a", "eid": "main", "pane_data": window}]


def test_close_by_http_is_no_event(server: LocalServer, client: OwnSocket) -> None:
    server.post("/close", {"win": "a", "eid": "main"})
    client.converge()
    assert events(client) == []


@pytest.mark.skipif(not NEW_VISDOM, reason="0.3.0 keeps closed windows on disk")
def test_close_closes_although_the_disk_is_full(
    server: LocalServer, client: OwnSocket, tab: Tab, monkeypatch: pytest.MonkeyPatch, records: Records
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(server_utils, "push_deleted", full)
    assert tab.do(cmd="close", data="a", eid="main") is None
    client.converge()
    assert [event["target"] for event in events(client)] == ["a"]
    records.expect("cannot be brought back")


def test_layouts_that_cannot_be_saved_are_not_changed(
    server: LocalServer, client: OwnSocket, tab: Tab, monkeypatch: pytest.MonkeyPatch, records: Records
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert tab.do(cmd="save_layouts", data="before") is None
    client.until(lambda: client.replicas.state("shared")["layouts"] == "before", "it is told")
    monkeypatch.setattr(server.app, "save_layouts", full)
    assert tab.do(cmd="save_layouts", data="after") == "failed"
    assert server.app.layouts == "before"
    records.expect("No space left")


def test_save_in_place_and_as_a_fork(server: LocalServer, client: OwnSocket, tab: Tab) -> None:
    assert server.env_path is not None
    assert tab.do(cmd="save", data={"a": {"i": "a", "h": 3}}, prev_eid="main", eid="main") is None
    assert json.loads((server.env_path / "main.json").read_text())["reload"] == {"a": {"i": "a", "h": 3}}
    assert tab.do(cmd="save", data={}, prev_eid="main", eid="new/one") is None
    assert (server.env_path / "new_one.json").exists()
    assert server.windows("new_one") == server.windows()
    client.until(lambda: client.replicas.state("shared")["envs"] == ["main", "new_one"], "it is listed")
    server.text("a", "changed")
    assert server.windows("new_one")["a"]["content"] == "one"


def test_save_that_cannot_be_written_is_told(
    server: LocalServer, tab: Tab, monkeypatch: pytest.MonkeyPatch, records: Records
) -> None:
    def full(*_: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(EnvironmentFile, "commit", full)
    assert tab.do(cmd="save", data={}, prev_eid="main", eid="new") == "failed"
    records.expect("command save failed")


def test_delete_env_removes_it_everywhere(server: LocalServer, client: OwnSocket, tab: Tab) -> None:
    assert server.env_path is not None
    server.text("x", "x", eid="gone")
    server.post("/save", {"data": ["gone"]})
    assert tab.do(cmd="delete_env", eid="gone", prev_eid="main") is None
    assert not (server.env_path / "gone.json").exists()
    client.until(lambda: client.replicas.state("shared")["envs"] == ["main"], "it is not listed")
    assert tab.do(cmd="delete_env", eid="gone") is None
    assert tab.do(cmd="delete_env", eid="main") == ("failed" if NEW_VISDOM else None)


def test_delete_env_cannot_leave_its_directory(server: LocalServer, tab: Tab) -> None:
    assert server.env_path is not None
    outside = server.env_path.parent / "precious.json"
    outside.write_text("{}")
    assert tab.do(cmd="delete_env", eid="../precious") is None
    assert outside.exists()


def test_layouts_reach_every_tab_and_the_disk(server: LocalServer, client: OwnSocket, tab: Tab) -> None:
    assert server.env_path is not None
    assert tab.do(cmd="save_layouts", data='{"main": {"view": {}}}') is None
    client.until(lambda: client.replicas.state("shared")["layouts"] == '{"main": {"view": {}}}', "the layouts")
    assert (server.env_path / "view" / "layouts.json").read_text() == '{"main": {"view": {}}}'


def test_positions_of_panes_are_in_the_header_of_the_feed(server: LocalServer, tab: Tab) -> None:
    assert tab.do(cmd="layout_item_update", eid="main", win="a", data={"i": "a", "w": 2}) is None
    with OwnSocket(server, "env/main") as other:
        header = other.receive_type("subscribed")["header"]
        assert header["reload"] == {"a": {"i": "a", "w": 2}}
        assert header["restored"] == server.app.transport.journal.restored("main")


def test_forwarded_events_carry_the_window_unless_told_not_to(server: LocalServer, client: OwnSocket, tab: Tab) -> None:
    assert tab.do(cmd="forward_to_vis", data={"eid": "main", "target": "a", "event_type": "Click"}) is None
    assert tab.do(cmd="forward_to_vis", data={"eid": "main", "target": "x", "event_type": "Click", "pane_data": False}) is None
    first, second = events(client)
    assert first["pane_data"] == server.windows()["a"]
    assert second["pane_data"] is False


def test_a_pane_of_embeddings_goes_back(server: LocalServer, client: OwnSocket, tab: Tab) -> None:
    points = [{"group": 1, "name": str(n), "label": "l", "position": [n, n], "idx": n} for n in range(4)]
    body = {"win": "e", "eid": "main", "data": [{"type": "embeddings", "content": {"data": points}}], "opts": {}}
    server.post("/events", body).raise_for_status()
    assert tab.do(cmd="pop_embeddings_pane", data={"eid": "main", "target": "e"}) == "failed"
    region = {"win": "e", "eid": "main", "data": {"update_type": "RegionSelected", "points": points[:2]}, "append": True}
    server.post("/update", region).raise_for_status()
    client.converge()
    assert len(client.replicas.state("env/main")["e"]["content"]["data"]) == 2
    before = client.replicas.state("env/main")["e"]["contentID"]
    assert tab.do(cmd="pop_embeddings_pane", data={"eid": "main", "target": "e"}) is None
    client.converge()
    window = client.replicas.state("env/main")["e"]
    assert window["content"]["data"] == points
    assert window["content"]["has_previous"] is False
    assert window["contentID"] != before


@pytest.mark.skipif(not NEW_VISDOM, reason="0.3.0's commands")
def test_plot_layout_and_save_all(server: LocalServer, client: OwnSocket, tab: Tab) -> None:
    server.plot("p", [1, 2])
    assert tab.do(cmd="update_plot_layout", eid="main", win="p", data={"xaxis": {"range": [0, 1]}}) is None
    assert server.windows()["p"]["content"]["layout"]["xaxis"] == {"range": [0, 1]}
    assert tab.do(cmd="update_plot_layout", eid="main", win="a", data={}) == "failed"
    server.text("x", "x", eid="other")
    assert tab.do(cmd="save_all") is None
    assert server.env_path is not None
    assert json.loads((server.env_path / "other.json").read_text())["jsons"]["x"]["content"] == "x"


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 has no comments")
def test_a_comment_is_on_disk_when_the_command_is_answered(server: LocalServer, tab: Tab, records: Records) -> None:
    """It was saved later, by another thread, from a copy: over whatever had been saved meanwhile."""
    assert server.env_path is not None
    for number in range(20):
        assert tab.do(cmd="update_comment", eid="main", win="a", data=f"comment {number}") is None
        saved = json.loads((server.env_path / "main.json").read_text())
        assert saved["jsons"]["a"]["comment"] == f"comment {number}"


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 has no comments")
def test_a_comment_that_cannot_be_saved_is_there_all_the_same(
    server: LocalServer, tab: Tab, monkeypatch: pytest.MonkeyPatch, records: Records
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(server.app.storage, "save_env", full)
    assert tab.do(cmd="update_comment", eid="main", win="a", data="mine") is None
    assert server.windows()["a"]["comment"] == "mine"
    records.expect("could not be saved: .*No space left")


@pytest.mark.skipif(NEW_VISDOM, reason="0.3.0 knows them")
@pytest.mark.parametrize("name", ["undo", "save_all", "update_plot_layout", "update_comment"])
def test_commands_of_a_newer_visdom_are_unknown(tab: Tab, name: str) -> None:
    assert tab.do(cmd=name, eid="main", win="a", data={}) == "unknown_command"
