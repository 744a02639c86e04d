"""What is not a relay's own goes through it to the origin as if it were not there."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator

import pytest
import requests

from tests.support.own import OwnPoll, OwnSocket
from tests.support.relayed import FAST, RelayServer, origin_and_relay
from tests.support.server import VisdomServer
from tests.support.stock_peers import StockPoll, StockSocket
from tests.support.wait import until

SETTINGS = {**FAST, "max_body_bytes": 8_000_000}

CLICK = {"cmd": "forward_to_vis", "data": {"event_type": "Click", "target": "note", "eid": "main", "pane_data": False}}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VisdomServer, RelayServer]]:
    """An origin below a base URL, and its relay."""
    with origin_and_relay(tmp_path_factory, SETTINGS, base_url="/lab") as pair:
        yield pair


@pytest.fixture
def origin(pair: tuple[VisdomServer, RelayServer]) -> VisdomServer:
    return pair[0]


@pytest.fixture
def relay(pair: tuple[VisdomServer, RelayServer]) -> RelayServer:
    return pair[1]


@pytest.mark.parametrize("path", ["/", "/env/main", "/transport/runtime.js", "/no/such/page", "/env_state"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_is_that_of_the_origin(origin: VisdomServer, relay: RelayServer, path: str, method: str) -> None:
    ours, theirs = (server.http.request(method, server.url(path), timeout=20) for server in (relay, origin))
    assert ours.status_code == theirs.status_code
    assert ours.content == theirs.content
    for name in ("Content-Type", "Content-Length", "Content-Encoding", "Etag", "Cache-Control", "Server"):
        assert ours.headers.get(name) == theirs.headers.get(name), name
    assert len(ours.raw.headers.getlist("Date")) == 1


def test_what_a_page_has_already_is_not_sent_again(relay: RelayServer) -> None:
    first = relay.get("/static/css/style.css")
    assert first.status_code == 200
    again = relay.http.get(relay.url("/static/css/style.css"), headers={"If-None-Match": first.headers["Etag"]}, timeout=20)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("chunked", [False, True])
def test_large_windows_go_through(origin: VisdomServer, relay: RelayServer, chunked: bool) -> None:
    text = "x" * 3_000_000
    body = b'{"data":[{"type":"text","content":"%b"}],"win":"large","eid":"main","opts":{}}' % text.encode()
    data = iter([body[:100], body[100:]]) if chunked else body
    assert relay.http.post(relay.url("/events"), data=data, timeout=20).text == "large"
    assert origin.windows()["large"]["content"] == text
    assert relay.windows() == origin.windows()


def test_what_is_too_large_is_refused_by_the_origin(relay: RelayServer) -> None:
    answer = relay.http.post(relay.url("/events"), data=b"x" * 9_000_000, timeout=20)
    assert answer.status_code == 413
    assert "8000000" in answer.text


def test_half_a_request_is_none(origin: VisdomServer, relay: RelayServer) -> None:
    head = b"POST /lab/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 500000\r\n\r\n" % relay.port
    body = b'{"data":[{"type":"text","content":"half"}],"win":"half","eid":"main","opts":{}}'
    with socket.create_connection(("127.0.0.1", relay.port)) as connection:
        connection.sendall(head + body + b" " * 200_000)
    relay.text("whole", "x")
    until(lambda: "whole" in origin.windows(), "what came later is there")
    assert "half" not in origin.windows()


def test_requests_go_on_over_one_connection(relay: RelayServer) -> None:
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(relay.url("/static/css/style.css"), timeout=20).status_code == 200


@pytest.mark.parametrize("link", [OwnSocket, OwnPoll])
def test_sources_read_events_of_pages(relay: RelayServer, link: type[OwnSocket] | type[OwnPoll]) -> None:
    source = link(relay, "events", role="source")
    with OwnSocket(relay, "env/main") as page:
        assert page.command(1, **CLICK)["error"] is None
    if isinstance(source, OwnSocket):
        source.until(lambda: bool(source.replicas.events.get("events")), "the event")
        source.close()
    else:
        until(lambda: source.poll(0.5) and source.replicas.events.get("events"), "the event")
    assert source.replicas.events["events"][0]["event_type"] == "Click"


def test_pages_of_stock_are_served(origin: VisdomServer, relay: RelayServer) -> None:
    origin.text("note", "x")
    with StockSocket(relay) as page:
        page.register()
        assert any(message.get("id") == "note" for message in page.load("main"))
        relay.text("note", "y")
        page.windows_until(lambda held: held.get("note", {}).get("content") == "y", "the note")
        page.send({"cmd": "close", "data": "note", "eid": "main"})
        until(lambda: "note" not in origin.windows(), "it is closed")


def test_polls_of_stock_are_served(origin: VisdomServer, relay: RelayServer) -> None:
    page = StockPoll(relay)
    origin.text("note", "x")
    found: list[object] = []
    until(lambda: found.extend(page.query()) or [each for each in found if '"note"' in str(each) or "'note'" in str(each)], "it")


def test_a_stock_source_hears_that_it_is_connected(relay: RelayServer) -> None:
    with StockSocket(relay, "source") as source:
        assert source.receive() == {"command": "alive", "data": "vis_alive"}


def test_what_is_compressed_stays_so(relay: RelayServer) -> None:
    headers = {"Accept-Encoding": "gzip"}
    answer = requests.get(relay.url("/static/js/main.js"), headers=headers, stream=True, timeout=20)
    raw = answer.raw.read(decode_content=False)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(gzip.decompress(raw)) > len(raw)
