"""Compare views: Visdom's own combination, which here follows its environments."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from tests.support.stock_peers import StockSocket
from tests.support.wait import until
from visdom_transport.visdom.state.comparison import Collector, Versions, without_content_id

Serve = Callable[..., LocalServer]


@pytest.fixture
def server(serve: Serve) -> LocalServer:
    server = serve()
    server.plot("p", [1, 2], eid="a", title="loss")
    server.plot("q", [3, 4], eid="b", title="loss")
    server.plot("only", [5], eid="a", title="other")
    return server


def curves(client: OwnSocket, feed: str) -> list[list[float]]:
    """The y values of every trace that is shown."""
    windows = client.replicas.state(feed).values()
    return [trace["y"] for window in windows if window["type"] == "plot" for trace in window["content"]["data"]]


def test_a_stock_page_gets_what_visdom_combines_and_then_live(server: LocalServer) -> None:
    with StockSocket(server) as page:
        page.register()
        stream = page.compare("a", "b")
        assert [message["command"] for message in stream] == ["reload", "window", "window", "layout"]
        plot, legend = sorted((message for message in stream if message["command"] == "window"), key=lambda m: m["id"])
        assert (plot["id"], legend["id"]) == ("p", "window_compare_legend")
        assert plot["has_compare"] is True
        assert [trace["y"] for trace in plot["content"]["data"]] == [[1, 2], [3, 4]]
        server.append("q", 2, 9, eid="b")
        changed = page.receive_command("window")
        assert [trace["y"] for trace in changed["content"]["data"]] == [[1, 2], [3, 4, 9]]
        server.text("x", "not shared", eid="a")
        assert page.silent(0.6) == [], "what the comparison does not show changes nothing"


def test_our_own_client_follows_every_change(server: LocalServer) -> None:
    with OwnSocket(server, "compare/a+b") as client:
        client.until(lambda: curves(client, "compare/a+b") == [[1, 2], [3, 4]], "both curves")
        server.append("p", 2, 7, eid="a")
        client.until(lambda: curves(client, "compare/a+b") == [[1, 2, 7], [3, 4]], "the first moved")
        server.plot("second", [8], eid="b", title="other")
        client.until(lambda: curves(client, "compare/a+b") == [[1, 2, 7], [3, 4], [5], [8]], "another title is shared")
        server.post("/close", {"win": "q", "eid": "b"})
        client.until(lambda: curves(client, "compare/a+b") == [[5], [8]], "a title is not shared any more")
        server.post("/delete_env", {"eid": "b"})
        client.until(lambda: curves(client, "compare/a+b") == [], "an environment is gone")


def test_an_environment_made_later_joins(serve: Serve) -> None:
    server = serve()
    server.plot("p", [1], eid="a")
    with OwnSocket(server, "compare/a+later", "compare/no+body") as client:
        client.until(lambda: "window_compare_legend" in client.replicas.state("compare/a+later"), "the first answer")
        server.plot("q", [2], eid="later")
        client.until(lambda: curves(client, "compare/a+later") == [[1], [2]], "both curves")


def test_a_storm_of_changes_is_combined_seldom(server: LocalServer) -> None:
    """A comparison costs as much as its environments have windows, whatever has changed."""
    with OwnSocket(server, "compare/a+b") as client:
        client.until(lambda: bool(curves(client, "compare/a+b")), "both curves")
        before = client.batches
        began = time.monotonic()
        for number in range(100):
            server.append("p", 2 + number, number, eid="a")
        client.until(lambda: len(curves(client, "compare/a+b")[0]) == 102, "all points")
        assert client.batches - before <= (time.monotonic() - began) / 0.25 + 2


def test_windows_that_did_not_change_are_not_sent_again(server: LocalServer) -> None:
    server.plot("r", [1], eid="a", title="third")
    server.plot("s", [2], eid="b", title="third")
    with OwnSocket(server, "compare/a+b") as client:
        client.until(lambda: len(curves(client, "compare/a+b")) == 4, "both pairs")
        server.append("s", 1, 7, eid="b")
        batch = client.receive_type("batch")
        assert [entry["value"]["title"] for entry in batch["entries"]] == ["third"]


def test_a_long_line_is_followed_whatever_its_length(server: LocalServer) -> None:
    points = [float(n) for n in range(300)]
    for win, eid in (("long", "a"), ("also", "b")):
        trace = {"type": "scatter", "name": "1", "x": points, "y": points}
        body = {"data": [trace], "layout": {}, "win": win, "eid": eid, "opts": {"title": "long", "max_points": 300}}
        server.post("/events", body).raise_for_status()
    with OwnSocket(server, "compare/a+b") as client:

        def long_curves() -> list[list[float]]:
            return [curve for curve in curves(client, "compare/a+b") if len(curve) > 10]

        client.until(lambda: long_curves() == [points, points], "both curves")
        server.append("long", 300, 7.5, eid="a")
        client.until(lambda: long_curves() == [[*points[1:], 7.5], points], "the first moved")
        server.plot("also", points[::-1], eid="b", title="long")
        client.until(lambda: long_curves() == [[*points[1:], 7.5], points[::-1]], "the second is another")
        server.text("x", "not shared", eid="a")
        assert client.silent(0.6) == [], "what has not changed is not sent again"


def mixed(server: LocalServer, eid: str) -> None:
    """Windows of many kinds, some of them large."""
    names = {"caption": "c" * 30_000, "src": "data:image/png;base64," + "A" * 30_000}
    plots = [
        {"type": "scatter", "name": "n" * 30_000, "x": list(range(500)), "y": [0.5] * 500, "text": ["t"] * 500},
        {"type": "heatmap", "name": "z", "z": [[float(n)] * 200 for n in range(200)]},
    ]
    for win, title, body in (
        ("p", "plot", {"data": plots, "layout": {"title": "plot", "shapes": [{"path": "M" * 30_000}]}}),
        ("i", "image", {"data": [{"type": "image", "content": names}]}),
        ("t", "text", {"data": [{"type": "text", "content": "<b>" + "t" * 30_000}]}),
        (f"only_{eid}", eid, {"data": [{"type": "text", "content": "t" * 30_000}]}),
        ("l", "l" * 30_000, {"data": plots[:1], "layout": {}}),
    ):
        server.post("/events", {**body, "win": win, "eid": eid, "opts": {"title": title}}).raise_for_status()


@pytest.mark.parametrize("show_all", [False, True] if NEW_VISDOM else [False])
def test_what_is_long_is_combined_as_visdom_does(serve: Serve, show_all: bool) -> None:
    server = serve()
    for eid in "ab":
        mixed(server, eid)
    transport = server.app.transport
    state = {eid: {"jsons": server.windows(eid), "reload": {}} for eid in "ab"}
    expected = Collector(Versions())
    server.run(lambda: transport.storage.combine(state, ["a", "b"], expected, show_all=show_all))
    combined = {m["id"]: without_content_id(m) for m in expected.messages if m["command"] == "window"}
    comparison = server.run(lambda: transport.comparisons.get(f"compare/{'all:' if show_all else ''}a+b"))
    assert len(combined) >= 3
    shown = comparison.keys()
    assert {win: without_content_id(comparison.value(win)) for win in shown} == combined


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 shows only what is shared")
def test_show_all(server: LocalServer) -> None:
    with StockSocket(server) as page, OwnSocket(server, "compare/all:a+b") as client:
        page.register()
        shown = {message["id"] for message in page.compare("a", "b", show_all=True) if message["command"] == "window"}
        assert {"a_env_only", "a_env_p", "b_env_q"} <= shown
        client.until(lambda: {w["id"] for w in client.replicas.state("compare/all:a+b").values()} == shown, "the same windows")
        server.plot("only", [6], eid="a", title="other")
        assert page.receive_command("window")["content"]["data"][0]["y"] == [6]


def test_leaving_a_comparison_ends_its_cost(server: LocalServer) -> None:
    with StockSocket(server) as page:
        page.register()
        page.compare("a", "b")
        page.load("a")
        server.append("p", 2, 7, eid="a")
        message = page.receive_command("window")
        assert message["content"]["data"][0]["y"] == [1, 2, 7]
        assert not any(name.startswith("compare/") for name in server.status()["feeds"])
        until(lambda: not server.app.transport.comparisons._known, "nothing is combined any more")


def test_a_comparison_is_combined_once_for_whoever_asks(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    environments = server.app.transport.environments
    combine, combined = environments.combine, []

    def counted(eids: list[str], socket: Any, *, show_all: bool) -> None:
        combined.append(eids)
        combine(eids, socket, show_all=show_all)

    monkeypatch.setattr(environments, "combine", counted)
    with StockSocket(server) as page:
        page.register()
        page.compare("a", "b")
    assert combined == [["a", "b"]]


def test_what_visdom_cannot_compare_is_told_and_harms_nobody(server: LocalServer, records: Records) -> None:
    records.expect("compare/a.b stays as it was")
    with OwnSocket(server, "compare/a+b", "env/a") as client:
        client.until(lambda: bool(curves(client, "compare/a+b")), "both curves")
        odd = {"command": "window", "id": "odd", "i": 9, "type": "plot", "title": "loss", "content": {}}
        server.post("/win_data", {"win": "odd", "eid": "b", "data": json.dumps(odd)}).raise_for_status()
        server.text("t", "one", eid="a")
        client.converge("a")
        error = client.ask({"type": "subscribe", "feed": "compare/b+a", "position": None}, "error")
        assert error["code"] == "failed"
        client.silent(0.6)
        assert len(curves(client, "compare/a+b")) == 2
        server.post("/close", {"win": "odd", "eid": "b"})
        server.append("p", 2, 7, eid="a")
        client.until(lambda: curves(client, "compare/a+b")[0] == [1, 2, 7], "it goes on")
