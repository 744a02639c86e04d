"""Whatever a request has the server do with a large environment, others have their turn meanwhile.

What counts is how long the event loop's thread computes without a break, not how long that takes on a machine that is busy.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from visdom_transport.visdom.durability import steps
from visdom_transport.visdom.publishing import window_data

Serve = Callable[..., LocalServer]

LONGEST_S = 0.1
WINDOWS, POINTS = 20, 50_000

Ask = Callable[[LocalServer], object]


def window(number: int) -> dict[str, Any]:
    trace = {"type": "scatter", "name": "1", "x": list(range(POINTS)), "y": [number + 0.37 * n for n in range(POINTS)]}
    common = {
        "command": "window",
        "id": f"w{number}",
        "i": number,
        "title": f"t{number}",
        "type": "plot",
        "contentID": str(number),
    }
    return {**common, "content": {"data": [trace], "layout": {}}}


LARGE = {f"w{number}": window(number) for number in range(WINDOWS)}
AS_TEXT = json.dumps(LARGE)


@pytest.fixture
def server(serve: Serve) -> LocalServer:
    server = serve()
    for eid in ("large", "other"):
        server.run(lambda eid=eid: server.app.state.__setitem__(eid, {"jsons": json.loads(AS_TEXT), "reload": {}}))
    server.text("w", "x")
    return server


class Pulse:
    """Measures, on a server's loop, how long its thread computes between two turns of others."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        self._longest_s = 0.0
        self._is_over = False

    async def _beat(self) -> None:
        before = time.thread_time()
        while not self._is_over:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            self._longest_s, before = max(self._longest_s, now - before), now

    def longest_s(self, ask: Ask) -> float:
        """How long it computed without a break while it was asked for something."""
        beating = self._server.run(lambda: asyncio.ensure_future(self._beat()))
        ask(self._server)
        self._is_over = True
        self._server.await_(asyncio.wait_for(beating, 5))
        return self._longest_s


def page(server: LocalServer, **command: Any) -> None:
    with OwnSocket(server) as page:
        assert page.command(1, **command)["error"] is None


def posted(path: str, body: object) -> Ask:
    return lambda server: server.post(path, body).raise_for_status()


def told(path: str, body: object) -> Ask:
    """The same, of what answers with all windows."""

    def ask(server: LocalServer) -> None:
        answer = server.post(path, body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Length"] == str(len(answer.content))
        assert answer.text == AS_TEXT, "as Visdom writes it"

    return ask


def uploaded(server: LocalServer) -> None:
    content = '{"jsons": ' + AS_TEXT + ', "reload": {}}'
    answer = server.http.post(server.url("/upload_env"), files={"file": ("run.json", content)}, timeout=60)
    assert server.windows(answer.json()["eid"]) == LARGE


def compared(server: LocalServer) -> None:
    with OwnSocket(server, "compare/large+other") as client:
        client.until(lambda: "w0" in client.replicas.state("compare/large+other"), "the first is there")


ASKS: dict[str, Ask] = {
    "save": posted("/save", {"data": ["large"]}),
    "fork": posted("/fork_env", {"prev_eid": "large", "eid": "copy"}),
    "a page saves": lambda server: page(server, cmd="save", prev_eid="large", eid="large", data={}),
    "a page saves a copy": lambda server: page(server, cmd="save", prev_eid="large", eid="copy", data={}),
    "windows are read": told("/win_data", {"win": None, "eid": "large"}),
    "windows are set": posted("/win_data", {"win": None, "eid": "new", "data": AS_TEXT}),
    "a window is set": posted("/win_data", {"win": "all", "eid": "new", "data": AS_TEXT}),
    "environments are compared": compared,
    "a large window is made": posted(
        "/events", {"eid": "new", "layout": {}, "data": [trace for each in LARGE.values() for trace in each["content"]["data"]]}
    ),
}
if NEW_VISDOM:
    ASKS |= {
        "a page saves all": lambda server: page(server, cmd="save_all"),
        "a comment": lambda server: page(server, cmd="update_comment", eid="large", win="w1", data="mine"),
        "an experiment": posted("/experiments/log", {"eid": "large", "action": "metrics", "metrics": {"a": 1, "b": 2}}),
        "an upload": uploaded,
        "the state is read": told("/env_state", {"eid": "large"}),
    }


@pytest.mark.parametrize("name", ASKS)
def test_others_have_their_turn(server: LocalServer, name: str) -> None:
    assert Pulse(server).longest_s(ASKS[name]) < LONGEST_S


def test_windows_read_in_steps_are_each_as_they_are_at_one_moment(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is closed meanwhile is not among them."""
    monkeypatch.setattr(steps, "STEP_BYTES", 2_000)
    monkeypatch.setattr(steps, "TURN_S", 0)
    monkeypatch.setattr(steps, "REST_S", 0)
    monkeypatch.setattr(window_data, "LARGE_BYTES", 1_000)
    server = serve()
    server.plot("w", [0.5] * 5_000)
    server.plot("first", [0.5] * 5_000)
    server.plot("gone", [0.5] * 5_000)
    encode, closed = window_data.VISDOM_FORM.encode, []

    def changing(value: Any) -> bytes:
        windows = server.app.state["main"]["jsons"]
        trace = windows["w"]["content"]["data"][0]
        if len(trace["x"]) < 5_003:
            for name in ("x", "y"):
                trace[name].append(1)
            server.app.transport.changes.window_changed("main", "w")
        if value == "first" and not closed:
            closed.append(windows.pop("gone"))
        return encode(value)

    monkeypatch.setattr(window_data, "VISDOM_FORM", steps.Form(changing))
    windows = server.windows()
    assert list(windows) == ["w", "first"]
    trace = windows["w"]["content"]["data"][0]
    assert len(trace["x"]) == len(trace["y"]) > 5_000
    assert windows["first"]["content"]["data"][0]["y"] == [0.5] * 5_000
    monkeypatch.setattr(window_data, "VISDOM_FORM", steps.Form(encode))
    assert server.windows() == windows


@pytest.mark.parametrize("odd", ["{", "[1]", '{"a": 1} x', "{'a': 1}"])
def test_a_large_request_that_is_wrong_is_refused_as_a_small_one_is(server: LocalServer, records: Records, odd: str) -> None:
    records.ignore("400 POST /win_data")
    for padding in (0, 5_000_000):
        answer = server.post("/win_data", {"win": None, "eid": "new", "data": odd + " " * padding})
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "data"), padding
        answer = server.http.post(server.url("/win_data"), data=odd + " " * padding, timeout=20)
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "body"), padding
    assert "new" not in server.envs()
