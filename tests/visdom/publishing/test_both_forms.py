"""A body with `otherwise` makes a window or adds to it, whatever the client believed (docs/protocol.md, section 9)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from visdom import Visdom

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from visdom_transport.client.messages.appends import scatter_in_both_forms, with_other_form


class Mistaken(Visdom):  # type: ignore[misc]
    """Visdom's client, which believes of every window what it is told to; None: what the server says."""

    belief: bool | None = None

    def win_exists(self, win: Any, env: Any = None) -> bool | None:
        exists: bool | None = super().win_exists(win, env)
        return exists if self.belief is None else self.belief


Call = Callable[[Any], object]


def image(value: int, **opts: Any) -> Call:
    pixels = np.full((3, 2, 2), value, np.uint8)
    return lambda vis: vis.image(pixels, win="w", opts={"store_history": True, "caption": f"{value}", **opts})


def line(x: float, name: str | None = "a", **opts: Any) -> Call:
    return lambda vis: vis.line(
        X=np.array([x]), Y=np.array([x]), win="w", name=name, update="append", opts={"title": "T", **opts}
    )


def lines(x: float, **opts: Any) -> Call:
    points = np.array([[x, x + 1]])
    return lambda vis: vis.line(X=points, Y=points, win="w", update="append", opts={"title": "T", **opts})


def scatter(*points: list[float], name: str | None = None, **opts: Any) -> Call:
    return lambda vis: vis.scatter(np.array(points), win="w", name=name, update="append", opts={"xlabel": "x", **opts})


def history(*points: float) -> Call:
    return lambda vis: vis.line(np.array(points), win="w", opts={"store_history": True, "title": f"{len(points)}"})


def text(vis: Any) -> None:
    vis.text("text", win="w")


BEGUN_TWICE: dict[str, tuple[Call, ...]] = {
    "a trace": (line(1), line(2), line(3)),
    "two traces": (line(1), line(2, "b"), line(3)),
    "a trace without a name": (line(1, None), line(2, None)),
    "a legend": (line(1, None, legend=["l"]), line(2, None, legend=["m"])),
    "a legend and a name": (line(1, legend=["l"]), line(2, "b", legend=["m"])),
    "options that differ": (line(1, title="T", xlabel="x"), line(2, title="U", ylabel="y", linecolor=np.array([[1, 2, 3]]))),
    "a bound": (line(1, max_points=2), line(2, max_points=2), line(3, max_points=2)),
    "several lines": (lines(1, legend=["a", "b"]), lines(2, legend=["a", "b"])),
    "points": (scatter([1, 2], [3, 4]), scatter([5, 6])),
    "named points with colours": (
        scatter([1, 2], name="p", markercolor=np.array([[1, 2, 3]])),
        scatter([3, 4], name="q", markercolor=np.array([[4, 5, 6]])),
    ),
    "points in space": (scatter([1, 2, 3], name="s"), scatter([4, 5, 6], name="s")),
    "a history of images": (image(0), image(1), image(2)),
    "fewer lines than there are": (lines(1), line(2, None)),
    "a line where there is text": (text, line(1)),
    "an image where there is text": (text, image(1)),
    "a line where there are images": (image(1), line(1)),
}
if NEW_VISDOM:
    BEGUN_TWICE["a history of plots"] = (history(1, 2), history(3), history(4, 5, 6))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    directory: Path = tmp_path_factory.mktemp("envs")
    server = LocalServer(directory)
    yield server
    server.stop()


@pytest.fixture
def connect(server: LocalServer) -> Iterator[Callable[[str], Mistaken]]:
    made: list[Mistaken] = []

    def connect(env: str) -> Mistaken:
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            made.append(Mistaken(server="http://127.0.0.1", port=server.port, env=env, use_incoming_socket=False))
        return made[-1]

    yield connect
    for vis in made:
        vis.session.close()


def windows(server: LocalServer, env: str) -> dict[str, Any]:
    held = server.windows(env)
    for window in held.values():
        del window["contentID"]
    return held


@pytest.mark.parametrize("belief", [False, True], ids=["none exists", "all exist"])
@pytest.mark.parametrize("kind", BEGUN_TWICE)
def test_whoever_comes_first_and_whatever_it_believes(
    server: LocalServer, connect: Callable[[str], Mistaken], kind: str, belief: bool
) -> None:
    expected, seen = (f"{kind} {belief} {which}" for which in ("expected", "seen"))
    sure, mistaken = connect(expected), connect(seen)
    mistaken.belief = belief
    for call in BEGUN_TWICE[kind]:
        call(sure)
        call(mistaken)
    assert windows(server, seen) == windows(server, expected)


