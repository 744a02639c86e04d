"""The ways in which clients come and go. Each is a function of the server and of how often."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable

from tests.support.own import SUBPROTOCOL, OwnPoll, OwnSocket
from tests.support.raw import RawSocket
from tests.support.server import VisdomServer
from tests.support.stock_peers import StockPoll, StockSocket

ComingAndGoing = Callable[[VisdomServer, int], None]


def text(server: VisdomServer, win: str, content: str, eid: str = "main") -> None:
    body = {"data": [{"type": "text", "content": content}], "win": win, "eid": eid, "opts": {"title": win}}
    server.post("/events", body).raise_for_status()


def resumed_sockets(server: VisdomServer, times: int) -> None:
    """One page that loses its connection again and again, and resumes; half the time the server does not know yet."""
    text(server, "w", "begin")
    first = client = OwnSocket(server, "shared", "env/main", "events", "notifications")
    for number in range(times):
        if number % 2:
            client.close()
        text(server, "w", str(number))
        before, client = client, OwnSocket(server, "shared", "env/main", "events", session=first.welcome, replicas=first.replicas)
        assert client.welcome["resumed"]
        client.converge()
        before.close()
    client.close()


def new_sockets(server: VisdomServer, times: int) -> None:
    """Pages and sources that come once, say goodbye or do not, and never come back."""
    for number in range(times):
        role = "source" if number % 3 == 0 else "browser"
        client = OwnSocket(server, "env/main", "events", role=role)
        if number % 2:
            client.connection.close(timeout=1)
        client.close()


def silent_sockets(server: VisdomServer, times: int) -> None:
    """WebSockets that open and say nothing, or that go before the answer."""
    for _ in range(times):
        RawSocket(server, "/socket", subprotocol=SUBPROTOCOL).close()
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")


def subscriptions(server: VisdomServer, times: int) -> None:
    """One page that looks at one environment after another, at comparisons, and at what is not there."""
    text(server, "w", "one", "left")
    text(server, "w", "two", "right")
    with OwnSocket(server, "shared") as client:
        for number in range(times):
            feed = ("env/left", f"env/not-there-{number}", "compare/left+right", "compare/right+left", "nonsense")[number % 5]
            client.send({"type": "subscribe", "feed": feed, "position": None})
            client.receive_type("error" if feed == "nonsense" else "subscribed")
            if number % 3:
                client.send({"type": "unsubscribe", "feed": feed})
            else:
                client.send({"type": "unsubscribe", "feed": "env/left"})
        client.ask({"type": "ping"}, "pong")


def commands(server: VisdomServer, times: int) -> None:
    """Commands that work and commands that do not, on one session."""
    with OwnSocket(server, "env/main", "events") as client:
        for number in range(1, times + 1):
            text(server, f"c{number % 7}", "x")
            command = {"cmd": "close", "data": f"c{number % 7}", "eid": "main"} if number % 2 else {"cmd": "nonsense"}
            client.command(number, **command)
    for number in range(7):
        server.post("/close", {"win": f"c{number}", "eid": "main"})


def poll_chains(server: VisdomServer, times: int) -> None:
    """Chains of polls that end without a word."""
    for number in range(times):
        client = OwnPoll(server, "shared", "env/main", "events")
        text(server, "w", str(number))
        client.converge()


def resumed_polls(server: VisdomServer, times: int) -> None:
    """One page that goes from a WebSocket to polls and back."""
    text(server, "w", "begin")
    with OwnSocket(server, "env/main", "shared") as first:
        for number in range(times):
            text(server, "w", str(number))
            polls = OwnPoll(server, session=first.welcome, replicas=first.replicas)
            polls.converge()
            with OwnSocket(server, session=first.welcome, replicas=first.replicas) as client:
                assert client.welcome["resumed"]


def dropped_polls(server: VisdomServer, times: int) -> None:
    """Polls that are held when their client goes away; of some chains a new poll comes first."""
    for number in range(times):
        client = OwnPoll(server, "env/main")
        body = json.dumps(client.body(10)).encode()
        head = f"POST /transport/poll HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with contextlib.ExitStack() as connections:
            for _ in range(1 + number % 2):
                connection = connections.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                connection.sendall(head + body)
    held = [OwnPoll(server, "env/main").hold() for _ in range(10)]
    assert [each.result() for each in held] == [[]] * len(held)


def stock_sockets(server: VisdomServer, times: int) -> None:
    """Stock pages and sources that look at environments and comparisons, and go."""
    text(server, "w", "one", "left")
    text(server, "w", "two", "right")
    for number in range(times):
        if number % 3 == 0:
            with StockSocket(server, "source") as source:
                assert source.receive()["command"] == "alive"
            continue
        with StockSocket(server) as page:
            page.register()
            if number % 3 == 1:
                page.load("left")
            else:
                page.compare("left", "right")
            if number % 2:
                page.connection.close(timeout=1)


def stock_polls(server: VisdomServer, times: int) -> None:
    """Stock pages and sources that poll a few times, and never again."""
    for number in range(times):
        client = StockPoll(server, "source" if number % 3 == 0 else "browser")
        for _ in range(number % 4):
            client.query()
        client.send(cmd="echo" if number % 3 == 0 else "nonsense")


def environments(server: VisdomServer, times: int) -> None:
    """Environments that are made, fed by a publisher, watched in both dialects, and deleted."""
    began = server.post("/transport/publish", {"producer": "one", "first": 1, "messages": []}).json()["applied"]
    with OwnSocket(server, "shared") as client, StockSocket(server) as page:
        page.register()
        for number in range(times):
            eid = f"env-{number}"
            window = {"data": [{"type": "text", "content": "x"}], "win": "w", "eid": eid, "opts": {}}
            messages = [{"endpoint": "events", "body": window}, {"endpoint": "close", "body": {"win": "w", "eid": eid}}]
            messages.append({"endpoint": "events", "body": window | {"win": "v"}})
            request = {"producer": "one", "first": began + 1 + 3 * number, "messages": messages}
            answer = server.post("/transport/publish", request).json()
            assert answer["refused"] == [], answer
            client.ask({"type": "subscribe", "feed": f"env/{eid}", "position": None}, "subscribed")
            client.command(number + 1, cmd="delete_env", eid=eid)
            client.send({"type": "unsubscribe", "feed": f"env/{eid}"})
            page.receive_command("env_update")


WAYS: dict[str, ComingAndGoing] = {
    function.__name__: function
    for function in (
        resumed_sockets,
        new_sockets,
        silent_sockets,
        subscriptions,
        commands,
        poll_chains,
        resumed_polls,
        dropped_polls,
        stock_sockets,
        stock_polls,
        environments,
    )
}
