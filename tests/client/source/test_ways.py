"""A source where WebSockets do not get through: it polls, loses nothing, and has a WebSocket again when there is one."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from visdom import Visdom

from tests.client.source.test_events import TARGET, Client, Page
from tests.support.proxy import FaultProxy
from tests.support.server import VisdomServer
from tests.support.wait import during, until
from visdom_transport.client.source import ways
from visdom_transport.client.source.links import Access

# Visdom's own client, at several places.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

SETTINGS = {"heartbeat_s": 1, "dead_after_s": 3, "poll_wait_s": 0.5}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("server"), settings=SETTINGS) as server:
        yield server


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "PAUSE_FIRST_S", 0.2)
    monkeypatch.setattr(ways, "PAUSE_MAX_S", 0.5)
    for name, seconds in (("WELCOME_S", 1.0), ("CLIMBED_S", 0.5)):
        monkeypatch.setattr(f"visdom_transport.client.source.events.{name}", seconds)
    monkeypatch.setattr("visdom_transport.client.source.links.CONNECT_TIMEOUT_S", 1.0)


def kinds(server: VisdomServer) -> list[str]:
    """By what the server's sources are connected."""
    sessions: list[dict[str, Any]] = server.get("/transport/status").json()["sessions"]
    return [each["link"] for each in sessions if each["role"] == "source" and each["link"] is not None]


@pytest.mark.parametrize("how", ["refuse", "swallow", "mute"])
def test_without_websockets_it_polls_and_climbs_back(server: VisdomServer, how: Any) -> None:
    page = Page(server)
    until(lambda: kinds(server) == [], "the sources of other tests are gone", timeout_s=20)
    with FaultProxy(server.port) as proxy:
        proxy.block_websockets(how)
        client = Client(proxy.port, "websocket")
        try:
            client.wait_alive()
            assert kinds(server) == ["poll"]
            page.publish(1, 2)
            client.wait_for([1, 2])
            proxy.allow_websockets()
            until(lambda: kinds(server) == ["websocket"], "it climbs", timeout_s=20, seen=lambda: kinds(server))
            page.publish(3)
            client.wait_for([1, 2, 3])
            # And down again.
            proxy.block_websockets("refuse" if how == "swallow" else how)
            page.publish(4)
            client.wait_for([1, 2, 3, 4], 30)
            assert client.gaps == []
        finally:
            client.close()
    until(lambda: not [each for each in threading.enumerate() if each.name == "Visdom-Socket-Climb"], "no thread is left")


def test_events_go_on_while_it_climbs(server: VisdomServer) -> None:
    page = Page(server)
    with FaultProxy(server.port) as proxy:
        proxy.block_websockets("mute")
        client = Client(proxy.port, "websocket")
        try:
            client.wait_alive()
            for number in range(10):
                page.publish(number)
                client.wait_for([*range(number + 1)])
            assert client.gaps == []
        finally:
            client.close()


def test_who_polls_by_choice_does_not_climb(server: VisdomServer) -> None:
    until(lambda: kinds(server) == [], "the sources of other tests are gone", timeout_s=20)
    client = Client(server.port, "poll")
    try:
        client.wait_alive()
        during(1.0, lambda: "websocket" not in kinds(server), "it polls")
    finally:
        client.close()


def choice(*steps: Callable[[ways.Choice], None]) -> bool:
    made = ways.Choice(always_poll=False)
    for step in steps:
        step(made)
    return made.polls


def fail(made: ways.Choice) -> None:
    made.failed(was_opened=False)


def test_a_websocket_is_judged_by_delivery() -> None:
    assert not choice(fail)
    assert choice(fail, fail)
    assert choice(lambda made: made.failed(was_opened=True))
    assert not choice(fail, ways.Choice.delivered, fail)
    # The server is away: nothing is known.
    assert not choice(fail, fail, lambda made: made.poll_failed(was_answered=False), fail)
    # Something answers polls in its place: they take turns.
    assert choice(fail, fail, lambda made: made.poll_failed(was_answered=True), fail)
    always = ways.Choice(always_poll=True)
    always.delivered()
    assert (always.polls, always.climbs) == (True, False)


class _ForwardProxy(http.server.BaseHTTPRequestHandler):
    """Takes plain HTTP, drops most headers and refuses CONNECT."""

    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", url.port, timeout=20)) as connection:
            connection.request("POST", url.path, body)
            reply = connection.getresponse()
            content = reply.read()
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Tests are silent."""


def test_behind_a_proxy_that_refuses_connect(server: VisdomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    front = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _ForwardProxy)
    front.daemon_threads = True
    thread = threading.Thread(target=front.serve_forever)
    thread.start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{front.server_port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    vis: Any = None
    try:
        vis = Visdom(server="http://vis.example", port=server.port, raise_exceptions=False)
        assert vis.text("press a key here", win="w") == "w"
        until(lambda: vis.socket_alive, "the stream is there", timeout_s=20)
        taken: list[int] = []
        vis.register_event_handler(lambda event: taken.append(event["number"]), TARGET)
        Page(server).publish(7)
        until(lambda: taken == [7], "the event arrives")
    finally:
        if vis is not None:
            vis.event_source.close()
            vis.session.close()
        front.shutdown()
        thread.join()
        front.server_close()


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_certificates_of_the_environment_hold_for_websockets(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path if kind == "directory" else tmp_path / "ca.pem"
    if kind == "file":
        path.write_text("")
    for each in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, str(path))
    vis: Any = Visdom("https://vis.example", send=False, use_incoming_socket=False)
    place = "ca_cert_path" if kind == "directory" else "ca_certs"
    assert Access(vis)._certificates("https://vis.example:8097")[place] == str(path)
    vis.session.trust_env = False
    assert place not in Access(vis)._certificates("https://vis.example:8097")
    vis.session.close()
