"""A client of our protocol that comes back whatever happens, over real sockets; for schedules of faults.

It has no thread: it moves only while a test runs it, so one that is not run is one that does not read. (Clients that
come back by themselves to nothing, for tests of single messages, are in `links.peers`.)
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Literal

import requests
import websocket
from core.replica import EventReplica, Outbox, StateReplica

from support.server import VisdomServer, Window
from support.wait import until

Message = dict[str, Any]
Role = Literal["browser", "source"]
Kind = Literal["websocket", "poll"]

SUBPROTOCOL = "visdom-transport.v1"
EVENT_FEEDS = ("events", "notifications")
CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 0.05


class LinkLost(Exception):
    """The connection is gone, or nothing comes through it."""


class Link(ABC):
    """One connection. Every method may raise `LinkLost`."""

    @abstractmethod
    def say(self, *messages: Message) -> list[Message]:
        """Send messages; returns what the server answered at once."""

    @abstractmethod
    def receive(self, positions: Mapping[str, Message | None]) -> list[Message]:
        """Wait shortly for messages."""

    @abstractmethod
    def drop(self) -> None:
        """Leave without a word."""


class SocketLink(Link):
    """Our protocol over a WebSocket."""

    def __init__(self, url: str, hello: Message) -> None:
        try:
            self._socket = websocket.create_connection(
                url.replace("http", "ws", 1), timeout=CONNECT_TIMEOUT_S, subprotocols=[SUBPROTOCOL]
            )
        except (websocket.WebSocketException, OSError) as error:
            raise LinkLost(str(error)) from error
        self.say(hello)

    def say(self, *messages: Message) -> list[Message]:
        try:
            self._socket.settimeout(CONNECT_TIMEOUT_S)
            for message in messages:
                self._socket.send(json.dumps(message))
        except (websocket.WebSocketException, OSError) as error:
            raise LinkLost(str(error)) from error
        return []

    def receive(self, positions: Mapping[str, Message | None]) -> list[Message]:
        try:
            self._socket.settimeout(READ_TIMEOUT_S)
            opcode, data = self._socket.recv_data()
        except websocket.WebSocketTimeoutException:
            return []
        except (websocket.WebSocketException, OSError) as error:
            raise LinkLost(str(error)) from error
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise LinkLost(f"closed: {data!r}")
        return [json.loads(data)]

    def drop(self) -> None:
        # `close` would wait for the other side's answer.
        self._socket.shutdown()  # type: ignore[no-untyped-call]


class PollLink(Link):
    """Our protocol over long polls."""

    def __init__(self, url: str, hello: Message) -> None:
        self._url = url
        self._session = requests.Session()
        self._link: str | None = None
        self._secret: str | None = None
        self._first = self._post("poll", wait_s=0, feeds={}, messages=[hello])

    def say(self, *messages: Message) -> list[Message]:
        return self._post("send", messages=messages)

    def receive(self, positions: Mapping[str, Message | None]) -> list[Message]:
        if self._first:
            first, self._first = self._first, []
            return first
        return self._post("poll", wait_s=READ_TIMEOUT_S, feeds=positions, messages=[])

    def drop(self) -> None:
        self._session.close()

    def _post(self, what: str, **body: Any) -> list[Message]:
        body |= {"link": self._link, "secret": self._secret}
        try:
            answer = self._session.post(f"{self._url}/transport/{what}", data=json.dumps(body), timeout=CONNECT_TIMEOUT_S)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise LinkLost(str(error)) from error
        messages: list[Message] = answer.json()["messages"]
        for message in messages:
            if message["type"] == "welcome":
                self._link, self._secret = message["link"], message["secret"]
            elif message["type"] == "close":
                raise LinkLost(f"closed: {message}")
        return messages


class ResumingClient:
    """Replicas of feeds, events in order, commands kept until they are answered; links come and go.

    `port` is that of a proxy in front of the server.
    """

    def __init__(self, server: VisdomServer, *feeds: str, port: int, role: Role = "browser") -> None:
        self.server = server
        self.role = role
        self.link: Link | None = None
        self.lost: list[str] = []
        """Why each link ended."""
        self.states = {feed: StateReplica() for feed in feeds if feed not in EVENT_FEEDS}
        self.readers = {feed: EventReplica() for feed in feeds if feed in EVENT_FEEDS}
        self.events: list[Any] = []
        self.missed = 0
        self.outbox = Outbox()
        self.errors: list[Message] = []
        self._url = server.url("", port=port)
        self._session: str | None = None
        self._secret: str | None = None
        self._welcomed = False
        self._counts = False
        self._batches = 0
        self._dead_after_s = 5.0
        self._heard_at = 0.0

    def connect(self, kind: Kind) -> None:
        """Try to open a link; whether that worked shows in `link`. An older one is dropped."""
        self.drop()
        hello = {
            "type": "hello",
            "role": self.role,
            "session": self._session,
            "secret": self._secret,
            "window": 4,
            "feeds": self._positions(),
        }
        self._welcomed, self._batches, self._counts = False, 0, kind == "websocket"
        path = "/socket" if self.role == "browser" else "/vis_socket"
        try:
            self.link = SocketLink(self._url + path, hello) if kind == "websocket" else PollLink(self._url, hello)
        except LinkLost as error:
            self.lost.append(str(error))
        self._heard_at = time.monotonic()

    def drop(self) -> None:
        """Leave without a word. What the client knows is kept."""
        if self.link is not None:
            self.link.drop()
            self.link = None

    def step(self) -> None:
        """Take in what the server has to say, if there is a link."""
        if self.link is None:
            return
        try:
            messages = self.link.receive(self._positions())
            if messages:
                self._heard_at = time.monotonic()
            elif time.monotonic() - self._heard_at > self._dead_after_s:
                raise LinkLost("silent")
            for message in messages:
                self._take(message)
        except LinkLost as error:
            self.lost.append(str(error))
            self.drop()

    def run_until(
        self,
        condition: Callable[[], object],
        what: str,
        *,
        kind: Kind,
        timeout_s: float = 15.0,
        seen: Callable[[], object] | None = None,
    ) -> None:
        """Take in messages, connecting again as often as needed, until `condition` holds."""

        def stepped() -> bool:
            if self.link is None:
                self.connect(kind)
            self.step()
            return bool(condition())

        until(stepped, what, timeout_s=timeout_s, seen=seen or (lambda: self.lost[-3:]))

    def assert_current(self, env: str, *, kind: Kind) -> None:
        """Come back as often as needed, until the replica of an environment equals the server's `/win_data`."""

        def seen() -> object:
            held, wanted = self.windows(env), self.server.windows(env)
            different = [key for key in sorted(held.keys() | wanted.keys()) if held.get(key) != wanted.get(key)]
            return {key: (held.get(key), wanted.get(key)) for key in different[:2]}, self.lost[-3:]

        self.run_until(
            lambda: self.windows(env) == self.server.windows(env), f"the replica of {env!r} is current", kind=kind, seen=seen
        )

    def command(self, **command: Any) -> None:
        """Give a command; it is sent now or with a later link, until it is answered."""
        message = self.outbox.add(command)
        if self._welcomed and self.link is not None:
            self._say(message)

    def windows(self, env: str) -> dict[str, Window]:
        """What the replica of an environment holds."""
        return self.states[f"env/{env}"].values

    def _positions(self) -> dict[str, Message | None]:
        return {feed: replica.position() for feed, replica in (self.states | self.readers).items()}

    def _say(self, *messages: Message) -> None:
        if self.link is None or not messages:
            return
        try:
            for answer in self.link.say(*messages):
                self._take(answer)
        except LinkLost as error:
            self.lost.append(str(error))
            self.drop()

    def _take(self, message: Message) -> None:
        match message["type"]:
            case "welcome":
                self._welcomed = True
                self._session, self._secret = message["session"], message["secret"]
                self._dead_after_s = message["dead_after_s"]
                self._say(*self.outbox.welcomed(message["session"]))
            case "subscribed":
                (self.states | self.readers)[message["feed"]].subscribed(message)
            case "batch":
                # A gap would be raised here, and fail the test: faults of the network never make one.
                self._take_batch(message)
                self._batches += 1
                if self._counts:
                    self._say({"type": "ack", "batches": self._batches})
            case "reply":
                self.outbox.replied(message["id"])
                if message["error"]:
                    self.errors.append(message["error"])
            case "error":
                self.errors.append(message)
            case "ping":
                self._say({"type": "pong"})

    def _take_batch(self, batch: Message) -> None:
        if batch["feed"] in self.readers:
            missed, events = self.readers[batch["feed"]].apply(batch)
            self.missed += missed
            self.events += events
        else:
            self.states[batch["feed"]].apply(batch)
