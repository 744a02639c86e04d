"""From Visdom's handlers to subscribers: publishers tell the state, subscribers read it, and neither waits for the other."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.records import Records
from tests.support.stock_peers import StockSocket

Serve = Callable[..., LocalServer]


def test_with_nobody_watching_nothing_is_kept(server: LocalServer) -> None:
    for number in range(50):
        server.text("a", str(number))
        server.text("b", str(number), eid="other")
    assert set(server.status()["feeds"]) == {"events", "notifications"}
    assert all(feed["retained_bytes"] == 0 for feed in server.status()["feeds"].values())


def test_every_kind_of_client_is_told_the_same(server: LocalServer) -> None:
    server.plot("p", [1, 2])
    poll = OwnPoll(server, "env/main")
    with OwnSocket(server, "env/main") as own, StockSocket(server) as page:
        page.register()
        page.load("main")
        own.converge()
        server.append("p", 2, 3)
        server.text("t", "text")
        server.post("/close", {"win": "p", "eid": "main"})
        server.plot("p", [9])
        own.converge()
        poll.converge()
        wanted = server.windows()
        held = page.windows_until(
            lambda held: {win: w["contentID"] for win, w in held.items()} == {win: w["contentID"] for win, w in wanted.items()},
            "the page is current",
        )
        assert [{**window, "eid": "main"} for window in wanted.values()] == [held[win] for win in wanted]


def test_an_append_is_sent_as_what_changed(server: LocalServer) -> None:
    server.plot("p", [float(number) for number in range(5_000)])
    with OwnSocket(server, "env/main") as client:
        client.converge()
        server.append("p", 5_000, 1.5)
        batch = client.receive_type("batch")
        assert len(json.dumps(batch)) < 1_000
        assert client.replicas.state("env/main") == server.windows()


def test_a_window_keeps_its_index_when_it_is_replaced(server: LocalServer) -> None:
    for win in "abc":
        server.text(win, win)
    server.text("a", "again")
    assert {win: window["i"] for win, window in server.windows().items()} == {"a": 0, "b": 1, "c": 2}


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 has no comments")
def test_a_window_keeps_its_comment_when_it_is_replaced(server: LocalServer) -> None:
    server.text("a", "one")
    with OwnSocket(server) as client:
        client.command(1, cmd="update_comment", eid="main", win="a", data="mine")
    server.text("a", "two")
    assert server.windows()["a"]["comment"] == "mine"


def test_an_update_of_what_is_not_there(server: LocalServer) -> None:
    with OwnSocket(server, "env/main") as client:
        client.receive_type("batch")
        answer = server.post("/update", {"win": "none", "eid": "main", "data": [{"content": "x"}], "layout": {}})
        assert (answer.status_code, answer.text) == (200, "win does not exist")
        server.append("made", 1, 2)
        client.converge()
        assert list(client.replicas.state("env/main")) == ["made"]


def test_a_refused_update_leaves_the_window_as_every_client_has_it(server: LocalServer, records: Records) -> None:
    records.expect("400 POST /update")
    server.plot("p", [1, 2])
    with OwnSocket(server, "env/main") as client:
        client.converge()
        before = server.windows()
        body = {"win": "p", "eid": "main", "data": [{"type": "scatter", "x": 7, "y": None}], "name": "1", "append": True}
        assert server.post("/update", body).status_code == 400
        assert server.windows() == before
        assert client.silent() == []


def test_a_storm_is_conflated_for_who_is_slow(server: LocalServer) -> None:
    with OwnSocket(server, "env/main", acknowledge=False) as slow, OwnSocket(server, "env/main") as quick:
        for number in range(200):
            server.text("a", str(number))
        quick.converge()
        slow.until(lambda: slow.batches == 4, "as many batches as it may have")
        assert slow.silent() == []
        slow.send({"type": "ack", "batches": 4})
        slow.converge()
        assert slow.batches == 5
        assert sum(session["conflated_events"] for session in server.sessions()) > 100
