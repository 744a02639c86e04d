"""Which requests are let in: by host, by the page they come from, and by size. And what the others are told."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import websocket
from tornado.routing import PathMatches

from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.raw import RawSocket
from tests.support.records import Records

Serve = Callable[..., LocalServer]

EVIL = "http://evil.example"


def patterns(router: Any) -> Iterator[str]:
    """The path of every route of an application."""
    for rule in router.rules:
        if isinstance(rule.matcher, PathMatches):
            yield "/" + rule.matcher.regex.pattern.rstrip("$").replace("(.*)", "x").removeprefix("/")
        elif hasattr(rule.target, "rules"):
            yield from patterns(rule.target)


def routes(server: LocalServer) -> list[str]:
    found = sorted({path for path in patterns(server.app.default_router) if "static" not in path})
    assert {"/events", "/update", "/env/x", "/win_data", "/delete_env", "/embedding", "/transport/publish"} <= set(found)
    return found


def refused(answer: requests.Response) -> bool:
    if answer.status_code == 200 and answer.text.startswith("{"):
        (message,) = answer.json().get("messages")
        return message.pop("message") != "" and message == {"type": "close", "code": 4053, "reason": "origin"}
    return answer.status_code == 403 and answer.json()["error"]["code"] == "origin"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    ],
    ids=str,
)
def test_no_route_takes_what_a_page_of_another_site_posts(server: LocalServer, records: Records, headers: dict[str, str]) -> None:
    """Every route of this Visdom and of ours, those of later ones as well."""
    records.expect("refused a connection from origin")
    records.ignore("403 (POST|PUT|DELETE)")
    server.text("w", "mine")
    before = server.windows(), server.run(lambda: list(server.app.state))
    for path in routes(server):
        for method in ("POST", "PUT", "DELETE"):
            body = '{"data": [{"type": "text", "content": "x"}], "win": "w", "eid": "x", "data": "{}"}'
            answer = server.http.request(method, server.url(path), data=body, headers=headers, timeout=20)
            assert refused(answer), (method, path, answer.status_code, answer.text[:200])
    assert (server.windows(), server.run(lambda: list(server.app.state))) == before


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://127.0.0.1:{port}"}, {"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {"Sec-Fetch-Site": "none"}],
    ids=str,
)
def test_what_comes_from_no_page_or_from_our_own_is_let_in(server: LocalServer, headers: dict[str, str]) -> None:
    headers = {name: value.format(port=server.port) for name, value in headers.items()}
    body = '{"data": [{"type": "text", "content": "x"}], "win": "w"}'
    answer = server.http.post(server.url("/events"), data=body, headers=headers, timeout=20)
    assert (answer.status_code, answer.text) == (200, "w")


SAME = [
    ("vis.example:443", "https://vis.example"),
    ("vis.example:80", "http://vis.example"),
    ("vis.example", "https://vis.example:443"),
    ("[::1]:80", "http://[::1]"),
    ("[0:0:0:0:0:0:0:1]:8097", "http://[::1]:8097"),
    ("Vis.Example.:8097", "http://vis.example:8097"),
    ("vis.example:8097", "HTTP://VIS.example.:8097"),
]
OTHERS = [
    ("vis.example:8097", "https://vis.example"),
    ("vis.example:443", "http://vis.example"),
    ("vis.example:443", "https://vis.example:8443"),
    ("vis.example", "https://evil.example"),
    ("vis.example", "https://vis.example.evil.example"),
    ("vis.example", "https://evil.example@vis.example"),
    ("vis.example", "https://vis.example/"),
    ("vis.example", "vis.example"),
    ("vis.example:x", "http://vis.example:x"),
]


@pytest.mark.parametrize(("host", "origin"), SAME)
def test_hosts_and_origins_that_mean_the_same_are_the_same(server: LocalServer, host: str, origin: str) -> None:
    headers = {"Host": host, "Origin": origin}
    assert server.http.post(server.url("/win_exists"), data='{"win": "w"}', headers=headers, timeout=20).text == "false"


@pytest.mark.parametrize(("host", "origin"), OTHERS)
def test_hosts_and_origins_that_differ_are_refused(server: LocalServer, records: Records, host: str, origin: str) -> None:
    records.ignore("refused a connection|403 POST")
    assert refused(server.http.post(server.url("/win_exists"), data="{}", headers={"Host": host, "Origin": origin}, timeout=20))


def test_a_page_that_is_refused_is_told_the_setting_and_let_in_with_it(serve: Serve, records: Records) -> None:
    records.ignore("refused a connection|403 POST")
    headers = {"Host": "localhost:8097", "Origin": "https://name.front.example"}
    server = serve(settings={"allowed_origins": "https://other.example"})
    hello = {"link": None, "secret": None, "wait_s": 0, "feeds": {}, "messages": []}
    (message,) = server.http.post(server.url("/transport/poll"), json=hello, headers=headers, timeout=20).json()["messages"]
    setting, value = message["message"].split()[-1].split("=")
    assert setting == "VISDOM_TRANSPORT_ALLOWED_ORIGINS"
    again = serve(settings={"allowed_origins": value})
    for origin in ("https://name.front.example", "https://NAME.front.example.:443", "https://other.example"):
        asked = {"Host": "localhost:8097", "Origin": origin}
        assert again.http.post(again.url("/win_exists"), data='{"win": "w"}', headers=asked, timeout=20).text == "false"


def test_a_reply_that_repeats_what_was_sent_is_no_page(server: LocalServer, records: Records) -> None:
    records.ignore("400 POST")
    win = "<script>alert(1)</script>"
    text = {"data": [{"type": "text", "content": "x"}], "win": win}
    for path, body in (("/events", text), ("/update", text | {"append": True}), ("/close", {"win": win})):
        answer = server.post(path, body)
        assert answer.ok
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert server.post("/update", {"win": [win]}).headers["Content-Type"].startswith("application/json")


def test_an_origin_of_the_settings_is_let_in_through_every_door(serve: Serve) -> None:
    server = serve(settings={"allowed_origins": "https://vis.example"})
    headers = {"Origin": "https://vis.example", "Sec-Fetch-Site": "cross-site"}
    body = '{"data": [{"type": "text", "content": "x"}], "win": "w"}'
    assert server.http.post(server.url("/events"), data=body, headers=headers, timeout=20).text == "w"
    with RawSocket(server, "/socket", origin="https://vis.example") as page:
        assert page.receive()["command"] == "register"


def test_a_page_of_another_site_begins_no_session(server: LocalServer, records: Records) -> None:
    records.expect("refused a connection from origin")
    records.ignore("403 GET")
    for headers in ({"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}):
        assert refused(server.http.get(server.url("/socket_wrap"), headers=headers, timeout=20))
    for subprotocol in (None, "visdom-transport.v1"):
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            RawSocket(server, "/socket", subprotocol=subprotocol, origin=EVIL)
    assert server.sessions() == []
    # A page may be linked to, and what it may read the browser decides.
    assert server.http.get(server.url("/transport/status"), headers={"Sec-Fetch-Site": "cross-site"}, timeout=20).ok


def test_a_refusal_is_logged_once_for_each_origin_and_counted_each_time(
    server: LocalServer, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    records.expect("VISDOM_TRANSPORT_ALLOWED_ORIGINS=http://evil.example")
    records.ignore("refused a connection|403 POST")
    for origin in (EVIL, EVIL, "http://other.example", EVIL):
        server.http.post(server.url("/events"), data="{}", headers={"Origin": origin}, timeout=20)
    lines = [each.getMessage() for each in caplog.records if each.name == "visdom_transport.clients"]
    assert [line.split()[0] for line in lines] == [EVIL, "http://other.example"]
    assert server.status()["totals"]["closed_origin"] == 4


# --- hosts ---


def test_another_name_than_the_settings_have_is_refused(serve: Serve, records: Records) -> None:
    records.expect("VISDOM_TRANSPORT_ALLOWED_HOSTS")
    records.ignore("403 GET")
    server = serve(settings={"allowed_hosts": "vis.example, other.example"})
    for host, status in (
        ("vis.example", 200),
        ("VIS.example:8097", 200),
        ("vis.example.", 200),
        ("127.0.0.1", 200),
        ("localhost:8097", 200),
        ("[::1]:80", 200),
        ("rebound.example", 403),
        ("vis.example.evil.example", 403),
        ("[", 403),
    ):
        answer = server.http.get(server.url("/transport/status"), headers={"Host": host}, timeout=20)
        assert answer.status_code == status, host
    assert server.status()["totals"]["refused_hosts"] == 3


def test_any_name_is_let_in_without_the_setting(server: LocalServer) -> None:
    assert server.http.get(server.url("/transport/status"), headers={"Host": "any.example"}, timeout=20).ok


# --- sizes ---


def test_a_body_above_the_setting_is_refused_by_its_name(serve: Serve, records: Records) -> None:
    records.ignore("413 POST")
    server = serve(settings={"max_body_bytes": 20_000, "max_message_bytes": 5_000})
    large = {"data": [{"type": "text", "content": "x" * 30_000}], "win": "w"}
    answer = server.post("/events", large)
    assert answer.status_code == 413
    assert "VISDOM_TRANSPORT_MAX_BODY_BYTES=20000" in answer.json()["error"]["message"]
    assert server.windows() == {}
    server.text("w", "x" * 10_000)
    answer = server.post("/vis_socket_wrap", {"padding": "x" * 6_000})
    assert answer.status_code == 413
    assert "VISDOM_TRANSPORT_MAX_MESSAGE_BYTES=5000" in answer.json()["error"]["message"]
    assert server.status()["totals"]["refused_bodies"] == 2


@pytest.mark.parametrize("path", ["/events", "/win_exists", "/embedding", "/socket_wrap", "/none"])
def test_a_body_that_does_not_announce_its_size_is_bounded_too(serve: Serve, records: Records, path: str) -> None:
    records.ignore("413 POST")
    server = serve(settings={"max_body_bytes": 20_000, "max_message_bytes": 20_000})
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"POST %b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" % path.encode())
        for _ in range(40):
            connection.sendall(b"%x\r\n%b\r\n" % (1_000, b"x" * 1_000))
        connection.sendall(b"0\r\n\r\n")
        answer = connection.recv(2_000)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"the body of more than 20000 bytes is larger than VISDOM_TRANSPORT_MAX_" in answer
    assert server.status()["totals"]["refused_bodies"] == 1
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        body = b'{"data": [{"type": "text", "content": "x"}], "win": "w"}'
        connection.sendall(b"POST /events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("length", [b"9" * 5_000, b"\xb2", b"-1", b"1, 1"], ids=["huge", "superscript", "negative", "list"])
def test_a_size_that_is_none_is_refused(server: LocalServer, records: Records, length: bytes) -> None:
    records.ignore("(400|413) POST")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %b\r\n\r\n{}" % length)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").readline()
        assert answer.split()[1:2] in ([b"400"], [b"413"], []), answer
    server.text("w", "still here")


def test_a_body_is_as_large_as_visdom_allows_without_the_setting(server: LocalServer) -> None:
    server.text("w", "x" * 12_000_000)
    assert len(server.windows()["w"]["content"]) == 12_000_000


def test_headers_are_bounded(server: LocalServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000)
        assert connection.recv(1_000) == b""


def test_a_message_that_is_too_large_ends_its_websocket_and_is_counted(serve: Serve) -> None:
    server = serve(settings={"max_message_bytes": 1_000})
    with OwnSocket(server) as client:
        client.send({"type": "ping", "padding": "x" * 1_500})
        assert client.expect_close() == 4052
    server.wait_sessions(1, link=None)
    assert server.status()["totals"]["closed_protocol"] == 1
    with OwnSocket(server) as client:
        client.send({"type": "ping", "padding": "x" * 3_000})
        assert client.expect_close() == 1009, "tornado's own bound"


def test_a_client_that_closes_is_not_counted(server: LocalServer) -> None:
    with OwnSocket(server) as client:
        client.connection.close()
        server.wait_sessions(1, link=None)
    with OwnSocket(server):
        pass
    server.wait_sessions(2, link=None)
    assert {name: count for name, count in server.status()["totals"].items() if name.startswith("closed_") and count} == {}


# --- how many ---


def test_one_address_has_so_many_places_on_all_links_together(serve: Serve, records: Records, caplog: Any) -> None:
    records.expect("VISDOM_TRANSPORT_MAX_ADDRESS_SESSIONS=3")
    server = serve(settings={"max_address_sessions": 3})
    with OwnSocket(server), RawSocket(server, "/socket") as stock, OwnSocket(server, hello={}) as silent:
        stock.receive()
        with OwnSocket(server, hello={}) as fourth:
            assert fourth.expect_close() == 4005
        with RawSocket(server, "/vis_socket") as fourth:
            assert fourth.expect_close() == 4005
        assert OwnPoll(server).welcome == {"type": "close", "code": 4005, "reason": "limit"}
        assert server.post("/vis_socket_wrap", {}).json()["reason"] == "closed"
        assert server.status()["totals"]["closed_limit"] == 4
        lines = [each.getMessage() for each in caplog.records if "closed_limit" in each.getMessage()]
        assert len(lines) == 1, "once for this address"
        silent.send({"type": "hello", "role": "browser", "feeds": {}})
        assert silent.receive_type("welcome")["resumed"] is False, "who waited keeps the place"
    server.wait_sessions(2)
    assert OwnPoll(server).welcome["type"] == "welcome"


def test_a_websocket_that_never_says_hello_is_ended(serve: Serve) -> None:
    server = serve(settings={"heartbeat_s": 0.1, "dead_after_s": 0.4, "poll_wait_s": 0.2})
    with OwnSocket(server, hello={}) as client:
        assert client.expect_close() == 4002
    assert server.status()["totals"]["waiting_links"] == 0


def test_a_stock_page_that_floods_is_refused_and_then_ended(serve: Serve, records: Records) -> None:
    records.ignore("closed_limit")
    server = serve(settings={"max_commands_per_s": 1, "max_messages_per_s": 3})
    with RawSocket(server, "/socket") as page:
        page.receive()
        for _ in range(40):
            page.send({"cmd": "layout_item_update", "eid": "main", "win": "w", "data": {}})
        assert page.expect_close() == 4005
    totals = server.status()["totals"]
    assert (totals["refused_commands"], totals["closed_limit"]) == (20, 1)
    poll = server.post("/vis_socket_wrap", {}).json()
    answers = [
        server.post("/vis_socket_wrap", {"sid": poll["sid"], "message_type": "send", "message": '{"cmd": "echo"}'}).json()
        for _ in range(40)
    ]
    assert answers[0] == {"success": True}
    assert answers[-1]["reason"] == "closed"


def test_a_poll_that_says_too_much_is_ended(serve: Serve, records: Records) -> None:
    records.expect("VISDOM_TRANSPORT_MAX_MESSAGES_PER_S=1")
    server = serve(settings={"max_messages_per_s": 1})
    client = OwnPoll(server)
    assert client.send(*[{"type": "ping"}] * 20) == [{"type": "close", "code": 4005, "reason": "limit"}]
    assert client.poll() == [{"type": "close", "code": 4005, "reason": "limit"}]


def test_a_hostile_name_makes_no_lines_of_its_own_in_the_log(server: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with OwnSocket(server) as client:
        client.command(1, cmd="close", data="w", eid="a\nWARNING all is well\x1b[2J" + "x" * 1_000)
    (line,) = [each.getMessage() for each in caplog.records if "refused_commands" in each.getMessage()]
    assert line.isprintable()
    assert len(line) < 1_000
