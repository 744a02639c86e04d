"""Visdom's own Python client, and what HTTP says beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.stock_peers import StockSocket
from tests.support.wait import until

Serve = Callable[..., LocalServer]

LISTENER = """
import json, os, sys, threading, warnings
warnings.simplefilter("ignore")
from visdom import Visdom

port, polling, env, login = int(sys.argv[1]), sys.argv[2] == "polling", sys.argv[3], json.loads(sys.argv[4])
how = {"use_incoming_socket": False, "use_polling": True} if polling else {"use_incoming_socket": True}
vis = Visdom(server="http://127.0.0.1", port=port, env=env, raise_exceptions=True, **how, **login)
win = vis.text("callback", win="w")
wanted = 3
seen = []

def on_event(event):
    seen.append(event)
    print(json.dumps(event), flush=True)
    if len(seen) == wanted:
        os._exit(0)  # the client's polling thread would keep the process alive

vis.register_event_handler(on_event, win)
print("listening", vis.check_connection(), vis.socket_alive, flush=True)
threading.Event().wait(40)
"""


class Listener:
    """A program that uses Visdom's client and ends after three events."""

    def __init__(self, server: LocalServer, how: str, env: str = "main") -> None:
        login = {"username": ADA.username, "password": ADA.password} if server.login else {}
        self._process = subprocess.Popen(
            [sys.executable, "-c", LISTENER, str(server.port), how, env, json.dumps(login)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self._lines = iter(self._process.stdout.readline, "")

    def line(self) -> str:
        """The next line it prints; an empty one when it ended."""
        return next(self._lines, "").strip()

    def events(self) -> list[Any]:
        return [json.loads(line) for line in self._lines]

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("login", [False, True], ids=["open", "login"])
@pytest.mark.parametrize("how", ["socket", "polling"])
def test_callbacks_of_visdoms_client_arrive(serve: Serve, how: str, login: bool) -> None:
    server = serve(login=ADA if login else None)
    listener = Listener(server, how)
    try:
        assert listener.line() == "listening True True"
        assert [session["role"] for session in server.sessions()] == ["source"]
        with OwnSocket(server) as client:
            for number, key in enumerate("abc", 1):
                event = {"eid": "main", "target": "w", "event_type": "KeyPress", "key": key}
                assert client.command(number, cmd="forward_to_vis", data=event)["error"] is None
        events = listener.events()
        assert [event["key"] for event in events] == ["a", "b", "c"]
        assert events[0]["pane_data"]["content"] == "callback"
    finally:
        listener.end()
    # Its session waits for it to come back.
    if how == "socket":
        server.wait_sessions(1, role="source", link=None)


@pytest.mark.timeout(60)
def test_a_close_is_one_event_for_visdoms_client(server: LocalServer) -> None:
    listener = Listener(server, "socket")
    try:
        assert listener.line() == "listening True True"
        with OwnSocket(server) as client:
            client.command(1, cmd="close", data="w", eid="main")
            for number in (2, 3):
                event = {"eid": "main", "target": "w", "event_type": "KeyPress", "pane_data": False, "key": str(number)}
                client.command(number, cmd="forward_to_vis", data=event)
        assert [event["event_type"] for event in listener.events()] == ["close", "KeyPress", "KeyPress"]
    finally:
        listener.end()


def test_events_of_our_protocol_reach_a_source_that_was_away(server: LocalServer) -> None:
    server.text("w", "x")
    with OwnSocket(server, "events", role="source") as source:
        source.receive_type("subscribed")
    with OwnSocket(server) as page:
        for number in range(1, 6):
            event = {"eid": "main", "target": "w", "event_type": "KeyPress", "key": str(number)}
            page.command(number, cmd="forward_to_vis", data=event)
    again = OwnPoll(server, role="source", replicas=source.replicas, session=source.welcome)
    assert again.welcome["resumed"] is True
    assert [event["key"] for event in again.replicas.events["events"]] == ["1", "2", "3", "4", "5"]
    assert again.replicas.missed == 0


def test_lost_events_are_announced(serve: Serve) -> None:
    server = serve(settings={"event_count": 10})
    with OwnSocket(server, "events", role="source") as source:
        source.receive_type("subscribed")
    for number in range(25):
        server.run(lambda number=number: server.app.transport.hub.publish("events", {"n": number}))
    again = OwnPoll(server, role="source", replicas=source.replicas, session=source.welcome)
    assert again.replicas.missed == 15
    assert [event["n"] for event in again.replicas.events["events"]] == list(range(15, 25))


def test_roles_have_their_own_sessions(server: LocalServer) -> None:
    with OwnSocket(server) as page, OwnSocket(server, role="source", session=page.welcome) as source:
        assert source.welcome["resumed"] is False
        assert source.welcome["session"] != page.welcome["session"]


def test_visdoms_handlers_see_the_subscribers(server: LocalServer) -> None:
    assert len(server.app.subs) == len(server.app.sources) == 0
    with StockSocket(server) as page, StockSocket(server, "source"), OwnSocket(server):
        page.register()
        until(lambda: len(server.app.subs) == 2, "two pages")
        assert len(server.app.sources) == 1
        assert page.sid in server.app.subs
        assert page.sid not in server.app.sources
        assert server.app.get_last_access() > 0
    until(lambda: len(server.app.sources) == 0, "the source is gone")


def test_knowing_the_sid_of_our_own_session_gives_nothing(server: LocalServer) -> None:
    """A stock page is redirected by whoever knows its sid. Our sessions have a secret, and it takes that."""
    server.text("a", "one", eid="other")
    with OwnSocket(server, "env/main") as client:
        client.receive_type("batch")
        server.post("/env/other", {"sid": client.welcome["session"]})
        assert client.silent() == []
        (session,) = server.sessions()
        assert session["subscriptions"] == ["env/main"]


def test_status_tells_what_operations_promises(server: LocalServer) -> None:
    server.text("a", "one")
    with OwnSocket(server, "env/main", acknowledge=False) as client:
        client.converge()
        status = server.status()
        assert {"sessions", "feeds", "totals", "version"} <= status.keys()
        (session,) = status["sessions"]
        assert session["in_flight_bytes"] > 0
        assert session["events_behind"] == 0
        assert session["seen_s_ago"] < 5
        assert status["feeds"]["env/main"]["epoch"] == client.replicas.feeds["env/main"].epoch
    assert client.welcome["secret"] not in json.dumps(server.status())


def test_a_saved_environment_survives_a_restart(serve: Serve, tmp_path: Path) -> None:
    first = serve(tmp_path / "kept")
    first.text("a", "one")
    first.post("/save", {"data": ["main"]})
    first.stop()
    second = serve(tmp_path / "kept")
    with OwnSocket(second, "env/main") as client:
        client.converge()
        assert client.replicas.state("env/main")["a"]["content"] == "one"


def test_login_is_needed_for_our_protocol_too(serve: Serve) -> None:
    server = serve(login=ADA)
    with OwnSocket(server, "env/main") as client:
        server.text("a", "one")
        client.converge()
    server.http.cookies.clear()
    with OwnSocket(server, hello={}) as stranger:
        stranger.send({"type": "hello", "role": "browser", "feeds": {"env/main": None}})
        assert stranger.expect_close() == 4050
    assert len(server.app.subs) == 1, "the one that was logged in"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_has_a_page(server: LocalServer, monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """As in a container that is run with a user id of its own. What is raised depends on the Python."""

    def getuser() -> str:
        raise error("uid not found")

    monkeypatch.setattr("getpass.getuser", getuser)
    for path in ("/", "/env/main"):
        assert server.http.get(server.url(path), timeout=10).status_code == 200


def test_a_foreign_origin_may_not_poll(server: LocalServer, records: Records) -> None:
    records.expect("refused a connection from origin")
    for path in ("/transport/poll", "/transport/send"):
        answer = server.http.post(server.url(path), data="{}", headers={"Origin": "http://evil.example"}, timeout=20)
        assert [(each["code"], each["reason"]) for each in answer.json()["messages"]] == [(4053, "origin")]


def test_readonly_refuses_commands_and_says_so(serve: Serve) -> None:
    server = serve(readonly=True)
    server.text("a", "one")
    with OwnSocket(server) as client:
        assert client.welcome["readonly"] is True
        for number, command in enumerate(("close", "save", "delete_env", "save_layouts", "forward_to_vis"), 1):
            assert client.command(number, cmd=command, data="a", eid="main")["error"]["code"] == "readonly"
    assert list(server.windows()) == ["a"]


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 has no notifications")
def test_notifications_reach_everybody(server: LocalServer) -> None:
    from visdom.utils import server_utils

    with OwnSocket(server, "notifications") as client, StockSocket(server) as page:
        page.register()
        client.receive_type("subscribed")
        handler = type("Handler", (), {"application": server.app, "subs": server.app.subs})()
        server.run(lambda: server_utils.notify(handler, "disk is full", type="error", duration=5))
        wanted = {"message": "disk is full", "type": "error", "duration": 5}
        assert page.receive_command("notification")["data"] == wanted
        client.until(lambda: client.replicas.events.get("notifications") == [wanted], "the notification")


@pytest.mark.parametrize("name", ["a/b", "a\\b", "two words/\u20ac"])
def test_an_environment_is_shown_at_the_address_of_its_name(server: LocalServer, name: str) -> None:
    """Visdom stores some names in another form."""
    server.post("/events", {"data": [{"type": "text", "content": "x"}], "win": "w", "eid": name})
    answer = server.http.get(server.url(f"/env/{quote(name, safe='')}?x=1"), timeout=10)
    assert answer.status_code == 200
    (stored,) = server.run(lambda: [eid for eid in server.app.state if eid != "main"])
    assert answer.url == server.url(f"/env/{quote(stored, safe='')}?x=1")
