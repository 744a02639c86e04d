"""The WebSocket of a source, spoken to by hand: what arrives in parts, several at once, or is no text."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import websocket

from visdom_transport.client.source.events import EventListener
from visdom_transport.client.source.links import SUBPROTOCOL, Access, SocketLink
from visdom_transport.links.websocket import text_head

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TIMEOUT_S = 10.0


def accept(listener: socket.socket) -> socket.socket:
    """Answer one opening handshake (RFC 6455, section 4)."""
    connection, _ = listener.accept()
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += connection.recv(4_096)
    key = next(line.split(": ")[1] for line in request.decode().split("\r\n") if line.startswith("Sec-WebSocket-Key"))
    answer = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    connection.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {answer}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
    )
    return connection


@pytest.fixture
def way() -> Iterator[tuple[Any, Callable[[], socket.socket]]]:
    """A client of a server, and what waits for the server's end of its first connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool, requests.Session() as session:
        listener.settimeout(TIMEOUT_S)
        accepted = pool.submit(accept, listener)
        vis = SimpleNamespace(
            server="http://127.0.0.1",
            port=listener.getsockname()[1],
            base_url="",
            username=None,
            session=session,
            http_proxy_host=None,
            http_proxy_port=None,
            use_socket=False,
        )
        yield vis, lambda: accepted.result(TIMEOUT_S)


@pytest.fixture
def ends(way: tuple[Any, Callable[[], socket.socket]]) -> Iterator[tuple[SocketLink, socket.socket]]:
    """A link, and the server's end of its connection."""
    vis, accepted = way
    link = SocketLink(Access(vis), {"type": "hello"})
    with accepted() as server:
        yield link, server
    link.drop()
    link.release()


def test_a_connection_that_is_cut_before_the_first_word_is_given_back(way: tuple[Any, Callable[[], socket.socket]]) -> None:
    vis, accepted = way
    access = Access(vis)
    opened = access.open_socket()
    with accepted():
        opened.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(OSError, match="Broken pipe"):
            SocketLink(access, {"type": "hello"}, opened)
        assert opened.sock is None


def test_a_stream_that_is_closed_while_it_climbs_gives_back_what_it_climbed_to(
    way: tuple[Any, Callable[[], socket.socket]],
) -> None:
    vis, accepted = way
    listener = EventListener(vis)
    listener._climbed = opened = Access(vis).open_socket()
    with accepted():
        listener._run()
        assert opened.sock is None


def frame(message: Any) -> bytes:
    text = json.dumps(message).encode()
    return text_head(len(text)) + text


def test_a_part_of_a_message_is_a_sign_of_life(ends: tuple[SocketLink, socket.socket]) -> None:
    link, server = ends
    data = frame({"type": "batch", "events": ["x" * 100_000]})
    assert link.receive(0.01, {}) is None
    for part in (data[:1], data[1:5], data[5:70_000]):
        server.sendall(part)
        assert link.receive(0.5, {}) == []
        assert link.receive(0.01, {}) is None
    server.sendall(data[70_000:])
    assert link.receive(TIMEOUT_S, {}) == [{"type": "batch", "events": ["x" * 100_000]}]
    assert link.receive(0.01, {}) is None


def test_messages_that_arrive_at_once_are_taken_one_by_one(ends: tuple[SocketLink, socket.socket]) -> None:
    link, server = ends
    server.sendall(b"".join(frame({"n": number, "padding": "p" * 50_000}) for number in range(5)))
    received = [message for _ in range(5) for message in link.receive(TIMEOUT_S, {}) or []]
    assert [message["n"] for message in received] == list(range(5))


def test_a_large_message_is_checked_by_its_parser_alone(
    ends: tuple[SocketLink, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("websocket._abnf.validate_utf8", lambda data: pytest.fail("the slow check is used"))
    link, server = ends
    text = '"ä\u20ac"'.encode()
    server.sendall(text_head(len(text)) + text)
    assert link.receive(TIMEOUT_S, {}) == ["ä€"]
    server.sendall(text_head(6) + b'"a\xff b"')
    with pytest.raises(ValueError, match="utf-8"):
        link.receive(TIMEOUT_S, {})


def test_a_connection_that_ends_in_a_message_is_no_message(ends: tuple[SocketLink, socket.socket]) -> None:
    link, server = ends
    server.sendall(frame({"padding": "p" * 1_000})[:500])
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        link.receive(TIMEOUT_S, {})
