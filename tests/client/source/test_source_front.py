"""The event stream of Visdom's client behind a front that answers for its server: nothing ends it, and no event is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.client.source.test_events import FAST, KINDS, Client, Page
from tests.support.front import Front, Reply, Request, page, passes
from tests.support.served import ADA
from tests.support.server import VisdomServer
from tests.support.wait import until
from visdom_transport.client.asking.backoff import Backoff
from visdom_transport.core.signature import SERVER_HEADER

HTML = {"Content-Type": "text/html; charset=UTF-8"}
JSON = {"Content-Type": "application/json"}
WAYS = {
    **{str(status): page(status) for status in (400, 401, 403, 404, 405, 413, 500, 502, 503, 530)},
    "429": page(429, Retry_After="0"),
    "500 with nothing": Reply(500, HTML),
    "400 with nothing": Reply(400, HTML),
    "a login page": page(200, "Sign in"),
    "a redirect to a login page": Reply(302, {"Location": "/__login"}),
    "the JSON of others": Reply(200, JSON, b'{"status": "ok"}'),
    "messages of others": Reply(200, JSON, b'{"messages": ["hello"]}'),
    "no messages at first": Reply(200, JSON, b'{"messages": []}'),
    "a welcome of nobody": Reply(200, JSON, b'{"messages": [{"type": "welcome"}]}'),
    "a reply that is cut": Reply(200, JSON, b'{"messages": [{"type": "wel'),
    "gzip that is none": Reply(200, JSON | {"Content-Encoding": "gzip"}, b'{"messages": []}'),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("server"), settings=FAST) as server:
        yield server


@pytest.fixture
def connect(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Client]]:
    caplog.set_level(logging.INFO)
    clients: list[Client] = []

    def make(port: int, kind: str = "poll", **options: Any) -> Client:
        clients.append(Client(port, kind, **options))
        clients[-1].vis.event_source._backoff = Backoff(first_s=0.02, most_s=0.1)
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def answer_for_a_while(front: Front, behave: Callable[[Request], Reply | None], times: int = 3) -> None:
    """Let the front answer for the server until it has been asked a few times."""
    count = len(front.seen)
    front.behave = behave
    until(lambda: len(front.seen) >= count + times, "the client asks again")
    front.behave = passes


@pytest.mark.parametrize("hides", [[], [SERVER_HEADER]], ids=["signed", "unsigned"])
def test_no_event_is_lost_whatever_a_front_says(hides: list[str], server: VisdomServer, connect: Callable[..., Client]) -> None:
    with Front(server.port, hides=hides) as front:
        client = connect(front.port)
        visitor = Page(server)
        expected = 0
        for name, way in WAYS.items():
            visitor.publish(expected)
            answer_for_a_while(front, lambda _: way)  # noqa: B023
            visitor.publish(expected + 1)
            expected += 2
            client.wait_for([*range(expected)])
            assert client.vis.socket_thread.is_alive(), name
        assert client.gaps == []


def test_a_path_that_is_blocked_does_not_make_a_server_one_without_our_protocol(
    server: VisdomServer, connect: Callable[..., Client]
) -> None:
    """In Visdom's own dialect the events of an outage would be lost."""
    with Front(server.port, hides=[SERVER_HEADER]) as front:
        client = connect(front.port)
        visitor = Page(server)
        for number, status in enumerate((404, 405, 500)):
            answer_for_a_while(front, lambda request: page(status) if request.path == "/transport/poll" else None)  # noqa: B023
            visitor.publish(number)
            client.wait_for([*range(number + 1)])
        assert [request.path for request in front.passed if request.path == "/vis_socket_wrap"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_front_that_asks_for_a_login_does_not_end_the_stream_and_its_secrets_are_not_told(
    kind: str, server: VisdomServer, connect: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    with Front(server.port) as front:
        front.behave = lambda _: page(401, "Who are you?", Set_Cookie="id=secret", WWW_Authenticate="Basic")
        client = connect(front.port, kind)
        until(lambda: len(front.seen) >= 5, "it asks again")
        assert client.vis.socket_thread.is_alive()
    said = [record.message for record in caplog.records if record.name == "visdom_transport.source"]
    assert len(said) == 1
    assert "something else answers in its place: 401 text/html titled 'Who are you?'" in said[0]
    assert "secret" not in said[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_redirect_is_followed(kind: str, server: VisdomServer, connect: Callable[..., Client]) -> None:
    with Front(server.port) as front:
        front.behave = lambda request: Reply(307, {"Location": server.url(request.path)})
        client = connect(front.port, kind)
        client.wait_alive()
        Page(server).publish(1)
        client.wait_for([1])


def test_a_login_is_not_taken_to_another_host(tmp_path: Any, connect: Callable[..., Client]) -> None:
    with VisdomServer(tmp_path, settings=FAST, login=ADA) as server, Front(server.port) as front:
        front.behave = lambda request: Reply(307, {"Location": f"http://localhost:{server.port}{request.path}"})
        client = connect(front.port, "websocket", username=ADA.username, password=ADA.password)
        until(lambda: len(front.seen) >= 4, "it asks again")
        assert not client.vis.socket_alive
        front.behave = passes
