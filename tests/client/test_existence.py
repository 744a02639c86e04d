"""Whether a window exists, and making one by an append: while the server is away, after it lost what it had, beside others."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import visdom

from tests.support.proxy import FaultProxy
from tests.support.server import WITHOUT_PAGE, VisdomServer
from tests.support.wait import until
from visdom_transport.client import Publisher, sender
from visdom_transport.client.asking.connection import Connection

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

ENV = "e"
TIMEOUT_S = 60.0
AT_ONCE_S = 15.0
"""What is much less than a call waits for a server, on a busy machine."""


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("server"), settings={"journal_interval_s": 0.2}) as server:
        yield server


@pytest.fixture
def server(lasting: VisdomServer) -> VisdomServer:
    """A server for tests that leave it as it is, with an empty environment."""
    lasting.post("/delete_env", {"eid": ENV})
    return lasting


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[VisdomServer]:
    """A server that may be killed. It does not write to its disk at once."""
    with VisdomServer(tmp_path, settings={"journal_interval_s": 3}) as server:
        yield server


Connect = Callable[..., Any]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes clients: `connect(port)`, `connect(port, visdom.Visdom)`."""
    for name in ("visdom", "visdom_transport.client"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
    made: list[Any] = []

    def make(port: int, kind: Any = Publisher, **options: Any) -> Any:
        if kind is Publisher:
            options |= {"exit_timeout_s": 1}
        made.append(kind(server="http://127.0.0.1", port=port, env=ENV, use_incoming_socket=False, **options))
        return made[-1]

    yield make
    for vis in made:
        if isinstance(vis, Publisher):
            vis.finish(5)
        vis.session.close()


def append(vis: Any, x: float, win: str = "loss", name: str = "a", **opts: Any) -> None:
    point = np.array([x])
    vis.line(X=point, Y=point, win=win, name=name, update="append", opts={"title": "Loss", "xlabel": "step", **opts})


def add_image(vis: Any, caption: str, win: str = "images") -> None:
    vis.image(np.zeros((3, 2, 2), np.uint8), win=win, opts={"store_history": True, "caption": caption})


def xs(windows: dict[str, Any], win: str = "loss", trace: int = 0) -> list[float]:
    points: list[float] = windows[win]["content"]["data"][trace]["x"]
    return points


def captions(windows: dict[str, Any], win: str = "images") -> list[str]:
    return [image["caption"] for image in windows[win]["content"]]


def has_labels(window: dict[str, Any]) -> bool:
    layout = window["content"]["layout"]
    return (window["title"], layout["title"], layout["xaxis"]["title"]) == ("Loss", "Loss", "step")


# --- asking ---


def ask_and_publish(vis: Any, x: int) -> None:
    """As many programs do it, whether or not they use `update="append"` or `append` everywhere."""
    point = np.array([x])
    vis.line(X=point, Y=point, win="loss", name="a", update="append" if vis.win_exists("loss") else None, opts={"title": "Loss"})
    vis.text(f"step {x}", win="log", append=bool(vis.win_exists("log")))


@pytest.mark.parametrize(("durable", "asks_while_away"), [(True, True), (False, True), (False, False)])
def test_a_program_that_asks_before_each_call_loses_nothing_to_a_restart(
    mortal: VisdomServer, connect: Connect, durable: bool, asks_while_away: bool
) -> None:
    vis = connect(mortal.port)
    for x in range(20):
        ask_and_publish(vis, x)
    assert vis.flush(TIMEOUT_S)
    if durable:
        vis.save([ENV])
    mortal.kill()
    for x in range(20, 26 if asks_while_away else 20):
        ask_and_publish(vis, x)
    mortal.start()
    for x in range(26, 40):
        ask_and_publish(vis, x)
    assert vis.flush(TIMEOUT_S)
    windows = mortal.windows(ENV)
    expected = [x for x in range(40) if asks_while_away or not 20 <= x < 26]
    assert xs(windows) == expected
    assert windows["log"]["content"].split("<br>") == [f"step {x}" for x in expected]


def test_while_the_server_is_away_the_answer_is_what_the_client_knows(
    server: VisdomServer, proxy: FaultProxy, connect: Connect
) -> None:
    other = connect(server.port)
    for win in ("asked", "never asked", "closed by another"):
        other.text("t", win=win)
    assert other.flush(TIMEOUT_S)
    vis = connect(proxy.port)
    for win in ("sent", "closed"):
        vis.text("t", win=win)
    assert vis.win_exists("asked") is vis.win_exists("closed by another") is True
    assert vis.win_exists("no such") is False
    assert vis.flush(TIMEOUT_S)
    proxy.refuse()
    vis.text("t", win="waiting")
    append(vis, 1, win="begun")
    vis.close("closed")
    other.close("closed by another")
    assert other.flush(TIMEOUT_S)
    for _ in range(2):
        began = time.monotonic()
        answers = [vis.win_exists(win) for win in ("sent", "asked", "waiting", "begun", "closed by another")]
        assert answers == [True] * 5
        assert [vis.win_exists(win) for win in ("closed", "no such")] == [False] * 2
        assert vis.win_exists("never asked") is None
        assert time.monotonic() - began < AT_ONCE_S
    assert not vis.check_connection()
    proxy.accept()
    until(vis.check_connection, "the server is there again")
    assert [vis.win_exists(win) for win in ("sent", "asked", "waiting", "begun", "never asked")] == [True] * 5
    assert [vis.win_exists(win) for win in ("closed", "no such", "closed by another")] == [False] * 3


def test_a_server_that_says_nothing_is_waited_for_once(
    server: VisdomServer, proxy: FaultProxy, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    vis = connect(proxy.port)
    append(vis, 1)
    assert vis.flush(TIMEOUT_S)
    monkeypatch.setattr(sender, "ANSWER_TIMEOUT_S", 1.0)
    proxy.blackhole()
    append(vis, 2)
    assert vis.win_exists("loss") is True
    began = time.monotonic()
    assert [vis.win_exists("loss") for _ in range(20)] == [True] * 20
    assert time.monotonic() - began < AT_ONCE_S
    proxy.heal()
    proxy.cut()
    assert vis.flush(TIMEOUT_S)
    assert xs(server.windows(ENV)) == [1, 2]
    server.post("/close", {"eid": ENV, "win": "loss"})
    assert vis.win_exists("loss") is False, "the server is asked again"


# --- windows begun during an outage ---


@pytest.fixture(params=[False, True], ids=["ours", "stock"])
def old_run(request: pytest.FixtureRequest, tmp_path: Path, connect: Connect) -> Iterator[VisdomServer]:
    """A server, with or without this package, that has windows of a former run."""
    with VisdomServer(tmp_path, program=WITHOUT_PAGE, stock=request.param) as server:
        vis = connect(server.port, visdom.Visdom)
        append(vis, 1)
        add_image(vis, "1")
        vis.heatmap(np.array([[1.0, 1.0]]), win="heat", opts={"title": "Heat"})
        vis.text("1", win="text")
        yield server


def test_an_append_never_becomes_a_replacement(old_run: VisdomServer, connect: Connect) -> None:
    with FaultProxy(old_run.port) as proxy:
        proxy.refuse()
        vis = connect(proxy.port)
        for x in (2, 3):
            append(vis, x)
            add_image(vis, f"{x}")
            vis.heatmap(np.array([[x, x]]), win="heat", update="appendRow")
            vis.text(f"{x}", win="text", append=True)
            append(vis, x, win="new")
            add_image(vis, f"{x}", win="new images")
        until(lambda: vis._sender.is_away, "the server is missed")
        proxy.accept()
        assert vis.flush(TIMEOUT_S)
        assert vis.counters.refused == 0
        windows = json.loads(vis.get_window_data())
        assert (xs(windows), xs(windows, "new")) == ([1, 2, 3], [2, 3])
        assert (captions(windows), captions(windows, "new images")) == (["1", "2", "3"], ["2", "3"])
        assert windows["heat"]["content"]["data"][0]["z"] == [[1, 1], [2, 2], [3, 3]]
        assert windows["text"]["content"] == "1<br>2<br>3"
        assert has_labels(windows["loss"])
        assert has_labels(windows["new"])
        assert vis.finish(TIMEOUT_S)


@pytest.mark.parametrize("kind", [Publisher, visdom.Visdom])
def test_what_somebody_closed_is_made_anew_with_its_labels(server: VisdomServer, connect: Connect, kind: Any) -> None:
    vis = connect(server.port, kind)
    flush = getattr(vis, "flush", lambda timeout: True)
    for x in (1, 2):
        append(vis, x)
        add_image(vis, f"{x}")
    assert flush(TIMEOUT_S)
    server.post("/close", {"eid": ENV, "win": None})
    for x in (3, 4):
        append(vis, x)
        add_image(vis, f"{x}")
    assert flush(TIMEOUT_S)
    windows = server.windows(ENV)
    assert (xs(windows), captions(windows)) == ([3, 4], ["3", "4"])
    assert has_labels(windows["loss"])


# --- beside others ---


@pytest.mark.parametrize("kind", [Publisher, visdom.Visdom])
def test_a_close_between_takes_what_was_before_and_nothing_else(server: VisdomServer, connect: Connect, kind: Any) -> None:
    count, clients = 150, [connect(server.port, kind) for _ in range(3)]
    begin = threading.Barrier(len(clients))

    def work(worker: int) -> None:
        begin.wait()
        for x in range(count):
            append(clients[worker], x, name=f"{worker}")
            if worker == 0 and x == count // 2:
                clients[0].close("loss")

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kind is visdom.Visdom or all(vis.flush(TIMEOUT_S) for vis in clients)
    window = server.windows(ENV)["loss"]
    traces = {trace["name"]: trace["x"] for trace in window["content"]["data"]}
    assert has_labels(window)
    assert traces["0"] == [*range(count // 2 + 1, count)]
    for worker, points in traces.items():
        assert points == [*range(count - len(points), count)], worker


def test_windows_made_again_replace_nothing(mortal: VisdomServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = connect(mortal.port), connect(mortal.port)
    first.line(X=np.array([0]), Y=np.array([0]), win="loss", name="a", opts={"title": "Loss", "xlabel": "step"})
    append(first, 0, win="begun")
    assert first.flush(TIMEOUT_S)
    first.save([ENV])  # so that nothing of it is sent again
    assert first.flush(TIMEOUT_S, durable=True)
    for win in ("loss", "begun"):
        append(second, 1, win=win, name="b")
    assert second.flush(TIMEOUT_S, durable=True)
    mortal.restart(keep_state=False)
    for x in (2, 3):
        for win in ("loss", "begun"):
            append(second, x, win=win, name="b")
    assert second.flush(TIMEOUT_S)
    # As if the second had come between the question and what follows from it.
    monkeypatch.setattr(Connection, "exists", lambda self, window, *more: False)
    append(first, 4, win="other")
    assert first.flush(TIMEOUT_S)
    windows = mortal.windows(ENV)
    for win in ("loss", "begun"):
        (trace,) = [trace for trace in windows[win]["content"]["data"] if trace["name"] == "b"]
        assert trace["x"][-2:] == [2, 3], win
        assert has_labels(windows[win])


def test_all_begin_again_after_the_server_lost_everything(mortal: VisdomServer, connect: Connect) -> None:
    clients = [connect(mortal.port) for _ in range(4)]
    for worker, vis in enumerate(clients):
        append(vis, 0, name=f"{worker}")
    assert all(vis.flush(TIMEOUT_S) for vis in clients)
    mortal.kill()
    for x in range(1, 30):
        for worker, vis in enumerate(clients):
            append(vis, x, name=f"{worker}")
    mortal.start()
    assert all(vis.flush(TIMEOUT_S) for vis in clients)
    window = mortal.windows(ENV)["loss"]
    assert has_labels(window)
    assert {trace["name"]: trace["x"] for trace in window["content"]["data"]} == {f"{n}": [*range(30)] for n in range(4)}


def test_threads_that_share_a_publisher_ask_and_begin_at_once(server: VisdomServer, connect: Connect) -> None:
    vis = connect(server.port)
    workers, count = 6, 100
    begin = threading.Barrier(workers)

    def work(worker: int) -> None:
        begin.wait()
        for x in range(count):
            append(vis, worker * count + x)
            vis.win_exists("loss")

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vis.flush(TIMEOUT_S)
    assert sorted(xs(server.windows(ENV))) == [*range(workers * count)]
