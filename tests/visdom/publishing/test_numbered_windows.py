"""Programs that number their windows: a number stands for its text, wherever a window is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.local import LocalServer
from tests.support.records import Records
from visdom_transport.core.window_ids import window_id

Serve = Callable[..., LocalServer]

NUMBERS = [(2, "2"), (-1, "-1"), (2.5, "2.5"), (2**70, str(2**70)), (True, "True")]


def text(win: Any, content: str) -> dict[str, Any]:
    return {"win": win, "eid": "main", "data": [{"type": "text", "content": content}], "opts": {}}


def said(server: LocalServer, path: str, body: Any) -> str:
    answer = server.post(path, body)
    assert answer.status_code == 200, answer.text
    return answer.text


def contents(server: LocalServer) -> dict[str, Any]:
    return {win: (window["id"], window["content"]) for win, window in server.windows("main").items()}


@pytest.mark.parametrize(("number", "name"), NUMBERS)
def test_a_number_names_the_window_that_its_text_names(server: LocalServer, records: Records, number: Any, name: str) -> None:
    assert said(server, "/events", text(number, "a")) == name
    assert said(server, "/update", text(number, "b")) == name
    assert said(server, "/update", text(name, "c")) == name
    assert contents(server) == {name: (name, "a<br>b<br>c")}
    assert said(server, "/win_exists", {"win": number, "eid": "main"}) == "true"
    assert json.loads(said(server, "/win_data", {"win": number, "eid": "main"}))["content"] == "a<br>b<br>c"
    assert said(server, "/events", text(name, "d")) == name
    assert contents(server) == {name: (name, "d")}
    said(server, "/close", {"win": number, "eid": "main"})
    assert contents(server) == {}


def test_a_publisher_may_number_its_windows(server: LocalServer) -> None:
    messages = [{"endpoint": endpoint, "body": text(2, endpoint)} for endpoint in ("events", "update")]
    answer = server.post("/transport/publish", {"producer": "p", "first": 1, "messages": messages})
    assert answer.json()["refused"] == []
    assert contents(server) == {"2": ("2", "events<br>update")}


def test_an_append_with_a_number_makes_the_window(server: LocalServer) -> None:
    trace = {"type": "scatter", "name": "1", "x": [1], "y": [1]}
    for _ in range(2):
        body = {"win": 3, "eid": "main", "data": [trace], "layout": {}, "append": True, "name": "1"}
        assert said(server, "/update", body) == "3"
    assert server.windows("main")["3"]["content"]["data"][0]["x"] == [1, 1]


def test_a_numbered_window_is_the_same_one_after_a_restart(serve: Serve, tmp_path: Path) -> None:
    first = serve(tmp_path / "kept")
    said(first, "/events", text(7, "a"))
    said(first, "/save", {"data": ["main"]})
    first.stop()
    second = serve(tmp_path / "kept")
    said(second, "/update", text(7, "b"))
    assert contents(second) == {"7": ("7", "a<br>b")}


@pytest.mark.parametrize("win", [[1], {"a": 1}, [], {}])
@pytest.mark.parametrize("path", ["/update", "/close", "/win_exists", "/win_data"])
def test_what_is_neither_text_nor_a_number_is_no_id(server: LocalServer, records: Records, path: str, win: Any) -> None:
    records.ignore(f"400 POST {path}")
    answer = server.post(path, text(win, "a"))
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "win")
    assert window_id(win) == win
