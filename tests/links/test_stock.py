"""The stock dialect on real sockets: what Visdom's own pages and clients are told, in what order, and what cannot harm them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import websocket

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.raw import RawSocket
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.stock_peers import StockPoll, StockSocket
from tests.support.wait import until

Serve = Callable[..., LocalServer]
QUICK = {"heartbeat_s": 0.2, "dead_after_s": 0.7, "poll_wait_s": 0.5}
UNAUTHORIZED = 401 if NEW_VISDOM else 400


def commands(messages: list[Any]) -> list[str]:
    return [message["command"] for message in messages]


# --- closes and their echo ---


def test_close_reaches_every_page_and_gives_one_event(server: LocalServer) -> None:
    server.text("a", "one")
    with StockSocket(server) as first, StockSocket(server) as second, StockSocket(server, "source") as source:
        assert source.receive() == {"command": "alive", "data": "vis_alive"}
        for page in (first, second):
            page.register()
            page.load("main")
        window = server.windows()["a"]
        first.send({"cmd": "close", "data": "a", "eid": "main"})
        assert second.receive_command("close")["data"] == "a"
        # What a page does on being told: it answers in kind.
        second.send({"cmd": "close", "data": "a", "eid": "main"})
        event = source.receive()
        assert event == {"event_type": "close", "target": "a", "eid": "main", "pane_data": window}
        assert source.silent() == []


def test_the_echo_of_a_close_does_not_delete_a_window_made_again(server: LocalServer) -> None:
    server.text("a", "one")
    with StockSocket(server) as page:
        page.register()
        page.load("main")
        server.post("/close", {"win": "a", "eid": "main"})
        assert page.receive_command("close")["data"] == "a"
        server.text("a", "made again")
        page.send({"cmd": "close", "data": "a", "eid": "main"})
        assert page.receive_command("window")["content"] == "made again"
        assert "close" not in commands(page.silent())
        assert server.windows()["a"]["content"] == "made again"
        # The user's own close is one all the same.
        page.send({"cmd": "close", "data": "a", "eid": "main"})
        until(lambda: server.windows() == {}, "the window is closed")


def test_an_echo_of_a_polling_page_is_recognised_too(server: LocalServer) -> None:
    server.text("a", "one")
    page = StockPoll(server)
    server.post("/env/main", {"sid": page.sid})
    page.query()
    server.post("/close", {"win": "a", "eid": "main"})
    assert "close" in commands(page.query())
    server.text("a", "made again")
    assert page.send(cmd="close", data="a", eid="main") == {"success": True}
    assert server.windows()["a"]["content"] == "made again"


# --- commands ---

BAD_FRAMES = [
    "not json",
    "[]",
    "7",
    "null",
    "{}",
    '{"cmd": null}',
    '{"cmd": "nonsense"}',
    '{"cmd": "close"}',
    '{"cmd": "close", "data": "a", "eid": null}',
    '{"cmd": "close", "data": "a", "eid": "nowhere"}',
    '{"cmd": "close", "data": ["a"], "eid": "main"}',
    '{"cmd": "save", "data": {}, "eid": "x"}',
    '{"cmd": "save", "data": {}, "prev_eid": null, "eid": null}',
    '{"cmd": "delete_env"}',
    '{"cmd": "delete_env", "eid": ["main"]}',
    '{"cmd": "delete_env", "eid": "../../tmp/x"}',
    '{"cmd": "save_layouts", "data": 7}',
    '{"cmd": "forward_to_vis", "data": {}}',
    '{"cmd": "forward_to_vis", "data": {"eid": "main", "target": "none"}}',
    '{"cmd": "forward_to_vis", "data": {"eid": "nowhere", "pane_data": false}}',
    '{"cmd": "layout_item_update", "eid": "nowhere", "win": "a"}',
    '{"cmd": "pop_embeddings_pane", "data": {"eid": "main", "target": "a"}}',
    '{"cmd": "update_plot_layout", "eid": "main", "win": "a", "data": {}}',
    '{"cmd": "update_comment", "eid": "main", "win": "none", "data": "x"}',
    '{"cmd": "undo", "eid": null}',
    "[" * 50_000,
]


def test_bad_commands_never_close_the_socket(server: LocalServer) -> None:
    server.text("a", "one")
    with StockSocket(server) as page, StockSocket(server, "source") as source:
        page.register()
        source.receive()
        for peer in (page, source):
            for text in BAD_FRAMES:
                peer.send_text(text)
        page.connection.send_binary(b'{"cmd": "nonsense"}')
        server.text("a", "two")
        assert page.receive_command("window")["content"] == "two"
        page.send({"cmd": "forward_to_vis", "data": {"eid": "main", "target": "a", "event_type": "Click"}})
        assert source.receive()["event_type"] == "Click"
        assert list(server.windows()) == ["a"]


def test_the_binary_frame_of_a_stock_client_is_a_command(server: LocalServer) -> None:
    server.text("a", "one")
    with StockSocket(server) as page:
        page.register()
        page.connection.send_binary(b'{"cmd": "close", "data": "a", "eid": "main"}')
        until(lambda: server.windows() == {}, "the window is closed")


def test_events_reach_every_source_in_order(server: LocalServer) -> None:
    server.text("a", "one")
    with StockSocket(server) as page, StockSocket(server, "source") as socket:
        page.register()
        socket.receive()
        poll = StockPoll(server, "source")
        assert poll.query() == [{"command": "alive", "data": "vis_alive"}]
        for number in range(50):
            data = {"eid": "main", "target": "a", "event_type": "KeyPress", "key": str(number)}
            page.send({"cmd": "forward_to_vis", "data": data})
        page.send({"cmd": "forward_to_vis", "data": {"eid": "main", "event_type": "Click", "pane_data": False}})
        received = [socket.receive() for _ in range(51)]
        assert [event.get("key") for event in received] == [*map(str, range(50)), None]
        assert received[0]["pane_data"] == server.windows()["a"]
        assert received[50]["pane_data"] is False
        polled: list[Any] = []
        until(lambda: polled.extend(poll.query()) or len(polled) == 51, "the poller has them too")
        assert polled == received


def test_a_source_begins_at_the_head(server: LocalServer) -> None:
    server.text("a", "one")
    with StockSocket(server) as page:
        page.register()
        page.send({"cmd": "forward_to_vis", "data": {"eid": "main", "target": "a", "event_type": "Click"}})
        until(lambda: server.status()["feeds"]["events"]["offset"] == 1, "the event is there")
        with StockSocket(server, "source") as source:
            source.receive()
            assert source.silent() == []


def test_echo_goes_to_every_source_as_it_is(server: LocalServer) -> None:
    with StockSocket(server, "source") as first, StockSocket(server, "source") as second:
        first.receive()
        second.receive()
        first.send({"cmd": "echo", "data": [1, {"deep": None}]})
        for source in (first, second):
            assert source.receive() == {"cmd": "echo", "data": [1, {"deep": None}]}


def test_readonly_drops_every_command(serve: Serve) -> None:
    server = serve(readonly=True)
    server.text("a", "one")
    with StockSocket(server) as page:
        assert page.register()[0]["readonly"] is True
        page.send({"cmd": "close", "data": "a", "eid": "main"})
        page.send({"cmd": "delete_env", "eid": "main"})
        page.send({"cmd": "save_layouts", "data": "x"})
        server.text("b", "two")
        page.receive_command("window")
        assert list(server.windows()) == ["a", "b"]
        assert server.app.layouts == ""


@pytest.mark.parametrize("window", [{}, [], "text", 7, None, {"i": "first"}, {"i": None}, {"id": 4, "title": 7}])
def test_a_window_that_is_none_does_not_stop_the_others(server: LocalServer, window: Any) -> None:
    """`/win_data` takes anything."""
    server.text("a", "one")
    server.post("/win_data", {"win": "odd", "eid": "main", "data": json.dumps(window)}).raise_for_status()
    with StockSocket(server) as page:
        page.register()
        stream = page.load("main")
        assert "a" in [message.get("id") for message in stream if isinstance(message, dict)]
        server.text("a", "two")
        assert page.receive_command("window")["content"] == "two"


# --- login, base_url, origins ---


def test_login_is_enforced_on_every_link(serve: Serve, records: Records) -> None:
    records.expect(f"{UNAUTHORIZED} (GET|POST) /((vis_)?socket_wrap|transport/status)")
    server = serve(login=ADA)
    with StockSocket(server) as page:
        assert commands(page.register()) == ["register", "layout_update", "env_update"]
    assert commands(StockPoll(server).query()) == ["register", "layout_update", "env_update"]
    assert StockPoll(server, "source").query() == [{"command": "alive", "data": "vis_alive"}]
    poll = StockPoll(server)
    server.http.cookies.clear()
    for role in ("browser", "source"):
        with StockSocket(server, role) as stranger:
            assert stranger.expect_close() == 4050
    assert server.get("/socket_wrap").status_code == UNAUTHORIZED
    assert server.post("/vis_socket_wrap", {"message_type": "init"}).status_code == UNAUTHORIZED
    assert server.post("/socket_wrap", {"message_type": "query", "sid": poll.sid}).status_code == UNAUTHORIZED
    assert server.post("/transport/poll", {}).json()["messages"] == [{"type": "close", "code": 4050, "reason": "unauthorized"}]
    assert server.get("/transport/status").status_code == UNAUTHORIZED


def test_every_endpoint_is_below_the_base_url(serve: Serve) -> None:
    server = serve(base_url="/board")
    with StockSocket(server) as page, StockSocket(server, "source") as source:
        page.register()
        server.text("a", "one")
        assert page.receive_command("window")["id"] == "a"
        assert source.receive()["command"] == "alive"
    assert commands(StockPoll(server).query())[0] == "register"
    assert StockPoll(server, "source").query()[0]["command"] == "alive"
    assert server.status()["version"]


def test_a_page_of_another_site_may_not_connect(server: LocalServer, records: Records) -> None:
    records.expect("refused a connection from origin")
    records.expect("403 (GET|POST)")
    for path in ("/socket", "/vis_socket"):
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            RawSocket(server, path, origin="http://evil.example")
    for path in ("/socket_wrap", "/vis_socket_wrap"):
        answer = server.http.post(server.url(path), data="{}", headers={"Origin": "http://evil.example"}, timeout=5)
        assert answer.status_code == 403


# --- /socket_wrap and /vis_socket_wrap ---


def test_polled_messages_are_in_order(server: LocalServer) -> None:
    page = StockPoll(server)
    assert commands(page.query()) == ["register", "layout_update", "env_update"]
    for win in ("c", "a", "b"):
        server.text(win, win)
    server.post("/env/main", {"sid": page.sid})
    stream = page.query()
    assert [message.get("id") for message in stream if message["command"] == "window"] == ["c", "a", "b"]
    assert commands(stream)[0] == "reload"
    assert [each for each in commands(stream) if each != "undo_state"][-1] == "layout"
    assert page.query() == []


def test_polled_windows_are_those_of_their_time_and_conflated(server: LocalServer) -> None:
    server.plot("p", [1])
    page = StockPoll(server)
    page.query()
    for number in range(3):
        server.append("p", 1 + number, number)
    (window,) = page.query()
    assert window["content"]["data"][0]["y"] == [1, 0, 1, 2]


def test_the_reasons_of_failure_are_visdoms(server: LocalServer) -> None:
    for role in ("browser", "source"):
        poll = StockPoll(server, role)

        def reason(**body: Any) -> Any:
            answer = poll.post(**body)  # noqa: B023
            assert answer["success"] is False
            return answer["reason"]

        assert reason(message_type="query", sid="nobody") == "closed"
        assert reason(message_type="send", sid="nobody", message="{}") == "closed"
        assert reason(message_type="send") == "no msg"
        assert reason(message_type="send", message=None) == "no msg"
        assert reason(message_type="dance") == "invalid"
        assert reason() == "invalid"
        for message in ("not json", "[]", "null", "[" * 50_000):
            assert poll.post(message_type="send", message=message) == {"success": True}
        assert poll.post(message_type="query")["success"] is True


@pytest.mark.parametrize("body", [None, 7, [], "x"])
def test_a_body_that_is_no_object_is_invalid(server: LocalServer, body: Any) -> None:
    for path in ("/socket_wrap", "/vis_socket_wrap"):
        answer = server.post(path, body)
        assert (answer.status_code, answer.json()["reason"]) == (200, "invalid")


def test_a_sid_serves_only_its_own_endpoint(server: LocalServer) -> None:
    page, source = StockPoll(server), StockPoll(server, "source")
    assert server.post("/vis_socket_wrap", {"message_type": "query", "sid": page.sid}).json()["reason"] == "closed"
    assert server.post("/socket_wrap", {"message_type": "query", "sid": source.sid}).json()["reason"] == "closed"


def test_a_poller_that_stops_is_forgotten_and_told_so(serve: Serve) -> None:
    server = serve(settings=QUICK)
    page = StockPoll(server)
    server.wait_sessions(0)
    assert page.post(message_type="query")["reason"] == "closed"
    assert server.app.transport.stock_polls == {}


def test_a_poller_that_queries_stays(serve: Serve) -> None:
    server = serve(settings=QUICK)
    page = StockPoll(server)
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        page.query()
    assert len(server.sessions()) == 1


def test_a_poller_that_loads_without_reading_costs_a_bounded_number_of_messages(serve: Serve) -> None:
    server = serve()
    page = StockPoll(server)
    for _ in range(3_000):
        server.run(lambda: server.app.transport.stock_pages.show(server.app.subs[page.sid].session, "env/main"))
        if page.sid not in server.app.transport.stock_polls:
            break
    peer = server.app.transport.stock_polls.get(page.sid)
    assert peer is None or len(peer.link.control) < 1_100


# --- heartbeat ---


def test_a_silent_websocket_is_pinged_then_ended(serve: Serve) -> None:
    server = serve(settings=QUICK)
    with RawSocket(server, "/socket") as page:
        began = time.monotonic()
        while True:
            opcode, _ = page.receive_frame()
            if opcode == websocket.ABNF.OPCODE_PING:
                break
        # websocket-client has answered the ping; now it is silent.
        server.wait_sessions(0)
        assert time.monotonic() - began < 15, "with the default settings it takes 20 s"
        assert server.status()["totals"]["closed_silent"] == 1


def test_a_websocket_that_answers_pings_stays(serve: Serve) -> None:
    server = serve(settings=QUICK)
    with RawSocket(server, "/vis_socket") as source:
        end = time.monotonic() + 1.2
        pings = 0
        while time.monotonic() < end:
            opcode, _ = source.receive_frame()
            pings += opcode == websocket.ABNF.OPCODE_PING
        assert pings >= 3
        assert len(server.sessions()) == 1


def test_dead_stock_clients_leave_nothing_behind(server: LocalServer) -> None:
    for number in range(20):
        page = RawSocket(server, "/socket", small=True)
        server.text("a", "x" * 100_000 + str(number))
        page.connection.sock.close()
        server.text("a", "y" * 100_000 + str(number))
    server.wait_sessions(0)
    assert list(server.status()["feeds"]) == ["events", "notifications"]
