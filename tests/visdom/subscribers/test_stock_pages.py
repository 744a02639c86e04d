"""What a page of stock Visdom is shown: one environment at a time, in the order of Visdom, live and after a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.stock_peers import StockSocket
from tests.support.wait import until

Serve = Callable[..., LocalServer]


def commands(messages: list[Any]) -> list[str]:
    return [message["command"] for message in messages]


def test_register_comes_first(server: LocalServer) -> None:
    with StockSocket(server) as page:
        opening = page.register()
        assert commands(opening) == ["register", "layout_update", "env_update"]
        assert opening[0]["readonly"] is False
        assert opening[1]["data"] == ""
        assert opening[2]["data"] == ["main"]
        assert ("envList" in opening[0]) is NEW_VISDOM
        assert page.silent() == []


def test_layouts_are_not_sprayed_on_every_connect(server: LocalServer) -> None:
    with StockSocket(server) as first, StockSocket(server) as second:
        first.register()
        second.register()
        assert first.silent() == []


def test_an_environment_is_streamed_as_visdom_does(server: LocalServer) -> None:
    for win in ("c", "a", "b"):
        server.text(win, win)
    server.post("/win_data", {"win": "noindex", "eid": "main", "data": json.dumps({"command": "window", "id": "noindex"})})
    with StockSocket(server) as page:
        page.register()
        page.send({"cmd": "layout_item_update", "eid": "main", "win": "a", "data": {"i": "a", "h": 7}})
        until(lambda: server.app.state["main"]["reload"], "the position is known")
        stream = page.load("main")
        expected = ["reload", "window", "window", "window", "window", "layout"]
        assert commands([message for message in stream if message["command"] != "undo_state"]) == expected
        assert stream[0]["data"] == {"a": {"i": "a", "h": 7}}
        windows = [message for message in stream if message["command"] == "window"]
        assert [window["id"] for window in windows] == ["c", "a", "b", "noindex"]
        for window in windows:
            assert window.pop("eid") == "main"
            assert window == server.windows()[window["id"]]


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 has no undo")
def test_the_stream_tells_how_much_can_be_undone_even_after_a_restart(serve: Serve) -> None:
    server = serve()
    assert server.env_path is not None
    for win in "abc":
        server.text(win, win)
    server.post("/save", {"data": ["main"]})
    server.post("/close", {"win": "a", "eid": "main"})
    server.post("/close", {"win": "b", "eid": "main"})
    with StockSocket(server) as page:
        page.register()
        page.load("main")
        assert page.receive_command("undo_state") == {"command": "undo_state", "eid": "main", "count": 2}
    server.stop()
    restarted = serve(server.env_path)
    with StockSocket(restarted) as page:
        page.register()
        page.load("main")
        assert page.receive_command("undo_state") == {"command": "undo_state", "eid": "main", "count": 2}
        page.send({"cmd": "undo", "eid": "main"})
        assert page.receive_command("undo_state")["count"] == 1
        restarted.post("/close", {"win": "c", "eid": "main"})
        assert page.receive_command("undo_state")["count"] == 2


def test_live_windows_follow_main_until_an_environment_is_asked_for(server: LocalServer) -> None:
    server.text("old", "old")
    with StockSocket(server) as page:
        page.register()
        server.text("new", "new")
        message = page.receive()
        assert (message["command"], message["id"], message["content"]) == ("window", "new", "new")
        server.text("x", "x", eid="other")
        assert commands(page.silent()) == ["env_update"]


def test_a_page_sees_only_the_environment_it_shows(server: LocalServer) -> None:
    server.text("b", "b", eid="other")
    with StockSocket(server) as page:
        page.register()
        page.load("other")
        server.text("a", "a")
        assert [message for message in page.silent() if message["command"] == "window"] == []
        server.text("b", "changed", eid="other")
        assert page.receive_command("window")["content"] == "changed"


def test_a_new_environment_is_told_to_every_page(server: LocalServer) -> None:
    with StockSocket(server) as first, StockSocket(server) as second:
        first.register()
        second.register()
        server.text("a", "a", eid="new")
        assert first.receive_command("env_update")["data"] == ["main", "new"]
        assert second.receive_command("env_update")["data"] == ["main", "new"]
        server.post("/delete_env", {"eid": "new"})
        assert first.receive_command("env_update")["data"] == ["main"]


def test_updates_arrive_as_full_windows(server: LocalServer) -> None:
    server.plot("p", [1, 2])
    with StockSocket(server) as page:
        page.register()
        page.load("main")
        for number in range(5):
            server.append("p", 2 + number, number)
        wanted = server.windows()["p"]["content"]
        assert len(wanted["data"][0]["y"]) == 7
        page.windows_until(lambda held: "p" in held and held["p"]["content"] == wanted, "the page is current")


def test_a_page_that_does_not_read_is_conflated_and_current_at_the_end(serve: Serve) -> None:
    server = serve(small_buffers=True, settings={"batch_bytes": 100_000, "in_flight_bytes": 200_000})
    with StockSocket(server, small=True) as page:
        page.register()
        page.load("main")
        for number in range(300):
            server.text(f"w{number % 3}", "x" * 20_000 + str(number))
        (session,) = server.sessions()
        assert session["in_flight_bytes"] <= 300_000
        wanted = {win: window["content"] for win, window in server.windows().items()}
        contents: list[str] = []

        def current(held: dict[str, Any]) -> bool:
            contents[:] = [window["content"] for window in held.values()]
            return {win: window["content"] for win, window in held.items()} == wanted

        page.windows_until(current, "the page is current")
        assert page.silent() == []


def test_save_forks_and_the_page_follows_the_new_environment(server: LocalServer) -> None:
    server.text("a", "one")
    with StockSocket(server) as page:
        page.register()
        page.load("main")
        page.send({"cmd": "save", "data": {"a": {"i": "a"}}, "prev_eid": "main", "eid": "copy"})
        assert page.receive_command("env_update")["data"] == ["main", "copy"]
        assert "window" not in commands(page.silent()), "the page keeps what it shows under another name"
        server.text("a", "changed", eid="copy")
        assert page.receive_command("window")["content"] == "changed"
        server.text("a", "not here")
        assert page.silent() == []
    assert server.env_path is not None
    assert json.loads((server.env_path / "copy.json").read_text())["reload"] == {"a": {"i": "a"}}


def test_layouts_saved_by_one_page_reach_the_others(server: LocalServer) -> None:
    with StockSocket(server) as first, StockSocket(server) as second:
        first.register()
        second.register()
        first.send({"cmd": "save_layouts", "data": '{"main": {}}'})
        assert second.receive_command("layout_update")["data"] == '{"main": {}}'
    assert server.env_path is not None
    assert (server.env_path / "view" / "layouts.json").read_text() == '{"main": {}}'