def test_what_is_no_append_replaces(server: LocalServer, connect: Callable[[str], Mistaken]) -> None:
    vis = connect("replaced")
    points = np.array([1.0, 2.0])
    for belief in (False, True):
        vis.belief = belief
        line(1)(vis)
        vis.line(points, win="w", opts={"title": "new"})
        window = server.windows("replaced")["w"]
        assert (window["title"], window["content"]["data"][0]["y"]) == ("new", [1, 2])
        vis.image(np.zeros((3, 2, 2)), win="w")
        assert server.windows("replaced")["w"]["type"] == "image"


def test_options_of_a_history_that_is_none_do_not_append(server: LocalServer, connect: Callable[[str], Mistaken]) -> None:
    """0.2.4 keeps no history of plots: its plots with that option replace each other."""
    vis = connect("history")
    for points in ([1.0], [2.0, 3.0]):
        vis.scatter(np.column_stack((points, points)), win="w", opts={"store_history": True})
    window = server.windows("history")["w"]
    held = len(window["content"]) if NEW_VISDOM else window["content"]["data"][0]["x"]
    assert held == (2 if NEW_VISDOM else [2, 3])


@pytest.mark.parametrize("opts", [{"layoutopts": 3}, {"legend": ["a"], "textlabels": ["t"]}, {"tickvals": np.array([1])}])
def test_options_that_make_no_layout_are_no_reason_to_fail(opts: dict[str, Any]) -> None:
    body = {"win": "w", "data": [{"type": "scatter"}], "layout": {}, "opts": opts}
    said: list[dict[str, Any]] = []
    append = scatter_in_both_forms(lambda *args: said.append(with_other_form("update", body)))
    append(None, None, update="append")
    assert {key: said[0][key] for key in body} == body
    assert ("otherwise" in said[0]) == ("layoutopts" not in opts)


@pytest.mark.skipif(NEW_VISDOM, reason="0.3.0 refuses them")
def test_no_points_at_all_are_sent_as_ever(server: LocalServer, connect: Callable[[str], Mistaken]) -> None:
    vis = connect("nothing")
    line(1)(vis)
    before = windows(server, "nothing")
    for opts in ({}, {"store_history": True}):
        assert vis.scatter(np.zeros((0, 2)), win="w", update="append" if not opts else None, opts=opts) == ""
    assert windows(server, "nothing") == before


# --- what others may send ---

PLOT = {"data": [{"type": "scatter", "name": "a", "x": [1], "y": [1]}], "layout": {"title": "T"}, "opts": {"title": "T"}}


def test_null_leaves_everything_as_it_is(server: LocalServer) -> None:
    server.post("/env/null", {"eid": "null"}).raise_for_status()
    body = {**PLOT, "win": "w", "eid": "null", "otherwise": None}
    assert server.post("/update", {**body, "append": True}).text == "win does not exist"
    assert server.windows("null") == {}
    assert server.post("/events", body).text == "w"
    before = server.windows("null")
    assert before["w"]["title"] == "T"
    assert server.post("/events", {**body, "opts": {"title": "U"}}).text == "w"
    assert server.windows("null") == before


@pytest.mark.parametrize("endpoint", ["/events", "/update"])
@pytest.mark.parametrize(
    ("otherwise", "field"),
    [
        (3, "otherwise"),
        ("append", "otherwise"),
        ([], "otherwise"),
        ({"win": "v"}, "otherwise.win"),
        ({"append": True, "otherwise": {}}, "otherwise.otherwise"),
    ],
)
def test_what_makes_no_sense_is_refused(server: LocalServer, endpoint: str, otherwise: Any, field: str) -> None:
    server.post("/events", {**PLOT, "win": "w", "eid": "refused"}).raise_for_status()
    before = server.windows("refused")
    for win in ("w", "new"):
        answer = server.post(endpoint, {**PLOT, "win": win, "eid": "refused", "otherwise": otherwise})
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert server.windows("refused") == before


def test_the_other_form_is_checked_like_any_body(server: LocalServer) -> None:
    body = {**PLOT, "win": "w", "eid": "checked"}
    answer = server.post("/update", {**body, "otherwise": {"layout": 3}})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "layout")
    server.post("/events", body).raise_for_status()
    answer = server.post("/events", {**body, "otherwise": {"layout": 3, "append": True}})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "layout")


def test_a_log_is_replayed_as_it_was_said(server: LocalServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        vis = Visdom(
            server="http://127.0.0.1", port=server.port, env="logged", use_incoming_socket=False, log_to_filename=str(log)
        )
    line(1)(vis)
    line(2)(vis)
    before = windows(server, "logged")
    assert "otherwise" not in log.read_text()
    vis.replay_log(str(log))
    after = windows(server, "logged")
    vis.session.close()
    for window in (*before.values(), *after.values()):
        window.pop("version", None)
        window.pop("i")
    assert after == before


def test_without_sending_the_message_is_visdoms_own() -> None:
    vis = Visdom(send=False, use_incoming_socket=False)
    vis.win_exists = lambda win, env=None: False
    message, endpoint = vis.line(X=np.array([1]), Y=np.array([1]), win="w", update="append")
    assert endpoint == "events"
    assert "otherwise" not in message
