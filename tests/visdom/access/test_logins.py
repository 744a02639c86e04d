"""A session belongs to the login it was opened with, and ends with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.raw import RawSocket
from tests.support.records import Records
from tests.support.served import ADA, Login, Served
from tests.support.stock_peers import StockPoll, StockSocket
from visdom_transport.visdom.access import logins

Serve = Callable[..., LocalServer]

UNAUTHORIZED = {"type": "close", "code": 4050, "reason": "unauthorized"}


VISITORS: list[Served] = []


def visitor(server: LocalServer, *, login: Login | None = None) -> Served:
    """The same server, for somebody with cookies of their own."""
    VISITORS.append(Served(server.port, login=login))
    assert VISITORS[-1].http is not None, "the login is made now"
    return VISITORS[-1]


@pytest.fixture
def server(serve: Serve, records: Records) -> Iterator[LocalServer]:
    records.ignore("40[01] (GET|POST)")
    yield serve(login=ADA)
    while VISITORS:
        VISITORS.pop().disconnect()


def another(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Somebody else's login. Visdom's cookie names the second, so two of the same second are one."""
    earlier = time.time() - 100
    monkeypatch.setattr("time.time", lambda: earlier)
    other = visitor(server, login=ADA)
    monkeypatch.undo()
    return other


def test_a_session_goes_on_with_another_login_that_opens_the_server(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cookies know no ports: a login at another server of the host takes the place of the one here."""
    other = another(server, monkeypatch)
    assert other.http.cookies["user_password"] != server.http.cookies["user_password"]
    poll = OwnPoll(server)
    poll.server = other
    assert poll.poll() == []
    with OwnSocket(other, session=poll.welcome) as theirs:
        assert theirs.welcome["resumed"] is True
        assert server.post("/transport/logout", {}).json() == {"sessions_ended": 0}
        assert theirs.ask({"type": "ping"}, "pong")
        assert other.post("/transport/logout", {}).json() == {"sessions_ended": 1}
        assert theirs.expect_close() == 4050


@pytest.mark.parametrize("request_", ["poll", "send"])
def test_a_poll_without_its_login_ends_the_session(server: LocalServer, request_: str) -> None:
    client = OwnPoll(server, "env/main")
    client.server = visitor(server)
    answer = client.poll() if request_ == "poll" else client.send({"type": "ping"})
    assert answer == [UNAUTHORIZED]
    assert server.sessions() == []
    client.server = server
    assert client.poll() == [UNAUTHORIZED], "it is over, with its login as well"


def test_a_stranger_who_knows_no_secret_ends_nothing(server: LocalServer) -> None:
    client = OwnPoll(server)
    stranger = visitor(server)
    for body in ({"link": client.link, "secret": "x"}, {"link": "x"}, {"link": None}, {}):
        (message,) = stranger.post("/transport/poll", body).json()["messages"]
        assert message["code"] in (4050, 4051)
    assert client.poll() == []
    assert server.status()["totals"]["closed_wrong_secret"] == 1


def test_logging_out_ends_the_login_everywhere(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    other = another(server, monkeypatch)
    copy = server.http.cookies["user_password"]
    server.text("w", "x")
    with OwnSocket(server) as mine, OwnSocket(other) as theirs, StockSocket(server) as page:
        page.register()
        poll, stock_poll = OwnPoll(server), StockPoll(server)
        held = visitor(server)
        held.http.cookies.set("user_password", copy)
        answer = server.post("/transport/logout", {})
        assert answer.json() == {"sessions_ended": 4}
        assert "user_password" not in server.http.cookies
        assert mine.expect_close() == 4050
        assert page.expect_close() == 4050
        assert theirs.ask({"type": "ping"}, "pong")
        poll.server = held
        assert poll.poll() == [UNAUTHORIZED]
        assert stock_poll.sid not in server.run(lambda: set(server.app.transport.stock_polls))
    # A copy of the cookie opens nothing any more, neither of ours nor of Visdom's.
    with RawSocket(held, "/socket") as stranger:
        assert stranger.expect_close() == 4050
    assert OwnPoll(held).welcome == UNAUTHORIZED
    assert held.post("/events", {}).status_code in (400, 401)
    assert held.post("/win_data", {"win": "w"}).text == ""
    assert other.post("/win_exists", {"win": "w"}).text == "true"


def test_who_has_no_login_cannot_log_out(server: LocalServer) -> None:
    with OwnSocket(server) as mine:
        assert visitor(server).post("/transport/logout", {}).status_code in (400, 401)
        assert mine.ask({"type": "ping"}, "pong")


def test_without_a_login_there_is_nothing_to_end(serve: Serve) -> None:
    server = serve()
    with OwnSocket(server) as client:
        assert server.post("/transport/logout", {}).json() == {"sessions_ended": 0}
        assert client.ask({"type": "ping"}, "pong")


def test_a_stock_poll_of_another_login_is_closed_to_it(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    poll = StockPoll(server)
    other = another(server, monkeypatch)
    assert other.post("/socket_wrap", {"sid": poll.sid, "message_type": "query"}).json()["reason"] == "closed"
    assert poll.query()


def test_ended_logins_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "MAX_ENDED", 2)
    ended = logins.Logins()
    for login in "abc":
        ended.end(login)
    assert [ended.has_ended(login) for login in "abc"] == [False, True, True]
