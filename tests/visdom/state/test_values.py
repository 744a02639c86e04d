"""Where feeds read their values: order, content ids, what is there and what is not."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from visdom_transport.visdom.state.values import creation_index

Serve = Callable[..., LocalServer]


def test_windows_come_in_the_order_of_their_making(server: LocalServer) -> None:
    for win in ("c", "a", "b"):
        server.text(win, win)
    server.text("c", "replaced keeps its place")
    server.post("/win_data", {"win": "no index", "eid": "main", "data": "{}"})
    server.text("d", "d")
    with OwnSocket(server, "env/main") as client:
        batch = client.receive_type("batch")
        assert batch["keys"] == ["c", "a", "b", "d", "no index"]
        assert [entry["key"] for entry in batch["entries"]] == batch["keys"]


@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, {"i": None}, {"i": "first"}, {"i": [1]}])
def test_what_has_no_index_comes_last(odd: Any) -> None:
    windows = [{"i": 2}, odd, {"i": 0}, {"i": 1.5}]
    assert sorted(windows, key=creation_index) == [{"i": 0}, {"i": 1.5}, {"i": 2}, odd]


def test_content_ids_change_with_the_content(server: LocalServer) -> None:
    server.plot("p", [1, 2])
    server.text("t", "one")

    def ids() -> list[str]:
        return [window["contentID"] for window in server.windows().values()]

    seen = set(ids())
    for change in (
        lambda: server.append("p", 2, 3),
        lambda: server.text("t", "two"),
        lambda: server.post("/update", {"win": "t", "eid": "main", "data": [{"content": "more"}]}),
        lambda: server.post("/update", {"win": "p", "eid": "main", "layout": {"title": "x"}, "opts": {}, "data": None}),
    ):
        change()
        assert len(set(ids()) - seen) == 1
        seen |= set(ids())


def test_what_a_client_holds_is_believed_only_by_content_id(server: LocalServer) -> None:
    for win in ("same", "other", "set by hand"):
        server.text(win, win)
    windows = server.windows()
    del windows["set by hand"]["contentID"]
    server.post("/win_data", {"win": "set by hand", "eid": "main", "data": json.dumps(windows["set by hand"])})
    have = {"same": windows["same"]["contentID"], "other": "outdated", "gone": "x", "set by hand": "None"}
    position = {"epoch": "of another life", "offset": 3, "have": have}
    with OwnSocket(server, hello={"feeds": {"env/main": position}}) as client:
        batch = client.receive_type("batch")
        assert [entry["key"] for entry in batch["entries"]] == ["other", "set by hand"]
        assert batch["keys"] == ["same", "other", "set by hand"]


def test_an_environment_that_is_not_there_is_empty_until_it_is(server: LocalServer) -> None:
    with OwnSocket(server, "env/later") as client:
        assert client.receive_type("subscribed")["header"]["reload"] == {}
        batch = client.receive_type("batch")
        assert (batch["entries"], batch["keys"]) == ([], [])
        assert "later" not in server.post("/env_state", {}).json(), "looking at it does not make it"
        server.text("a", "one", eid="later")
        client.converge("later")


def test_ids_with_slashes_and_other_signs(server: LocalServer) -> None:
    for eid in ("späße & <b>", "a b+c", "100%", "\U0001f600"):
        server.text("w/1 'x'", "one", eid=eid)
        with OwnSocket(server, f"env/{eid}") as client:
            client.converge(eid)
    server.text("a", "one", eid="deep/down")
    with OwnSocket(server, "env/deep_down") as client:
        client.converge("deep_down")


def test_numbers_and_texts_arrive_as_they_are(server: LocalServer) -> None:
    values = [1e-5, 9.99e-5, 2**53 + 1, 2**70, -0.0, 1.5, True, None, "é", "\u2028", "</script>", "\U0001f600", ""]
    body = json.dumps({"data": [{"type": "text", "content": values}], "win": "v", "eid": "main"})
    assert server.http.post(server.url("/events"), data=body, timeout=20).status_code == 200
    with OwnSocket(server, "env/main") as client:
        client.converge()
        assert client.replicas.state("env/main")["v"]["content"] == values


def test_numbers_that_are_not_finite_arrive_as_null(server: LocalServer) -> None:
    data = '[{"type": "scatter", "x": [1, 2, 3], "y": [NaN, Infinity, -Infinity]}]'
    body = f'{{"data": {data}, "layout": {{}}, "win": "p", "eid": "main"}}'
    assert server.http.post(server.url("/events"), data=body, timeout=20).text == "p"
    with OwnSocket(server, "env/main") as client:
        client.until(lambda: "p" in client.replicas.state("env/main"), "the window")
        assert client.replicas.state("env/main")["p"]["content"]["data"][0]["y"] == [None, None, None]


def test_half_a_surrogate_pair_does_not_stop_the_others(server: LocalServer) -> None:
    body = '{"data": [{"type": "text", "content": "half \\ud83d"}], "win": "h", "eid": "main"}'
    assert server.http.post(server.url("/events"), data=body, timeout=20).status_code == 200
    server.text("a", "one")
    with OwnSocket(server, "env/main") as client:
        client.until(lambda: len(client.replicas.state("env/main")) == 2, "both")
        assert client.replicas.state("env/main")["h"]["content"].startswith("half ")


@pytest.mark.parametrize(
    "depth",
    [
        200,
        400,
        600 if sys.version_info < (3, 12) else 5_000,
        100_000,
    ],
)
def test_deep_nesting_is_refused_or_delivered_and_stops_no_other(server: LocalServer, records: Records, depth: int) -> None:
    records.ignore("(500|400) POST /events|ERROR|Uncaught|RecursionError")
    with OwnSocket(server, "env/main") as client:
        client.receive_type("batch")
        body = f'{{"data": [{{"type": "text", "content": {"[" * depth}{"]" * depth}}}], "win": "deep", "eid": "main"}}'
        answer = server.http.post(server.url("/events"), data=body, timeout=20)
        server.text("a", "one")
        client.until(lambda: "a" in client.replicas.state("env/main"), f"what came after {answer.status_code}", timeout_s=2)
        assert ("deep" in client.replicas.state("env/main")) == (answer.status_code == 200)
