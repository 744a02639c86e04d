"""Compressed messages, over real sockets: what is agreed on, what is sent, and what clients send."""

from __future__ import annotations

import http.client
import json
import random
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.support.deflate import DeflateSocket, deflated, frames_of
from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.peer import Peer
from tests.support.raw import Closed
from tests.support.wait import until
from visdom_transport.core.packing import Fragment, Packed
from visdom_transport.links.deflate import AGREED

Serve = Callable[..., LocalServer]

POINTS = [random.Random(3).gauss(0, 1) for _ in range(2_000)]
TEXT = "a text that goes in pieces " * 60_000


def fill(server: LocalServer) -> None:
    for number in range(5):
        server.plot(f"plot{number}", POINTS)
    server.text("small", "one")
    server.text("large", TEXT)


@pytest.fixture
def peer() -> Peer:
    return Peer("env/main")


def test_a_snapshot_is_compressed_for_who_takes_that(server: LocalServer, peer: Peer) -> None:
    fill(server)
    with DeflateSocket(server) as client:
        assert client.agreed == AGREED
        assert client.hello("env/main")["compression"] == "deflate"
        frames = frames_of(client, peer, server)
        assert all(frame.compressed for frame in frames if len(frame.text) >= 1_000)
        assert not any(frame.compressed for frame in frames if len(frame.text) < 1_000)
        assert client.bytes < 0.3 * sum(len(frame.text) for frame in frames)
        server.text("small", "two")
        live = frames_of(client, peer, server)
        assert not any(frame.compressed for frame in live), "what is small is not"


@pytest.mark.parametrize(
    ("offer", "compression", "agreed"),
    [
        (None, ("deflate",), None),
        ("permessage-deflate", (), AGREED),
        ("permessage-deflate", ("zstd",), AGREED),
        ("permessage-deflate; server_max_window_bits=9", ("deflate",), None),
    ],
)
def test_others_get_plain_text(
    server: LocalServer, peer: Peer, offer: str | None, compression: tuple[str, ...], agreed: str | None
) -> None:
    fill(server)
    with DeflateSocket(server, offer=offer) as client:
        assert client.agreed == agreed
        assert client.hello("env/main", compression=compression)["compression"] is None
        assert not any(frame.compressed for frame in frames_of(client, peer, server))


def test_it_can_be_turned_off(serve: Serve, peer: Peer) -> None:
    server = serve(settings={"compression": "off"})
    fill(server)
    with DeflateSocket(server) as client:
        assert client.agreed is None
        assert client.hello("env/main")["compression"] is None
        frames_of(client, peer, server)
    poll = OwnPoll(server, "env/main", hello={"compression": ["deflate"]})
    assert poll.welcome["compression"] is None


def test_clients_of_stock_visdom_get_plain_text(server: LocalServer) -> None:
    fill(server)
    with DeflateSocket(server, own=False) as client:
        assert client.agreed is None
        client.send({"cmd": "echo"})
        server.plot("plot1", POINTS)
        said = [client.receive_frame() for _ in range(3)]
        assert not any(frame.compressed for frame in said)


def test_what_a_client_sends_compressed_is_understood(server: LocalServer) -> None:
    with DeflateSocket(server) as client:
        client.send({"type": "hello", "role": "browser", "feeds": {}}, compressed=True)
        assert client.receive()["type"] == "welcome"
        for _ in range(3):
            client.send({"type": "ping"}, compressed=True)
            assert client.receive() == {"type": "pong"}
            client.send({"type": "ping"})
            assert client.receive() == {"type": "pong"}


def test_a_message_that_grows_beyond_the_limit_ends_the_link(serve: Serve) -> None:
    server = serve(settings={"max_message_bytes": 10_000})
    for size, code in ((15_000, 4052), (10_000_000, 1009)):
        with DeflateSocket(server) as client:
            client.hello()
            client.send_frame(deflated(b'"' + b" " * size + b'"'), True)
            with pytest.raises(Closed) as closed:
                client.receive()
            assert closed.value.code == code
    with DeflateSocket(server) as client:
        client.hello()


@pytest.mark.parametrize("payload", [b"\x07garbage", b"\xff" * 50, b"\x00\x05\x00"], ids=["garbage", "ones", "cut"])
def test_what_is_not_compressed_as_it_says_ends_the_link(server: LocalServer, payload: bytes) -> None:
    with DeflateSocket(server) as client:
        client.hello()
        client.send_frame(payload, True)
        with pytest.raises((Closed, ConnectionError)):
            client.receive()
    server.wait_sessions(1, link=None)
    assert server.status()["totals"]["closed_protocol"] == 1


def test_a_frame_that_claims_to_be_compressed_without_an_agreement_ends_the_link(server: LocalServer) -> None:
    with DeflateSocket(server, offer=None) as client:
        client.hello()
        client.send({"type": "ping"}, compressed=True)
        with pytest.raises((Closed, ConnectionError)):
            client.receive()
    server.wait_sessions(1, link=None)


# --- what is shared, and what waits ---


class Packing:
    """Every fragment that is compressed, and a gate that the compressing of large ones waits at."""

    def __init__(self) -> None:
        self.packed: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.threads: set[str] = set()
        self._original = Fragment.pack

    def pack(self, fragment: Fragment) -> Packed:
        if fragment.size >= 1_000:
            self.threads.add(threading.current_thread().name)
            self.packed.append(fragment.size)
            if threading.current_thread().name.startswith("visdom-transport-packer"):
                assert self.gate.wait(10)
        return self._original(fragment)


@pytest.fixture
def packing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Packing]:
    packing = Packing()
    monkeypatch.setattr(Fragment, "pack", lambda fragment: packing.pack(fragment))
    yield packing
    packing.gate.set()


