"""Publishing: each number of a producer is applied once, in order (docs/protocol.md, section 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.local import LocalServer
from tests.support.records import Records
from tests.support.served import ADA
from visdom_transport.visdom.durability.publishers import Publishers

Serve = Callable[..., LocalServer]


def creation(win: str, eid: str = "main") -> dict[str, Any]:
    trace = {"type": "scatter", "name": "1", "x": [], "y": []}
    return {"endpoint": "events", "body": {"win": win, "eid": eid, "data": [trace], "layout": {}}}


def point(win: str, number: int, eid: str = "main") -> dict[str, Any]:
    trace = {"type": "scatter", "name": "1", "x": [number], "y": [number]}
    return {"endpoint": "update", "body": {"win": win, "eid": eid, "name": "1", "append": True, "data": [trace]}}


def publish(server: LocalServer, first: int, *messages: Any, producer: str = "p") -> dict[str, Any]:
    answer = server.post("/transport/publish", {"producer": producer, "first": first, "messages": list(messages)})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    reply: dict[str, Any] = answer.json()
    return reply


def points(server: LocalServer, win: str, eid: str = "main") -> list[int]:
    answer = server.post("/win_data", {"win": win, "eid": eid})
    answer.raise_for_status()
    x: list[int] = answer.json()["content"]["data"][0]["x"]
    return x


def test_messages_are_applied_in_order(server: LocalServer) -> None:
    reply = publish(server, 1, creation("w"), *(point("w", n) for n in range(2, 6)))
    assert (reply["applied"], reply["refused"]) == (5, [])
    assert points(server, "w") == [2, 3, 4, 5]


def test_what_was_applied_is_skipped(server: LocalServer) -> None:
    publish(server, 1, creation("w"), point("w", 2), point("w", 3))
    assert publish(server, 1, creation("w"), point("w", 2))["applied"] == 3
    assert publish(server, 2, point("w", 2), point("w", 3), point("w", 4))["applied"] == 4
    assert points(server, "w") == [2, 3, 4]


def test_a_gap_applies_nothing(server: LocalServer) -> None:
    publish(server, 1, creation("w"), point("w", 2))
    assert publish(server, 4, point("w", 4), point("w", 5))["applied"] == 2
    assert points(server, "w") == [2]
    assert publish(server, 3, point("w", 3), point("w", 4))["applied"] == 4
    assert points(server, "w") == [2, 3, 4]


def test_an_unknown_producer_applies_nothing(server: LocalServer) -> None:
    publish(server, 1, creation("w"))
    reply = publish(server, 2, point("w", 2), producer="another")
    assert (reply["applied"], reply["durable"]) == (None, None)
    assert points(server, "w") == []


def test_producers_do_not_disturb_each_other(server: LocalServer) -> None:
    publish(server, 1, creation("w"), point("w", 1), producer="a")
    publish(server, 1, point("w", 2), producer="b")
    assert publish(server, 3, point("w", 3), producer="a")["applied"] == 3
    assert publish(server, 2, point("w", 4), producer="b")["applied"] == 2
    assert points(server, "w") == [1, 2, 3, 4]


def test_no_messages_ask_for_the_state(server: LocalServer) -> None:
    publish(server, 1, creation("w"))
    assert publish(server, 2)["applied"] == 1


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"endpoint": "update", "body": {"win": [7]}}, "win"),
        ({"endpoint": "update", "body": {"win": "w", "eid": 7}}, "eid"),
        ({"endpoint": "events", "body": {"data": []}}, "data"),
        ({"endpoint": "embedding", "body": {"type": "none"}}, "type"),
        ({"endpoint": "close", "body": {"win": [7]}}, "win"),
        ({"endpoint": "delete_env", "body": {}}, "endpoint"),
        ({"endpoint": "update", "body": []}, "body"),
        ({}, "endpoint"),
        ("update", "endpoint"),
    ],
)
def test_a_refused_message_is_reported_and_counts(server: LocalServer, bad: Any, field: str) -> None:
    reply = publish(server, 1, creation("w"), bad, point("w", 3))
    (refused,) = reply["refused"]
    assert (refused["number"], refused["error"]["code"], refused["error"]["field"]) == (2, "bad_field", field)
    assert refused["error"]["message"]
    assert reply["applied"] == 3
    assert points(server, "w") == [3]
    assert publish(server, 2, bad)["refused"] == [], "it is done with"


def test_a_message_that_fails_is_reported_and_does_not_stop_the_others(server: LocalServer, records: Records) -> None:
    records.expect("a published message failed")
    server.post("/win_data", {"win": "odd", "eid": "main", "data": '{"type": "unheard of", "id": "odd"}'}).raise_for_status()
    reply = publish(server, 1, creation("w"), point("odd", 2), point("w", 3))
    (refused,) = reply["refused"]
    assert (refused["number"], refused["error"]["code"]) == (2, "failed")
    assert (reply["applied"], points(server, "w")) == (3, [3])


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"first": 1, "messages": []}, "producer"),
        ({"producer": "", "first": 1, "messages": []}, "producer"),
        ({"producer": "x" * 101, "first": 1, "messages": []}, "producer"),
        ({"producer": "p", "first": 0, "messages": []}, "first"),
        ({"producer": "p", "first": True, "messages": []}, "first"),
        ({"producer": "p", "first": 1}, "messages"),
        ([], "body"),
    ],
)
def test_a_bad_request_is_refused_as_a_whole(server: LocalServer, records: Records, request_: Any, field: str) -> None:
    records.expect("400 POST /transport/publish")
    answer = server.post("/transport/publish", request_)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field


def test_every_endpoint(server: LocalServer) -> None:
    text = {"endpoint": "events", "body": {"win": "t", "data": [{"type": "text", "content": "a"}]}}
    embedding = {"endpoint": "embedding", "body": {"type": "embedding", "x": 1, "y": 2, "win": "e"}}
    publish(server, 1, text, creation("w"), embedding)
    assert set(server.post("/win_data", {"win": None}).json()) == {"t", "w", "e"}
    publish(server, 4, {"endpoint": "close", "body": {"win": "t"}})
    assert set(server.post("/win_data", {"win": None}).json()) == {"w", "e"}
    assert publish(server, 5, {"endpoint": "close", "body": {"win": "t"}})["refused"] == []
    publish(server, 6, {"endpoint": "close", "body": {}})
    assert server.post("/win_data", {"win": None}).json() == {}


def test_a_message_may_be_larger_than_those_of_viewers(serve: Serve) -> None:
    server = serve(settings={"max_message_bytes": 10_000})
    text = {"endpoint": "events", "body": {"win": "t", "data": [{"type": "text", "content": "a" * 100_000}]}}
    assert publish(server, 1, text)["applied"] == 1


def test_a_login_is_needed_when_visdom_needs_one(serve: Serve, records: Records) -> None:
    records.expect("40[01] POST /transport/publish")
    server = serve(login=ADA)
    assert publish(server, 1, creation("w"))["applied"] == 1
    server.http.cookies.clear()
    answer = server.post("/transport/publish", {"producer": "p", "first": 2, "messages": []})
    assert answer.status_code in (400, 401)
    assert answer.text == ""


def test_pages_of_others_may_not_publish(server: LocalServer, records: Records) -> None:
    records.expect("refused a connection from origin")
    records.expect("403 POST /transport/publish")
    answer = server.http.post(server.url("/transport/publish"), "{}", headers={"Origin": "http://elsewhere.example"}, timeout=10)
    assert answer.status_code == 403


def test_the_producers_remembered_are_bounded() -> None:
    publishers = Publishers(max_publishers=3)
    for name in ("a", "b", "c"):
        assert publishers.find(name, 1) is not None
    publishers.find("a", 2)
    publishers.find("d", 1)
    assert [name for name in ("a", "b", "c", "d") if publishers.find(name, 2)] == ["a", "c", "d"]
