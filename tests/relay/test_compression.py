"""A relay compresses what it sends, as its origin does."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.support.deflate import DeflateSocket, frames_of
from tests.support.own import OwnPoll
from tests.support.peer import Peer
from tests.support.raw import Closed
from tests.support.relayed import RelayServer
from tests.support.server import VisdomServer
from tests.support.wait import until
from visdom_transport.links.deflate import AGREED

POINTS = [random.Random(3).gauss(0, 1) for _ in range(2_000)]


def test_a_snapshot_is_compressed_for_who_takes_that(origin: VisdomServer, relay: RelayServer) -> None:
    origin.plot("loss", POINTS)
    origin.text("large", "a text that goes in pieces " * 60_000)
    for _ in range(2):
        peer = Peer("env/main")
        with DeflateSocket(relay) as client:
            assert client.agreed == AGREED
            assert client.hello("env/main")["compression"] == "deflate"
            frames = frames_of(client, peer, origin)
            assert all(frame.compressed == (len(frame.text) >= 1_000) for frame in frames)
            assert client.bytes < 0.3 * sum(len(frame.text) for frame in frames)


def test_a_poll_is_answered_compressed(origin: VisdomServer, relay: RelayServer) -> None:
    origin.plot("loss", POINTS)
    hello = {"type": "hello", "role": "browser", "compression": ["deflate"], "feeds": {"env/main": None}}

    def opening(coding: str) -> requests.Response:
        body = {"link": None, "messages": [hello]}
        return requests.post(relay.url("/transport/poll"), json=body, headers={"Accept-Encoding": coding}, timeout=10)

    opening("deflate")  # the relay may not have it yet
    OwnPoll(relay, "env/main").converge()
    packed, plain = opening("deflate"), opening("identity")
    assert packed.headers["Content-Encoding"] == "deflate"
    assert "Content-Encoding" not in plain.headers
    assert int(packed.headers["Content-Length"]) < 0.6 * int(plain.headers["Content-Length"])
    assert [each["type"] for each in packed.json()["messages"]][-1] == "batch"
    welcomes = [answer.json()["messages"][0]["compression"] for answer in (packed, plain)]
    assert welcomes == ["deflate", None]


def test_it_can_be_turned_off(origin: VisdomServer, relay_of: Callable[..., RelayServer]) -> None:
    origin.plot("loss", POINTS)
    with DeflateSocket(relay_of(origin, compression="off")) as client:
        assert client.agreed is None
        assert client.hello("env/main")["compression"] is None
        assert not any(frame.compressed for frame in frames_of(client, Peer("env/main"), origin))


def test_what_is_passed_on_is_plain(relay: RelayServer) -> None:
    with DeflateSocket(relay, own=False) as client:
        assert client.agreed is None


def test_what_a_viewer_sends_compressed_is_understood(relay: RelayServer) -> None:
    with DeflateSocket(relay) as client:
        client.send({"type": "hello", "role": "browser", "feeds": {}}, compressed=True)
        client.send({"type": "ping"}, compressed=True)
        said: list[Any] = [client.receive()["type"] for _ in range(3)]
        assert said == ["welcome", "source", "pong"]


def read_on(client: DeflateSocket) -> None:
    while True:
        client.receive_frame()


def test_what_is_not_compressed_as_it_says_ends_the_link(relay: RelayServer) -> None:
    with DeflateSocket(relay) as client:
        client.hello()
        client.send_frame(b"\x07garbage", True)
        with pytest.raises((Closed, ConnectionError)):
            read_on(client)
    until(lambda: relay.status()["totals"]["closed_protocol"] == 1, "it is counted", seen=relay.status)
