"""Programs that number their windows: a number stands for its text, wherever a window is named."""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.records import Records
from tests.support.server import VisdomServer
from tests.visdom.publishing.recorder import Recorder, same_state, without_content_ids
from tests.visdom.publishing.scenarios import IMAGE, POINTS
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


def numbered(vis: Recorder, win: Any) -> list[object]:
    """What a program does that keeps its windows under numbers, and what it is answered."""
    answers = [
        vis.line(X=[1], Y=[1], win=win, update="append", opts={"title": "loss"}),
        vis.line(X=[2], Y=[4], win=win, update="append"),
        vis.line(X=[2], Y=[4], win=win, name="b", update="append"),
        vis.scatter(X=POINTS[:2], win=win, name="c", update="replace"),
        vis.win_exists(win),
        json.loads(vis.get_window_data(win=win))["content"],
        vis.update_window_opts(win, opts={"title": "two"}),
        vis.set_window_data(vis.get_window_data(win=win), win=win),
        vis.line(X=[3], Y=[9], win=win, name="b", update="append"),
        vis.line(X=None, Y=None, win=win, name="b", update="remove"),
        vis.close(win),
        vis.win_exists(win),
        vis.text("made", win=win),
        vis.text("and more", win=win, append=True),
        vis.close(win),
        vis.image(IMAGE, win=win, opts={"store_history": True}),
        vis.image(IMAGE[::-1], win=win, opts={"store_history": True}),
    ]
    return [*answers, vis.update_image_slider(win, 0)] if NEW_VISDOM else answers


@pytest.mark.parametrize("number", [2, 0, -1, 2.5])
def test_a_number_does_what_its_text_does_with_visdom(stock: VisdomServer, ours: VisdomServer, number: float) -> None:
    env = f"number_{uuid.uuid4().hex[:6]}"
    by_text, by_number = Recorder(stock, env), Recorder(ours, env)
    with warnings.catch_warnings(action="ignore"):
        assert without_content_ids(numbered(by_number, number)) == without_content_ids(numbered(by_text, str(number)))
    for each in (by_text, by_number):
        each.session.close()
    same_state(ours, stock, env)