def test_a_value_is_compressed_once_for_everybody(server: LocalServer, packing: Packing) -> None:
    fill(server)
    counts = []
    for polls in (False, False, True, True):
        if polls:
            client = OwnPoll(server, "env/main", hello={"compression": ["deflate"]})
            client.converge()
        else:
            with DeflateSocket(server) as socket:
                socket.hello("env/main")
                frames_of(socket, Peer("env/main"), server)
        counts.append(len([size for size in packing.packed if size > 10_000]))
    assert counts[0] > 5
    assert set(counts) == {counts[0]}
    assert any(name.startswith("visdom-transport-packer") for name in packing.threads)


def test_large_values_are_compressed_beside_the_loop_and_nothing_overtakes_them(server: LocalServer, packing: Packing) -> None:
    fill(server)
    packing.gate.clear()
    with DeflateSocket(server) as client, DeflateSocket(server) as other:
        client.hello("env/main")
        assert client.receive()["type"] == "subscribed"
        until(lambda: len(packing.packed) > 0, "something is compressed")
        client.send({"type": "ping"})
        server.text("small", "two")
        other.hello("shared")
        kinds = [other.receive()["type"] for _ in range(2)]
        assert kinds == ["subscribed", "batch"], "others are served meanwhile"
        with pytest.raises(TimeoutError):
            client.receive_frame(0.2)
        packing.gate.set()
        types = []
        while types[-1:] != ["pong"]:
            types.append(client.receive()["type"])
        assert types[0] == "batch"


def test_a_link_may_end_while_something_is_compressed(server: LocalServer, packing: Packing) -> None:
    fill(server)
    packing.gate.clear()
    with DeflateSocket(server) as gone, DeflateSocket(server) as replaced:
        gone.hello("env/main")
        welcome = replaced.hello("env/main")
        until(lambda: len(packing.packed) > 0, "something is compressed")
        identity = {name: welcome[name] for name in ("session", "secret")}
        with OwnSocket(server, hello={}) as newer:
            newer.send({"type": "hello", "role": "browser", **identity, "feeds": {}})
            assert replaced.expect_close() == 4000, "it need not wait for that"
            newer.receive_type("welcome")
    packing.gate.set()
    with DeflateSocket(server) as client:
        client.hello("env/main")
        frames_of(client, Peer("env/main"), server)


# --- polls ---


def poll_raw(server: LocalServer, body: Any, **headers: str) -> requests.Response:
    response = requests.post(server.url("/transport/poll"), json=body, headers=headers, timeout=10, stream=True)
    response.raise_for_status()
    return response


def opening(*feeds: str) -> dict[str, Any]:
    hello = {"type": "hello", "role": "browser", "compression": ["deflate"], "feeds": dict.fromkeys(feeds)}
    return {"link": None, "secret": None, "wait_s": 0, "feeds": dict.fromkeys(feeds), "messages": [hello]}


@pytest.mark.parametrize(("accepted", "compressed"), [("gzip, deflate, br", True), ("gzip", False), ("deflate;q=0", False)])
def test_polls_are_compressed_for_who_takes_that(server: LocalServer, accepted: str, compressed: bool) -> None:
    for number in range(20):
        server.plot(f"plot{number}", POINTS)
    response = poll_raw(server, opening("env/main"), **{"Accept-Encoding": accepted})
    body = response.raw.read(decode_content=False)
    assert response.headers.get("Content-Encoding") == ("deflate" if compressed else None)
    assert int(response.headers["Content-Length"]) == len(body)
    text = zlib.decompress(body) if compressed else body
    welcome, *rest = json.loads(text)["messages"]
    assert welcome["compression"] == ("deflate" if compressed else None)
    assert welcome["secret"].encode() in body, "it is not compressed with what others have made"
    batches = [message for message in rest if message["type"] == "batch"]
    held = {entry["key"]: entry["value"] for batch in batches for entry in batch["entries"]}
    windows = server.windows()
    assert held == {key: windows[key] for key in held}
    assert len(held) > 5
    assert len(body) < (0.5 if compressed else 1.1) * len(text)


def test_a_poll_that_does_not_take_it_gets_plain_text_also_later(server: LocalServer) -> None:
    client = OwnPoll(server, "env/main", hello={"compression": ["deflate"]})
    assert client.welcome["compression"] == "deflate"
    fill(server)
    response = poll_raw(server, client.body(1), **{"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in response.headers
    assert [message["type"] for message in response.json()["messages"]] == ["batch"] * len(response.json()["messages"])
    small = poll_raw(server, opening("notifications"), **{"Accept-Encoding": "deflate"})
    assert "Content-Encoding" not in small.headers


def test_polls_follow_live_changes(server: LocalServer) -> None:
    fill(server)
    client = OwnPoll(server, "env/main", hello={"compression": ["deflate"]})
    client.converge()
    for number in range(5):
        server.text("large", f"{number} {TEXT}")
        server.append("plot1", 2_000 + number, 0.5)
        client.converge()


def test_a_front_that_takes_off_headers_gets_what_is_not_coded(server: LocalServer) -> None:
    """It hands on what the browser takes, and keeps what the answer is coded with for itself."""
    for number in range(20):
        server.plot(f"plot{number}", POINTS)
    front = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        # Which sends no Connection by itself.
        front.request("POST", "/transport/poll", json.dumps(opening("env/main")), {"Accept-Encoding": "gzip, deflate"})
        answer = front.getresponse()
        assert answer.headers["Content-Encoding"] is None
        assert json.loads(answer.read())["messages"][0]["type"] == "welcome"
    finally:
        front.close()
