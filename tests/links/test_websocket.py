"""docs/protocol.md over a WebSocket, against a server on a real socket."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import websocket

from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.raw import RawSocket
from tests.support.records import Records
from tests.support.wait import until
from visdom_transport.visdom.serving.sockets import TransportSocket

Serve = Callable[..., LocalServer]
QUICK = {"heartbeat_s": 0.2, "dead_after_s": 0.7, "poll_wait_s": 0.5, "grace_s": 0.8}


def test_welcome_says_what_the_protocol_promises(server: LocalServer) -> None:
    with OwnSocket(server, "shared") as client:
        welcome = client.welcome
        assert welcome["resumed"] is False
        assert welcome["readonly"] is False
        assert {type(welcome[name]) for name in ("session", "secret", "link", "server", "version")} == {str}
        assert [welcome[name] for name in ("heartbeat_s", "dead_after_s", "grace_s", "poll_wait_s")] == [8.0, 20.0, 120.0, 10.0]
        verdict = client.receive_type("subscribed")
        assert (verdict["feed"], verdict["recovered"], verdict["reason"]) == ("shared", False, "new")
        client.until(lambda: client.replicas.state("shared") == {"envs": ["main"], "layouts": ""}, "shared arrives")


def test_snapshot_then_live_changes(server: LocalServer) -> None:
    server.text("a", "one")
    server.plot("p", [1, 2, 3])
    with OwnSocket(server, "env/main") as client:
        batch = client.receive_type("batch")
        assert batch["keys"] == ["a", "p"]
        assert batch["complete"] is True
        assert client.replicas.state("env/main") == server.windows()
        server.append("p", 3, 4.5)
        server.text("a", "two")
        server.text("b", "three")
        client.converge()
        server.post("/close", {"win": "a", "eid": "main"})
        client.converge()
        assert set(client.replicas.state("env/main")) == {"p", "b"}


def test_resume_by_position_brings_only_what_was_missed(server: LocalServer) -> None:
    for number in range(20):
        server.text(f"w{number}", "x" * 1000)
    with OwnSocket(server, "env/main") as client:
        client.converge()
    server.wait_sessions(1, link=None)
    server.text("w7", "changed")
    server.post("/close", {"win": "w3", "eid": "main"})
    with OwnSocket(server, replicas=client.replicas, session=client.welcome) as again:
        assert again.welcome["resumed"] is True
        assert again.welcome["session"] == client.welcome["session"]
        verdict = again.receive_type("subscribed")
        assert (verdict["recovered"], verdict["reason"]) == (True, "resumed")
        batch = again.receive_type("batch")
        assert {entry["key"] for entry in batch["entries"]} == {"w7", "w3"}
        assert "keys" not in batch
        assert again.replicas.state("env/main") == server.windows()
        assert again.silent() == []
    assert server.status()["totals"]["resumes"] == 1


def test_resume_of_a_gone_session_uses_content_ids(serve: Serve) -> None:
    server = serve(settings={**QUICK, "grace_s": 0.1})
    for number in range(5):
        server.text(f"w{number}", "x" * 1000)
    with OwnSocket(server, "env/main") as client:
        client.converge()
    server.wait_sessions(0)
    assert "env/main" not in server.status()["feeds"], "a feed nobody reads is forgotten"
    server.text("w1", "changed")
    with OwnSocket(server, replicas=client.replicas, session=client.welcome) as again:
        assert again.welcome["resumed"] is False
        verdict = again.receive_type("subscribed")
        assert (verdict["recovered"], verdict["reason"]) == (False, "epoch")
        batch = again.receive_type("batch")
        assert {entry["key"] for entry in batch["entries"]} == {"w1"}
        assert batch["keys"] == [f"w{number}" for number in range(5)]
        assert again.replicas.state("env/main") == server.windows()


def test_a_newer_link_replaces_the_older(server: LocalServer) -> None:
    with OwnSocket(server, "env/main") as first, OwnSocket(server, "env/main", session=first.welcome) as second:
        assert first.expect_close() == 4000
        assert second.welcome["session"] == first.welcome["session"]
        server.text("a", "one")
        second.converge()
        assert len(server.sessions()) == 1


def test_wrong_secret_is_refused_and_harms_nobody(server: LocalServer) -> None:
    with OwnSocket(server, "env/main") as victim, OwnSocket(server, hello={}) as thief:
        thief.send({"type": "hello", "role": "browser", "session": victim.welcome["session"], "secret": "guess", "feeds": {}})
        assert thief.expect_close() == 4051
        server.text("a", "one")
        victim.converge()


def test_a_session_lives_as_long_as_its_grace(serve: Serve) -> None:
    server = serve(settings=QUICK)
    with OwnSocket(server, "env/main"):
        server.wait_sessions(1, link="websocket")
    left_at = time.monotonic()
    server.wait_sessions(1, link=None)
    server.wait_sessions(0)
    assert 0.7 <= time.monotonic() - left_at < 60, "with the default settings it takes two minutes"
    assert server.status()["totals"]["reaped_sessions"] == 1


def test_ping_is_answered(server: LocalServer) -> None:
    with OwnSocket(server) as client:
        client.ask({"type": "ping"}, "pong")


def test_a_silent_peer_is_pinged_then_ended(serve: Serve) -> None:
    server = serve(settings=QUICK)
    with OwnSocket(server) as client:
        began = time.monotonic()
        client.receive_type("ping")
        assert time.monotonic() - began < 5, "with the default settings it takes 8 s"
        server.wait_sessions(1, link=None)
        assert time.monotonic() - began < 15, "with the default settings it takes 20 s"
        with contextlib.suppress(OSError, websocket.WebSocketException):  # the server does not wait for an answer
            assert client.expect_close() == 4002
    assert server.status()["totals"]["closed_silent"] == 1


def test_a_peer_that_answers_pings_stays(serve: Serve) -> None:
    server = serve(settings=QUICK)
    with OwnSocket(server) as client:
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            client.receive_type("ping")
            client.send({"type": "pong"})
        assert len(server.sessions(link="websocket")) == 1


BAD_MESSAGES = [
    ("not json", "bad_message", None),
    ("[1, 2]", "bad_message", "type"),
    ("null", "bad_message", "type"),
    ('"text"', "bad_message", "type"),
    ('{"type": 7}', "bad_message", "type"),
    ('{"type": "dance"}', "bad_message", "type"),
    ('{"type": "hello", "role": "browser"}', "bad_message", "type"),
    ('{"type": "ack"}', "bad_field", "batches"),
    ('{"type": "ack", "batches": -1}', "bad_field", "batches"),
    ('{"type": "ack", "batches": true}', "bad_field", "batches"),
    ('{"type": "credit", "window": "four"}', "bad_field", "window"),
    ('{"type": "subscribe"}', "bad_field", "feed"),
    ('{"type": "subscribe", "feed": "nonsense"}', "unknown_feed", "feed"),
    ('{"type": "subscribe", "feed": "env/"}', "unknown_feed", "feed"),
    ('{"type": "subscribe", "feed": "env/../../etc/passwd"}', "unknown_feed", "feed"),
    ('{"type": "subscribe", "feed": "env/main", "position": 4}', "bad_field", "position"),
    ('{"type": "subscribe", "feed": "env/main", "position": {"epoch": 4, "offset": 1}}', "bad_field", "position.epoch"),
    ('{"type": "subscribe", "feed": "env/main", "position": {"epoch": "x", "offset": 1.5}}', "bad_field", "position.offset"),
    (
        '{"type": "subscribe", "feed": "env/main", "position": {"epoch": "x", "offset": 1, "ahead": [1]}}',
        "bad_field",
        "position.ahead",
    ),
    (
        '{"type": "subscribe", "feed": "env/main", "position": {"epoch": "x", "offset": 1, "have": {"a": 1}}}',
        "bad_field",
        "position.have",
    ),
    ('{"type": "unsubscribe", "feed": 3}', "bad_field", "feed"),
    ('{"type": "command"}', "bad_field", "id"),
    ('{"type": "command", "id": "1"}', "bad_field", "id"),
    ('{"type": "ping", "value": NaN}', "bad_message", None),
    ("[" * 100_000, "bad_message", None),
    ('{"type": ' * 5_000, "bad_message", None),
]


@pytest.mark.parametrize(("text", "code", "field"), BAD_MESSAGES, ids=[text[:40] for text, _, _ in BAD_MESSAGES])
def test_a_bad_message_is_answered_and_the_link_kept(server: LocalServer, text: str, code: str, field: str | None) -> None:
    with OwnSocket(server, "env/main") as client:
        client.send_text(text)
        error = client.receive_type("error")
        assert (error["code"], error["field"]) == (code, field)
        assert error["message"]
        server.text("a", "one")
        client.converge()


BAD_COMMANDS: list[tuple[Any, str, str | None]] = [
    (None, "bad_field", "command"),
    ([], "bad_field", "command"),
    ({}, "bad_field", "command"),
    ({"cmd": "dance"}, "unknown_command", "cmd"),
    ({"cmd": "close", "data": "a"}, "bad_field", "eid"),
    ({"cmd": "close", "data": "a", "eid": "nowhere"}, "unknown_env", "eid"),
    ({"cmd": "close", "data": None, "eid": "main"}, "bad_field", "data"),
    ({"cmd": "save", "data": None, "prev_eid": "main", "eid": "x"}, "bad_field", "data"),
    ({"cmd": "save", "data": {}, "prev_eid": "nowhere", "eid": "x"}, "unknown_env", "prev_eid"),
    ({"cmd": "save", "data": {}, "prev_eid": "main", "eid": ""}, "bad_field", "eid"),
    ({"cmd": "save_layouts", "data": {}}, "bad_field", "data"),
    ({"cmd": "delete_env", "eid": None}, "bad_field", "eid"),
    ({"cmd": "forward_to_vis", "data": "x"}, "bad_field", "data"),
    ({"cmd": "forward_to_vis", "data": {"eid": "main", "target": "none"}}, "unknown_window", "data.target"),
    ({"cmd": "layout_item_update", "eid": "main", "win": 4}, "bad_field", "win"),
    ({"cmd": "pop_embeddings_pane", "data": {"eid": "main", "target": "none"}}, "unknown_window", "data.target"),
    ({"cmd": "echo"}, "unknown_command", "cmd"),
]


def test_a_bad_command_is_answered_and_the_link_kept(server: LocalServer) -> None:
    with OwnSocket(server, "env/main") as client:
        for number, (command, code, field) in enumerate(BAD_COMMANDS, 1):
            reply = client.ask({"type": "command", "id": number, "command": command}, "reply")
            assert reply["id"] == number
            assert (reply["error"]["code"], reply["error"]["field"]) == (code, field), command
        client.ask({"type": "ping"}, "pong")
        assert server.windows() == {}


def test_a_command_is_applied_once(server: LocalServer) -> None:
    server.text("a", "one")
    with OwnSocket(server, "events", role="source") as source:
        source.receive_type("subscribed")
        with OwnSocket(server) as client:
            assert client.command(1, cmd="close", data="a", eid="main")["error"] is None
            assert client.command(1, cmd="close", data="a", eid="main")["error"] is None
        server.text("a", "made again")
        with OwnSocket(server, session=client.welcome) as again:
            assert again.command(1, cmd="close", data="a", eid="main")["error"] is None
            assert "a" in server.windows(), "a repeated id must not be carried out again"
            again.command(2, cmd="close", data="a", eid="main")
            assert server.windows() == {}
        source.until(lambda: len(source.replicas.events.get("events", [])) == 2, "two events")
        assert source.silent() == []


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (['{"type": "ping"}'], 4052),
        (['{"type": "hello", "role": "king"}'], 4052),
        (['{"type": "hello", "role": "browser", "feeds": []}'], 4052),
    ],
)
def test_a_bad_opening_ends_the_link_with_a_code(server: LocalServer, frames: list[str], code: int) -> None:
    with OwnSocket(server, hello={}) as client:
        for frame in frames:
            client.send_text(frame)
        assert client.expect_close() == code
    assert server.sessions() == []


def test_a_bad_window_in_hello_leaves_no_session_behind(server: LocalServer) -> None:
    with OwnSocket(server, hello={}) as client:
        client.send({"type": "hello", "role": "browser", "window": "many", "feeds": {}})
        assert client.expect_close() == 4052
        assert server.sessions() == []


def test_a_binary_frame_ends_the_link(server: LocalServer) -> None:
    with OwnSocket(server) as client:
        client.connection.send_binary(b'{"type": "ping"}')
        assert client.expect_close() == 4052


def test_an_oversize_message_ends_the_link(serve: Serve) -> None:
    server = serve(settings={"max_message_bytes": 1000})
    with OwnSocket(server) as client:
        client.send({"type": "ping", "padding": "x" * 800})
        client.receive_type("pong")
        client.send({"type": "ping", "padding": "x" * 1200})
        assert client.expect_close() == 4052
    server.wait_sessions(1, link=None)


def test_a_foreign_origin_is_refused(serve: Serve, records: Records) -> None:
    records.expect("refused a connection from origin http://evil.example")
    records.expect("403 GET /socket")
    server = serve(settings={"allowed_origins": "https://board.example"})
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        RawSocket(server, "/socket", origin="http://evil.example")
    for origin in ("https://board.example", f"http://127.0.0.1:{server.port}"):
        RawSocket(server, "/socket", origin=origin).close()


def test_a_closed_peer_leaves_no_error_behind(server: LocalServer) -> None:
    """The `serve` fixture fails this test on any log record: write errors, futures nobody retrieved."""
    for number in range(20):
        client = OwnSocket(server, "env/main", small=True)
        server.text("a", "x" * 100_000 + str(number))
        client.connection.sock.close()
        server.text("a", "y" * 100_000 + str(number))
    server.wait_sessions(0, link="websocket")


# --- flow control ---


def test_never_more_batches_in_flight_than_the_window(server: LocalServer) -> None:
    with OwnSocket(server, "env/main", hello={"window": 2}, acknowledge=False) as client:
        client.until(lambda: client.batches == 1, "the snapshot")
        for number in range(30):
            server.text("a", str(number))
        client.until(lambda: client.batches == 2, "the second batch")
        assert client.silent() == []
        client.send({"type": "ping"})
        assert client.receive()["type"] == "pong", "control messages need no credit"
        client.send({"type": "ack", "batches": 2})
        client.converge()
        assert client.batches == 3, "what was held back is conflated"


def test_the_window_of_a_client_is_bounded_by_the_servers(serve: Serve) -> None:
    server = serve(settings={"window_batches": 3})
    with OwnSocket(server, "env/main", hello={"window": 1000}, acknowledge=False) as client:
        client.until(lambda: client.batches == 1, "the snapshot")
        for number in range(20):
            server.text("a", str(number))
        client.until(lambda: client.batches == 3, "three batches")
        assert client.silent() == []


def test_no_credit_holds_everything_until_it_is_granted(server: LocalServer) -> None:
    with OwnSocket(server, "env/main", hello={"window": 0}) as client:
        for number in range(10):
            server.text("a", str(number))
        assert [message["type"] for message in client.silent()] == ["subscribed"]
        client.send({"type": "credit", "window": 4})
        client.converge()
        assert client.batches == 1


def test_a_catch_up_larger_than_the_batch_goes_in_parts(serve: Serve) -> None:
    server = serve(settings={"batch_bytes": 10_000, "in_flight_bytes": 20_000})
    for number in range(10):
        server.text(f"w{number}", "x" * 4_000)
    server.text("large", "x" * 50_000)
    with OwnSocket(server, "env/main") as client:
        messages = client.converge()
        batches = [message for message in messages if message["type"] == "batch"]
        sizes = [len(json.dumps(batch)) for batch in batches]
        assert len(batches) > 4
        assert [size for size, batch in zip(sizes, batches, strict=True) if size > 10_500 and len(batch["entries"]) > 1] == []
        assert [batch["complete"] for batch in batches] == [False] * (len(batches) - 1) + [True]


def test_a_catch_up_that_is_cut_continues_where_it_was(serve: Serve) -> None:
    server = serve(settings={"batch_bytes": 10_000, "in_flight_bytes": 20_000})
    for number in range(10):
        server.text(f"w{number}", "x" * 4_000)
    with OwnSocket(server, "env/main") as client:
        client.until(lambda: client.batches == 2, "a part of the snapshot")
    got = set(client.replicas.state("env/main"))
    assert 0 < len(got) < 10
    server.text("w0", "changed")
    with OwnSocket(server, replicas=client.replicas, session=client.welcome) as again:
        messages = again.converge()
    sent = [entry["key"] for message in messages if message["type"] == "batch" for entry in message["entries"]]
    assert set(sent) == {f"w{number}" for number in range(10)} - got | {"w0"}


def test_a_client_that_never_reads_holds_a_bounded_number_of_bytes(serve: Serve) -> None:
    server = serve(settings={"batch_bytes": 100_000, "in_flight_bytes": 200_000})
    with OwnSocket(server, "env/main", acknowledge=False, small=True):
        for number in range(200):
            server.text(f"w{number % 10}", "x" * 50_000 + str(number))
        (session,) = server.sessions()
        assert 0 < session["in_flight_bytes"] <= 300_000
        server.text("w0", "the last")


@pytest.mark.parametrize(
    "question",
    [{"type": "subscribe", "feed": "env/main", "position": None}, {"type": "ping"}, {"type": "nonsense"}],
    ids=lambda question: question["type"],
)
def test_a_flood_of_questions_without_reading_is_ended(serve: Serve, question: Any) -> None:
    server = serve(small_buffers=True)
    with OwnSocket(server, acknowledge=False, small=True) as client:
        flood = frame(question) * 1000
        left = b""
        client.connection.settimeout(0.5)

        def ended() -> bool:
            nonlocal left
            left = left or flood
            # The kernel may take half a frame. The other half must follow: anything else is another offence.
            with contextlib.suppress(OSError):
                left = left[client.connection.sock.send(left) :]
            return not server.sessions(link="websocket")

        until(ended, "the flood is ended", timeout_s=20)
        assert client.expect_close(10) == 4004


def test_a_burst_of_questions_of_a_peer_that_reads_is_answered(server: LocalServer) -> None:
    with OwnSocket(server) as client:
        sender = threading.Thread(target=client.connection.sock.sendall, args=(frame({"type": "ping"}) * 5_000,))
        sender.start()
        for _ in range(5_000):
            assert client.receive()["type"] == "pong"
        sender.join()


def frame(message: Any) -> bytes:
    """A masked text frame as it is on the wire."""
    return bytes(websocket.ABNF.create_frame(json.dumps(message), websocket.ABNF.OPCODE_TEXT).format())


@pytest.mark.parametrize("subprotocol", [None, "visdom-transport.v1"])
def test_a_client_that_is_gone_before_it_is_served_leaves_nothing(
    server: LocalServer, records: Records, monkeypatch: pytest.MonkeyPatch, subprotocol: str | None
) -> None:
    def gone(handler: Any, value: bool) -> None:
        handler.ws_connection.stream.close()

    monkeypatch.setattr(TransportSocket, "set_nodelay", gone)
    with pytest.raises((websocket.WebSocketException, OSError)), RawSocket(server, "/socket", subprotocol=subprotocol) as client:
        client.receive_frame()
    server.wait_sessions(0)


@pytest.mark.parametrize("near", [["w3", "w9", "nothing"], None])
def test_what_is_near_comes_first_when_a_client_comes_back(serve: Serve, near: list[str] | None) -> None:
    server = serve(settings={"batch_bytes": 3_000})
    for number in range(10):
        server.text(f"w{number}", "x" * 1_000)
    with OwnSocket(server, "env/main") as client:
        client.converge()
    for number in range(10):
        server.text(f"w{number}", "y" * 1_000)
    position = client.replicas.positions()["env/main"] | ({"near": near} if near else {})
    with OwnSocket(server, replicas=client.replicas, hello={"feeds": {"env/main": position}, "window": 100}) as again:
        batches = [message for message in again.converge() if message["type"] == "batch"]
        keys = [entry["key"] for batch in batches for entry in batch["entries"]]
        assert keys[:3] == (["w3", "w9", "w0"] if near else ["w0", "w1", "w2"])
        assert sorted(keys) == [f"w{number}" for number in range(10)]
