"""Whom the origin does not let in, its relay does not either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.relay.readers import command
from tests.support.own import OwnPoll, OwnSocket
from tests.support.raw import RawSocket
from tests.support.relayed import RelayServer, origin_and_relay
from tests.support.served import ADA, Served
from tests.support.server import VisdomServer
from tests.support.wait import until

HELLO = {"type": "hello", "role": "browser", "session": None, "secret": None, "window": 4, "feeds": {"env/main": None}}

View = Callable[..., Any]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VisdomServer, RelayServer]]:
    """An origin that asks for a login, and its relay."""
    with origin_and_relay(tmp_path_factory, login=ADA) as pair:
        yield pair


@pytest.fixture
def origin(pair: tuple[VisdomServer, RelayServer]) -> VisdomServer:
    return pair[0]


@pytest.fixture
def relay(pair: tuple[VisdomServer, RelayServer]) -> RelayServer:
    pair[1].disconnect()
    return pair[1]


@pytest.fixture
def stranger(relay: RelayServer) -> Iterator[Served]:
    """The relay, for somebody without a login."""
    stranger = Served(relay.port)
    yield stranger
    stranger.disconnect()


def test_who_is_logged_in_is_served(origin: VisdomServer, relay: RelayServer, view: View) -> None:
    origin.text("note", "x")
    view(relay, "env/main").converge()


def test_who_is_not_is_not(stranger: Served) -> None:
    with RawSocket(stranger, "/socket", subprotocol="visdom-transport.v1") as reader:
        reader.send(HELLO)
        assert reader.expect_close() == 4050
    assert OwnPoll(stranger, "env/main").opening == [{"type": "close", "code": 4050, "reason": "unauthorized"}]
    assert stranger.get("/transport/status").status_code in (400, 401)
    assert stranger.post("/win_data", {"win": None, "eid": "main"}).status_code in (400, 401)


def test_a_link_is_of_no_use_without_the_login(relay: RelayServer, stranger: Served) -> None:
    reader = OwnPoll(relay, "env/main")
    reader.converge()
    reader.server = stranger
    assert [message["code"] for message in reader.poll()] == [4003]
    with RawSocket(stranger, "/socket", subprotocol="visdom-transport.v1") as socket:
        socket.send({**HELLO, "session": reader.welcome["session"], "secret": reader.welcome["secret"]})
        assert socket.expect_close() == 4050


def test_other_cookies_of_the_host_may_change(relay: RelayServer) -> None:
    reader = OwnPoll(relay, "env/main")
    relay.http.cookies.set("of_another_program", "1")
    reader.converge()


def test_a_session_is_of_no_use_without_its_secret(relay: RelayServer) -> None:
    reader = OwnPoll(relay, "env/main")
    with OwnSocket(relay, hello={}) as other:
        other.send({**HELLO, "session": reader.welcome["session"], "secret": "guessed"})
        assert other.expect_close() == 4051


def test_logging_out_ends_the_sessions_at_the_relay(relay: RelayServer) -> None:
    with OwnSocket(relay, "env/main") as reader:
        reader.converge()
        assert relay.post("/transport/logout", {}).json()["sessions_ended"] >= 1
        assert reader.expect_close() == 4050
    assert relay.get("/transport/status").status_code in (400, 401)


def test_pages_of_other_sites_are_refused(relay: RelayServer) -> None:
    with RawSocket(relay, "/socket", subprotocol="visdom-transport.v1", origin="http://elsewhere.example") as reader:
        reader.send(HELLO)
        assert reader.expect_close() == 4053
    foreign = {"Origin": "http://elsewhere.example"}
    assert relay.http.post(relay.url("/close"), data="{}", headers=foreign, timeout=20).status_code == 403


def test_a_read_only_origin_is_read_only_behind_a_relay(tmp_path: Path, view: View) -> None:
    (tmp_path / "origin").mkdir()
    (tmp_path / "relay").mkdir()
    with VisdomServer(tmp_path / "origin", readonly=True) as origin, RelayServer(tmp_path / "relay", origin) as relay:
        reader = view(relay, "env/main")
        assert reader.welcome["readonly"] is True
        assert command(reader, 1, cmd="save_layouts", data="x")["error"]["code"] == "readonly"


def test_a_relay_without_the_login_of_its_origin_tells_why(origin: VisdomServer, tmp_path: Path) -> None:
    relay = RelayServer(tmp_path, origin)
    relay.login = None
    with relay:
        until(lambda: "asks for a login" in relay.log(), "it says what is missing", seen=relay.log)
        assert requests.get(relay.url("/transport/status"), timeout=20).status_code in (400, 401)
