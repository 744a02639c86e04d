"""Clients on real sockets: our protocol and the stock dialect, each over WebSocket and polling. They read only when asked."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Protocol, Self

import requests
import websocket
from core.replica import EventReplica, StateReplica
from links.local import SILENCE_S

Message = dict[str, Any]

TIMEOUT_S = 5.0
SUBPROTOCOL = "visdom-transport.v1"
SMALL_BUFFER = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),)
"""A client that does not read then holds up the server soon."""


class Served(Protocol):
    """A server to connect to, in whichever process."""

    http: requests.Session

    def url(self, path: str = "/", scheme: str = "http") -> str: ...
    def post(self, path: str, body: Any) -> requests.Response: ...
    def get(self, path: str) -> requests.Response: ...
    def windows(self, eid: str = "main") -> dict[str, Any]: ...


class Closed(Exception):
    """The server ended the WebSocket."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class RawSocket:
    """A WebSocket to the server that reads only when it is asked to."""

    def __init__(self, server: Served, path: str, *, subprotocol: str | None = None, small: bool = False, **options: Any):
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in server.http.cookies)
        self.connection = websocket.create_connection(
            server.url(path, "ws"),
            timeout=TIMEOUT_S,
            subprotocols=[subprotocol] if subprotocol else None,
            sockopt=SMALL_BUFFER if small else (),
            cookie=cookies or None,
            **options,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back without the closing handshake."""
        self.connection.shutdown()

    def send_text(self, text: str) -> None:
        self.connection.send(text)

    def send(self, message: Any) -> None:
        self.send_text(json.dumps(message))

    def receive_frame(self, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes]:
        """The next frame that is not answered by websocket-client itself."""
        self.connection.settimeout(timeout_s)
        opcode, data = self.connection.recv_data(control_frame=True)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code = int.from_bytes(data[:2], "big") if data else None
            raise Closed(code, data[2:].decode())
        return opcode, data

    def receive(self, timeout_s: float = TIMEOUT_S) -> Any:
        """The next message. Raises `Closed` or, after the timeout, AssertionError."""
        try:
            while True:
                opcode, data = self.receive_frame(timeout_s)
                if opcode == websocket.ABNF.OPCODE_TEXT:
                    return json.loads(data)
        except websocket.WebSocketTimeoutException:
            raise AssertionError(f"no message within {timeout_s} s") from None

    def expect_close(self, timeout_s: float = TIMEOUT_S) -> int | None:
        """Read until the server closes, and return its code."""
        deadline = time.monotonic() + timeout_s
        try:
            while time.monotonic() < deadline:
                self.receive(max(0.01, deadline - time.monotonic()))
        except Closed as closed:
            return closed.code
        raise AssertionError(f"not closed within {timeout_s} s")

    def silent(self, timeout_s: float = SILENCE_S) -> list[Any]:
        """Whatever arrives within the time; usually nothing should."""
        messages: list[Any] = []
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                messages.append(self.receive(left))
            except AssertionError:
                break
        return messages


class Replicas:
    """The client's half of docs/protocol.md, on whatever link."""

    def __init__(self) -> None:
        self.feeds: dict[str, StateReplica | EventReplica] = {}
        self.events: dict[str, list[Any]] = {}
        self.missed = 0
        self.batches = 0

    def follow(self, *names: str) -> None:
        for name in names:
            self.feeds.setdefault(name, EventReplica() if name in ("events", "notifications") else StateReplica())

    def positions(self) -> dict[str, Any]:
        return {name: replica.position() for name, replica in self.feeds.items()}

    def take(self, message: Message) -> None:
        """Act on one message from the server."""
        replica = self.feeds.get(message.get("feed", ""))
        if replica is None:
            return
        if message["type"] == "subscribed":
            replica.subscribed(message)
        elif message["type"] == "batch":
            self.batches += 1
            if isinstance(replica, StateReplica):
                replica.apply(message)
            else:
                missed, events = replica.apply(message)
                self.missed += missed
                self.events.setdefault(message["feed"], []).extend(events)

    def state(self, name: str) -> dict[str, Any]:
        replica = self.feeds[name]
        assert isinstance(replica, StateReplica)
        return replica.values


class OwnSocket(RawSocket):
    """A client of our protocol over a WebSocket. Acknowledges what `receive` returns, unless told otherwise."""

    def __init__(
        self,
        server: Served,
        *feeds: str,
        role: str = "browser",
        replicas: Replicas | None = None,
        session: Message | None = None,
        hello: Message | None = None,
        acknowledge: bool = True,
        small: bool = False,
    ) -> None:
        path = "/socket" if role == "browser" else "/vis_socket"
        super().__init__(server, path, subprotocol=SUBPROTOCOL, small=small)
        self.server = server
        self.replicas = replicas or Replicas()
        self.replicas.follow(*feeds)
        self.acknowledge = acknowledge
        self.batches = 0
        self.welcome: Message = {}
        if hello is not None and not hello:
            return  # the test says hello itself
        identity = {"session": session["session"], "secret": session["secret"]} if session else {"session": None, "secret": None}
        self.send({"type": "hello", "role": role, **identity, "window": 4, "feeds": self.replicas.positions(), **(hello or {})})
        self.welcome = self.receive()
        assert self.welcome["type"] == "welcome", self.welcome

    def receive(self, timeout_s: float = TIMEOUT_S) -> Any:
        message = super().receive(timeout_s)
        self.replicas.take(message)
        if message["type"] == "batch":
            self.batches += 1
            if self.acknowledge:
                self.send({"type": "ack", "batches": self.batches})
        return message

    def receive_type(self, kind: str, timeout_s: float = TIMEOUT_S) -> Message:
        """The next message of a type, taking others on the way."""
        seen: list[Any] = []
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            message: Message = self.receive(max(0.01, deadline - time.monotonic()))
            if message["type"] == kind:
                return message
            seen.append(message)
        raise AssertionError(f"no {kind} within {timeout_s} s, but {seen}")

    def ask(self, message: Message, answer: str) -> Message:
        self.send(message)
        return self.receive_type(answer)

    def command(self, number: int, **command: Any) -> Message:
        """The reply to a command."""
        return self.ask({"type": "command", "id": number, "command": command}, "reply")

    def until(self, condition: Callable[[], bool], what: str, timeout_s: float = TIMEOUT_S) -> list[Message]:
        """Receive until the condition holds, and return what came."""
        messages: list[Message] = []
        deadline = time.monotonic() + timeout_s
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"not within {timeout_s} s: {what}; received {str(messages)[:2000]}"
            try:
                messages.append(self.receive(left))
            except AssertionError:
                raise AssertionError(f"not within {timeout_s} s: {what}; received {str(messages)[:2000]}") from None
        return messages

    def converge(self, eid: str = "main", timeout_s: float = TIMEOUT_S) -> list[Message]:
        """Receive until the replica of an environment equals `/win_data`, and return what came."""
        wanted = self.server.windows(eid)
        feed = f"env/{eid}"
        return self.until(lambda: self.replicas.state(feed) == wanted, f"{feed} equals {str(wanted)[:500]}", timeout_s)


class OwnPoll:
    """A client of our protocol over long polls."""

    def __init__(
        self,
        server: Served,
        *feeds: str,
        role: str = "browser",
        replicas: Replicas | None = None,
        session: Message | None = None,
        hello: Message | None = None,
    ) -> None:
        self.server = server
        self.replicas = replicas or Replicas()
        self.replicas.follow(*feeds)
        self.link: str | None = None
        self.secret: str | None = None
        identity = {"session": session["session"], "secret": session["secret"]} if session else {"session": None, "secret": None}
        greeting = {"type": "hello", "role": role, **identity, "feeds": self.replicas.positions(), **(hello or {})}
        self.opening = self.poll(0, [greeting])
        self.welcome = self.opening[0]
        if self.welcome["type"] == "welcome":
            self.link, self.secret = self.welcome["link"], self.welcome["secret"]

    def request(self, path: str, body: Any) -> list[Message]:
        answer = self.server.post(path, body)
        answer.raise_for_status()
        assert answer.headers["Cache-Control"] == "no-store"
        messages: list[Message] = answer.json()["messages"]
        return messages

    def body(self, wait_s: float, messages: Iterable[Message] = ()) -> Message:
        return {
            "link": self.link,
            "secret": self.secret,
            "wait_s": wait_s,
            "feeds": self.replicas.positions(),
            "messages": list(messages),
        }

    def poll(self, wait_s: float = 0, messages: Iterable[Message] = (), *, lose: bool = False) -> list[Message]:
        """One poll. `lose` has its reply lost on the way."""
        received = self.request("/transport/poll", self.body(wait_s, messages))
        if not lose:
            for message in received:
                self.replicas.take(message)
        return received

    def hold(self, wait_s: float = TIMEOUT_S) -> HeldPoll:
        """A poll in a thread of its own."""
        return HeldPoll(self.server.url("/transport/poll"), self.body(wait_s))

    def send(self, *messages: Message) -> list[Message]:
        return self.request("/transport/send", {"link": self.link, "secret": self.secret, "messages": list(messages)})

    def converge(self, eid: str = "main", timeout_s: float = TIMEOUT_S) -> list[Message]:
        wanted = self.server.windows(eid)
        messages: list[Message] = []
        deadline = time.monotonic() + timeout_s
        while self.replicas.state(f"env/{eid}") != wanted:
            assert time.monotonic() < deadline, f"not within {timeout_s} s: env/{eid} converges; received {str(messages)[:2000]}"
            messages += self.poll(0.5)
        return messages


class HeldPoll:
    """One request under way."""

    def __init__(self, url: str, body: Any) -> None:
        self._answer: list[Any] = []
        self.ended_at = 0.0

        def post() -> None:
            with requests.Session() as session:
                self._answer.append(session.post(url, data=json.dumps(body), timeout=20).json()["messages"])
            self.ended_at = time.monotonic()

        self._thread = threading.Thread(target=post, name="held-poll")
        self._thread.start()

    @property
    def waiting(self) -> bool:
        return self._thread.is_alive()

    def result(self, timeout_s: float = TIMEOUT_S) -> list[Message]:
        """The messages of the reply."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), f"the poll is still held after {timeout_s} s"
        messages: list[Message] = self._answer[0]
        return messages


class StockSocket(RawSocket):
    """A stock browser page or, on `/vis_socket`, a stock Python client."""

    def __init__(self, server: Served, role: str = "browser", *, small: bool = False, **options: Any) -> None:
        super().__init__(server, "/socket" if role == "browser" else "/vis_socket", small=small, **options)
        self.server = server
        self.sid = ""

    def register(self) -> list[Any]:
        """The opening messages of a browser's socket; their first names the sid."""
        opening = [self.receive() for _ in range(3)]
        self.sid = opening[0]["data"]
        return opening

    def load(self, eid: str) -> list[Any]:
        """Ask for an environment as a page does, and return its stream."""
        assert self.server.post(f"/env/{eid}", {"sid": self.sid}).status_code == 200
        return self.read_stream()

    def compare(self, *eids: str, **options: Any) -> list[Any]:
        assert self.server.post(f"/compare/{'+'.join(eids)}", {"sid": self.sid, **options}).status_code == 200
        return self.read_stream()

    def read_stream(self) -> list[Any]:
        messages: list[Any] = []
        while not messages or messages[-1].get("command") != "layout":
            messages.append(self.receive())
        return messages

    def receive_command(self, command: str) -> Any:
        """The next message with this command, skipping others."""
        while True:
            message = self.receive()
            if message.get("command") == command:
                return message

    def windows_until(self, condition: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Keep a page's windows until they are as wanted."""
        held: dict[str, Any] = {}
        deadline = time.monotonic() + TIMEOUT_S
        while not condition(held):
            assert time.monotonic() < deadline, f"{what}: {held}"
            message = self.receive()
            if message.get("command") == "window":
                held[message["id"]] = message
            elif message.get("command") == "close":
                held.pop(message["data"], None)
        return held


class StockPoll:
    """A stock client that polls."""

    def __init__(self, server: Served, role: str = "browser") -> None:
        self.server = server
        self.path = "/socket_wrap" if role == "browser" else "/vis_socket_wrap"
        answer = server.get(self.path) if role == "browser" else server.post(self.path, {"message_type": "init"})
        answer.raise_for_status()
        assert answer.json()["success"] is True
        self.sid: str = answer.json()["sid"]

    def post(self, **body: Any) -> Any:
        answer = self.server.post(self.path, {"sid": self.sid, **body})
        assert answer.status_code == 200
        return answer.json()

    def query(self) -> list[Any]:
        answer = self.post(message_type="query")
        assert answer["success"] is True, answer
        assert all(isinstance(message, str) for message in answer["messages"])
        return [json.loads(message) for message in answer["messages"]]

    def send(self, **command: Any) -> Any:
        return self.post(message_type="send", message=json.dumps(command))
