"""docs/protocol.md over long polls, against a server on a real socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.raw import SILENCE_S
from tests.support.records import Records
from tests.support.wait import until

Serve = Callable[..., LocalServer]
QUICK = {"heartbeat_s": 0.2, "dead_after_s": 0.7, "poll_wait_s": 0.5, "grace_s": 0.8}


def kinds(messages: list[Any]) -> list[str]:
    return [message["type"] for message in messages]


def test_the_opening_is_answered_at_once(server: LocalServer) -> None:
    server.text("a", "one")
    client = OwnPoll(server, "shared", "env/main")
    assert kinds(client.opening) == ["welcome", "subscribed", "subscribed", "batch", "batch"]
    assert client.replicas.state("env/main") == server.windows()
    assert client.replicas.state("shared") | {"envs": ["main"], "layouts": ""} == client.replicas.state("shared")
    (session,) = server.sessions()
    assert (session["link"], session["dialect"], session["role"]) == ("poll", "own", "browser")


def test_a_held_poll_ends_with_the_news(server: LocalServer) -> None:
    client = OwnPoll(server, "env/main")
    held = client.hold()
    until(lambda: held.waiting and server.sessions(link="poll"), "the poll is held")
    server.text("a", "one")
    (batch,) = held.result()
    assert [entry["key"] for entry in batch["entries"]] == ["a"]


def test_a_poll_without_news_ends_empty_after_its_wait(serve: Serve) -> None:
    server = serve(settings={"poll_wait_s": 6})
    client = OwnPoll(server, "env/main")
    for wait_s, at_least, at_most in ((0, 0, 5), (0.3, 0.3, 5), (1000, 6, 20), (-5, 0, 5), ("long", 0, 5)):
        began = time.monotonic()
        assert client.poll(wait_s) == []  # type: ignore[arg-type]
        assert at_least <= time.monotonic() - began < at_most, wait_s


def test_live_changes_in_order(server: LocalServer) -> None:
    server.plot("p", [1, 2])
    client = OwnPoll(server, "env/main", "events", role="source")
    for number in range(20):
        server.append("p", 2 + number, number)
        server.run(lambda number=number: server.app.transport.hub.publish("events", {"n": number}))
    client.converge()
    until(lambda: client.poll() == [], "everything is delivered")
    assert client.replicas.events["events"] == [{"n": number} for number in range(20)]
    assert client.replicas.missed == 0


def test_a_lost_reply_is_made_good_by_the_next_poll(server: LocalServer) -> None:
    server.plot("p", [1, 2])
    client = OwnPoll(server, "env/main", "events")
    server.append("p", 2, 5)
    server.text("a", "one")
    server.run(lambda: server.app.transport.hub.publish("events", {"n": 1}))
    lost = client.poll(1, lose=True)
    assert "batch" in kinds(lost)
    server.append("p", 3, 6)
    server.run(lambda: server.app.transport.hub.publish("events", {"n": 2}))
    client.converge()
    until(lambda: client.poll() == [], "everything is delivered")
    assert client.replicas.state("env/main")["p"]["content"]["data"][0]["y"] == [1, 2, 5, 6]
    assert client.replicas.events["events"] == [{"n": 1}, {"n": 2}]


def test_a_lost_opening_is_made_good_by_a_new_chain(server: LocalServer) -> None:
    server.text("a", "one")
    first = OwnPoll(server, "env/main")
    second = OwnPoll(server, "env/main", session=first.welcome)
    assert second.welcome["resumed"] is True
    second.converge()
    assert kinds(first.poll()) == ["close"]
    assert first.poll()[0]["code"] == 4000


def test_the_same_poll_twice_changes_nothing(server: LocalServer) -> None:
    """A proxy may repeat a request whose reply it lost."""
    server.plot("p", [1])
    client = OwnPoll(server, "env/main")
    server.append("p", 1, 2)
    body = client.body(1)
    first = client.request("/transport/poll", body)
    second = client.request("/transport/poll", body)
    for message in first + second:
        client.replicas.take(message)
    client.converge()
    assert client.replicas.state("env/main")["p"]["content"]["data"][0]["y"] == [1, 2]


def test_nothing_is_said_again_to_a_client_that_is_current(server: LocalServer) -> None:
    server.text("a", "one")
    client = OwnPoll(server, "shared", "env/main", "events")
    for number in range(5):
        server.text("a", str(number))
        assert kinds(client.poll(1)) == ["batch"]
        assert client.poll() == []


def test_a_feed_is_followed_and_left_by_what_a_poll_presents(server: LocalServer) -> None:
    server.text("b", "one", eid="other")
    client = OwnPoll(server, "env/main")
    client.replicas.follow("env/other")
    assert kinds(client.poll()) == ["subscribed", "batch"]
    assert client.replicas.state("env/other") == server.windows("other")
    del client.replicas.feeds["env/main"]
    client.poll()
    (session,) = server.sessions()
    assert session["subscriptions"] == ["env/other"]


def test_a_newer_poll_ends_the_older_with_an_empty_reply(server: LocalServer) -> None:
    client = OwnPoll(server, "env/main")
    older = client.hold()
    until(lambda: is_held(server), "the first poll is held")
    newer = client.hold()
    assert older.result(1) == []
    assert newer.waiting
    server.text("a", "one")
    assert kinds(newer.result()) == ["batch"]


def test_a_newer_poll_that_is_answered_at_once_ends_the_older_too(server: LocalServer) -> None:
    """Else the older one, whose client is long gone, would take what the next poll waits for."""
    client = OwnPoll(server, "env/main")
    older = client.hold()
    until(lambda: is_held(server), "the first poll is held")
    assert kinds(client.poll(5, [{"type": "ping"}])) == ["pong"]
    assert older.result(1) == []


def is_held(server: LocalServer) -> bool:
    (long_poll,) = server.app.transport.long_polls._links.values()
    return long_poll._waiter is not None and not long_poll._waiter.done()


def test_send_carries_messages_and_returns_their_answers(server: LocalServer) -> None:
    server.text("a", "one")
    client = OwnPoll(server, "env/main")
    held = client.hold()
    until(lambda: is_held(server), "the poll is held")
    answers = client.send(
        {"type": "ping"},
        {"type": "nonsense"},
        {"type": "command", "id": 1, "command": {"cmd": "close", "data": "a", "eid": "main"}},
    )
    assert kinds(answers) == ["pong", "error", "reply"]
    assert answers[2]["error"] is None
    (batch,) = held.result()
    assert batch["entries"][0]["deleted"] is True


def test_a_command_sent_twice_is_applied_once(server: LocalServer) -> None:
    server.text("a", "one")
    client = OwnPoll(server, "env/main")
    command = {"type": "command", "id": 1, "command": {"cmd": "close", "data": "a", "eid": "main"}}
    first = client.send(command)
    server.text("a", "made again")
    assert client.send(command) == first
    client.converge()
    assert "a" in server.windows()


def test_resume_from_a_websocket_and_back(server: LocalServer) -> None:
    server.plot("p", [1, 2])
    server.text("a", "x" * 10_000)
    with OwnSocket(server, "env/main") as socket:
        socket.converge()
        server.append("p", 2, 3)
        poll = OwnPoll(server, replicas=socket.replicas, session=socket.welcome)
        assert poll.welcome["resumed"] is True
        assert socket.expect_close() == 4000
        poll.converge()
    server.append("p", 3, 4)
    with OwnSocket(server, replicas=poll.replicas, session=poll.welcome) as again:
        verdict = again.receive_type("subscribed")
        assert verdict["recovered"] is True
        batch = again.receive_type("batch")
        assert [entry["key"] for entry in batch["entries"]] == ["p"]
        assert "delta" in batch["entries"][0] or "value" in batch["entries"][0]
        again.converge()
        assert kinds(poll.poll(5)) == ["close"]


def test_a_held_poll_is_told_that_it_was_replaced(server: LocalServer) -> None:
    client = OwnPoll(server, "env/main")
    held = client.hold()
    until(lambda: is_held(server), "the poll is held")
    with OwnSocket(server, "env/main", session=client.welcome):
        assert held.result() == [{"type": "close", "code": 4000, "reason": "replaced"}]


def test_an_unknown_chain_is_told_to_say_hello(server: LocalServer) -> None:
    client = OwnPoll(server, "env/main")
    client.link = "nonsense"
    assert client.poll(5) == [{"type": "close", "code": 4003, "reason": "unknown_link"}]
    assert client.send({"type": "ping"}) == [{"type": "close", "code": 4003, "reason": "unknown_link"}]


@pytest.mark.parametrize("secret", [None, "guess", 4, "\u00e9"])
def test_a_chain_needs_its_secret(server: LocalServer, secret: Any) -> None:
    server.text("a", "one")
    client = OwnPoll(server, "env/main")
    right, client.secret = client.secret, secret
    assert client.poll(5) == [{"type": "close", "code": 4051, "reason": "wrong_secret"}]
    command = {"type": "command", "id": 1, "command": {"cmd": "close", "data": "a", "eid": "main"}}
    assert client.send(command) == [{"type": "close", "code": 4051, "reason": "wrong_secret"}]
    assert "a" in server.windows()
    client.secret = right
    assert client.poll() == []


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([], 4052),
        ([{"type": "ping"}], 4052),
        ([{"type": "hello", "role": "king"}], 4052),
        ([{"type": "hello", "role": "browser", "window": "x"}], 4052),
        ([7], 4052),
        ("text", 4052),
    ],
)
def test_a_bad_opening_is_refused_with_a_code(server: LocalServer, messages: Any, code: int) -> None:
    answer = server.post("/transport/poll", {"link": None, "secret": None, "wait_s": 5, "feeds": {}, "messages": messages})
    assert answer.json()["messages"][-1]["type"] == "close"
    assert answer.json()["messages"][-1]["code"] == code
    assert server.sessions() == []


@pytest.mark.parametrize("body", ["not json", "[" * 100_000, '{"link": NaN}', "\udc80".encode("utf-8", "surrogateescape")])
def test_a_body_that_is_no_json_is_refused(server: LocalServer, records: Records, body: str | bytes) -> None:
    records.expect("400 POST /transport/poll")
    records.expect("400 POST /transport/send")
    for path in ("/transport/poll", "/transport/send"):
        answer = server.http.post(server.url(path), data=body, timeout=5)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "bad_message"


@pytest.mark.parametrize("body", [None, 7, [], "text", {"messages": {"a": 1}}])
def test_a_body_that_is_no_poll_is_refused_with_a_code(server: LocalServer, body: Any) -> None:
    for path in ("/transport/poll", "/transport/send"):
        (message,) = server.post(path, body).json()["messages"]
        assert (message["type"], message["code"]) == ("close", 4052)


def test_an_oversize_body_is_refused_with_a_code(serve: Serve) -> None:
    server = serve(settings={"max_message_bytes": 5_000})
    client = OwnPoll(server, "env/main")
    assert kinds(client.send({"type": "ping", "padding": "x" * 4_000})) == ["pong"]
    large = {"type": "ping", "padding": "x" * 6_000}
    for answer in (client.send(large), client.poll(0, [large])):
        (close,) = answer
        assert (close["type"], close["code"], close["reason"]) == ("close", 4052, "protocol")
        assert "VISDOM_TRANSPORT_MAX_MESSAGE_BYTES=5000" in close["message"]


@pytest.mark.parametrize("feeds", [None, [], "x", 5])
def test_bad_feeds_are_answered_and_the_chain_kept(server: LocalServer, feeds: Any) -> None:
    client = OwnPoll(server, "env/main")
    (error,) = client.request("/transport/poll", {**client.body(0), "feeds": feeds})
    assert (error["type"], error["code"], error["field"]) == ("error", "bad_field", "feeds")
    server.text("a", "one")
    client.converge()


def test_one_bad_feed_does_not_stop_the_others(server: LocalServer) -> None:
    server.text("a", "one")
    client = OwnPoll(server)
    body = client.body(0)
    body["feeds"] = {"nonsense": None, "env/main": None, "env/other": {"epoch": 7}}
    messages = client.request("/transport/poll", body)
    assert kinds(messages).count("error") == 2
    assert {message["feed"] for message in messages if message["type"] == "error"} == {"nonsense", "env/other"}
    assert [message["feed"] for message in messages if message["type"] == "batch"] == ["env/main"]


def test_a_chain_that_stops_polling_is_ended_and_forgotten(serve: Serve) -> None:
    server = serve(settings=QUICK)
    client = OwnPoll(server, "env/main")
    server.wait_sessions(1, link=None)
    assert client.poll(5) == [{"type": "close", "code": 4002, "reason": "silent"}]
    server.wait_sessions(0)
    assert server.app.transport.long_polls._links == {}


def test_a_chain_that_polls_stays(serve: Serve) -> None:
    server = serve(settings=QUICK)
    client = OwnPoll(server, "env/main")
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert client.poll(5) == []
    assert len(server.sessions(link="poll")) == 1


def test_a_client_that_gives_up_a_poll_loses_nothing(server: LocalServer) -> None:
    client = OwnPoll(server, "env/main")
    held = client.hold()
    until(lambda: is_held(server), "the poll is held")
    with pytest.raises(requests.ReadTimeout):
        requests.post(server.url("/transport/poll"), json=client.body(5), timeout=SILENCE_S)
    held.result()
    server.text("a", "one")
    until(lambda: not is_held(server), "the abandoned poll has taken the news")
    client.converge()


def test_a_poll_reply_is_bounded(serve: Serve) -> None:
    server = serve(settings={"batch_bytes": 10_000, "in_flight_bytes": 20_000})
    for number in range(20):
        server.text(f"w{number}", "x" * 4_000)
    client = OwnPoll(server, "env/main")
    sizes = [sum(len(str(message)) for message in client.opening)]
    while client.replicas.state("env/main") != server.windows():
        sizes.append(sum(len(str(message)) for message in client.poll(1)))
    assert len(sizes) >= 4
    assert max(sizes) < 35_000
