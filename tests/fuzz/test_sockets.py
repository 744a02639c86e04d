"""Bytes on real connections: frames as no client makes them, half of them, and heads of HTTP requests that are none.

The server answers or ends the connection, goes on serving others, and keeps nothing of it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.values import RAW, VALUES, examples, text_of
from tests.support.local import LocalServer
from tests.support.own import SUBPROTOCOL, OwnSocket
from tests.support.records import Records

Serve = Callable[..., LocalServer]

HELLO = b'{"type":"hello","role":"browser","feeds":{"env/main":null}}'
TIMEOUT_S = 2.0

OPCODES = st.sampled_from([0, 1, 1, 1, 2, 3, 7, 8, 9, 10, 11, 15])
PAYLOADS = st.one_of(
    st.sampled_from(
        [HELLO, b'{"type":"ping"}', b'{"cmd":"close"}', b"", b"\xff\xfe", b"\xc3", b"x" * 126, b"x" * 70_000, b"\x03\xe8"]
    ),
    RAW.map(lambda raw: raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass")),
    VALUES.map(lambda value: text_of(value).encode()),
)
FRAMES = st.fixed_dictionaries(
    {
        "opcode": OPCODES,
        "payload": PAYLOADS,
        "final": st.sampled_from([True, True, False]),
        "reserved": st.sampled_from([0, 0, 0, 1, 4, 7]),
        "masked": st.sampled_from([True, True, True, False]),
        "says": st.sampled_from([None, None, None, 0, 5, 126, 2**20, 2**40, 2**63, 2**64 - 1]),
        "sent": st.sampled_from([None, None, None, 1, 2, 7]),
    }
)
ENDPOINTS = st.sampled_from([("/socket", True), ("/socket", False), ("/vis_socket", True), ("/vis_socket", False)])


def frame(opcode: int, payload: bytes, *, final: bool, reserved: int, masked: bool, says: int | None, sent: int | None) -> bytes:
    """The bytes of a frame. It `says` another length than it has, or is `sent` only up to so many bytes."""
    length = len(payload) if says is None else says
    head = bytes([final << 7 | reserved << 4 | opcode])
    mask_bit = masked << 7
    if length < 126:
        head += bytes([mask_bit | length])
    elif length < 2**16:
        head += bytes([mask_bit | 126]) + struct.pack("!H", length)
    else:
        head += bytes([mask_bit | 127]) + struct.pack("!Q", length)
    # A mask of zeros leaves the payload as it is.
    return (head + (bytes(4) if masked else b"") + payload)[: sent if sent is not None else None]


class Target:
    """A server, and a page that must not notice anything."""

    def __init__(self, server: LocalServer, reader: OwnSocket) -> None:
        self.server = server
        self.reader = reader
        self.count = 0

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=TIMEOUT_S)

    def upgrade(self, connection: socket.socket, path: str, own: bool) -> None:
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.server.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            "Sec-WebSocket-Version: 13",
            *([f"Sec-WebSocket-Protocol: {SUBPROTOCOL}"] if own else []),
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4_096)
        assert answer.startswith(b"HTTP/1.1 101"), answer

    def serves(self) -> None:
        """Another client gets what is published."""
        self.count += 1
        self.server.text("w", f"{self.count}")
        self.reader.converge()


@pytest.fixture
def target(serve: Serve, records: Records) -> Any:
    for pattern in (
        r"tornado\.access",
        r"tornado\.general",
        "refused a connection from origin",
        r"ERROR: 4\d\d",
        "rendering",
    ):
        records.ignore(pattern)
    server = serve(settings={"grace_s": 0.5, "max_message_bytes": 50_000})
    with OwnSocket(server, "env/main") as reader:
        yield Target(server, reader)
        server.wait_sessions(1)


def test_whatever_frames_come_on_a_websocket(target: Target) -> None:
    @examples(60)
    @given(ENDPOINTS, st.booleans(), st.lists(FRAMES, max_size=6), st.booleans())
    def check(endpoint: tuple[str, bool], greets: bool, frames: list[dict[str, Any]], reads: bool) -> None:
        with target.connect() as connection:
            target.upgrade(connection, *endpoint)
            # The server may end the connection at any frame.
            with contextlib.suppress(ConnectionError):
                if greets:
                    connection.sendall(frame(1, HELLO, final=True, reserved=0, masked=True, says=None, sent=None))
                for each in frames:
                    connection.sendall(frame(**each))
                if reads:
                    connection.settimeout(0.02)
                    with contextlib.suppress(TimeoutError):
                        while connection.recv(65_536):
                            pass
        target.serves()

    check()


def test_a_fragmented_message_with_others_in_between(target: Target) -> None:
    whole = {"reserved": 0, "masked": True, "says": None, "sent": None}
    with target.connect() as connection:
        target.upgrade(connection, "/socket", True)
        connection.sendall(frame(1, HELLO[:10], final=False, **whole))
        connection.sendall(frame(9, b"are you there?", final=True, **whole))
        connection.sendall(frame(0, HELLO[10:20], final=False, **whole))
        connection.sendall(frame(10, b"", final=True, **whole))
        connection.sendall(frame(0, HELLO[20:], final=True, **whole))
        heard = b""
        while b"welcome" not in heard:
            heard += connection.recv(65_536)
        assert b"are you there?" in heard
    target.serves()


UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: %b\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
HEADS = st.one_of(
    st.sampled_from(
        [
            b"",
            b"\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /env/%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET //evil/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /static/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /static/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\nx",
            b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\n{}",
            b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: \xb2\r\n\r\n{}",
            b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            b"POST /transport/poll HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{",
            b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\r\n",
            UPGRADE % b"http://[",
            UPGRADE % b"null",
            b"POST /transport/poll HTTP/1.1\r\nHost: x\r\nOrigin: \xff\xfe://\r\nContent-Length: 2\r\n\r\n{}",
            b"POST /transport/poll HTTP/1.1\r\nHost: x\r\nOrigin: http://[\r\nContent-Length: 2\r\n\r\n{}",
            b"POST /transport/publish HTTP/1.1\r\nHost: x\r\nOrigin: http://[x]y:z\r\nContent-Length: 2\r\n\r\n{}",
            b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
            b"DELETE /events HTTP/1.1\r\nHost: x\r\n\r\n",
            b"HEAD /env/main HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5_000 + b"\r\n",
            b'GET / HTTP/1.1\r\nHost: x\r\nCookie: user_password="2|1:0|10:\xff"\r\n\r\n',
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ]
    ),
    st.builds(
        lambda method, path, name, value: b"%b %b HTTP/1.1\r\nHost: x\r\n%b: %b\r\n\r\n" % (method, path, name, value),
        st.sampled_from([b"GET", b"POST", b"PUT", b"get", b""]),
        st.binary(max_size=12).map(lambda path: b"/" + path),
        st.sampled_from(
            [b"Origin", b"Content-Type", b"Content-Length", b"Sec-WebSocket-Protocol", b"Cookie", b"Accept-Encoding", b""]
        ),
        st.binary(max_size=12),
    ),
    st.binary(max_size=60),
)


def test_whatever_is_said_in_the_place_of_a_request(target: Target) -> None:
    @examples(80)
    @given(HEADS, st.booleans())
    def check(head: bytes, reads: bool) -> None:
        with target.connect() as connection, contextlib.suppress(ConnectionError):
            connection.sendall(head)
            if reads:
                connection.settimeout(0.02)
                with contextlib.suppress(TimeoutError):
                    answer = connection.recv(65_536)
                    assert b"root:" not in answer
                    assert not answer.startswith(b"HTTP/1.1 5") or answer.startswith(b"HTTP/1.1 503"), (head, answer[:200])
        target.serves()

    check()
