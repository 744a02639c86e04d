"""Raw clients over real sockets, for link tests: our protocol and stock Visdom's, each over WebSocket and over polls.

None has a thread: a client moves only while a test runs it (`run_until`), so one that is not run is one that does not read.
"""

from __future__ import annotations

import itertools
import json
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self

import requests
import websocket
from core.replica import EventReplica, Outbox, StateReplica

from support.server import REQUEST_TIMEOUT_S, VisdomServer, Window
from support.wait import until
from visdom_transport.core.errors import GapError

Message = dict[str, Any]
Role = Literal["browser", "source"]

SUBPROTOCOL = "visdom-transport.v1"
EVENT_FEEDS = ("events", "notifications")
READ_TIMEOUT_S = 0.1


class Client(ABC):
    """What all clients have in common. `port` is a proxy's, if one is in between."""

    def __init__(self, server: VisdomServer, *, port: int | None = None, role: Role = "browser") -> None:
        self.server = server
        self.port = port
        self.role = role
        self.messages: list[Message] = []
        """Every message received, oldest first; those of earlier links as well."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.drop()

    @abstractmethod
    def step(self) -> None:
        """Wait shortly for what the server has to say, and take it in."""

    @abstractmethod
    def drop(self) -> None:
        """Leave without a word. What the client knows is kept."""

    def run_until(self, condition: Callable[[], object], what: str, *, timeout_s: float = 10.0) -> None:
        """Take in messages until `condition` holds. Raises AssertionError after `timeout_s`."""

        def stepped() -> bool:
            if condition():
                return True
            self.step()
            return bool(condition())

        until(stepped, what, timeout_s=timeout_s, seen=lambda: self.messages[-3:])

    def url(self, path: str) -> str:
        """Address of a path below the base URL, through the proxy if there is one."""
        return self.server.url(path, port=self.port)


class _WebSocket:
    """A WebSocket read in small steps."""

    def __init__(self, url: str, cookie: str | None, subprotocols: list[str] | None = None) -> None:
        self.connection = websocket.create_connection(
            url.replace("http", "ws", 1), timeout=5, cookie=cookie, subprotocols=subprotocols, enable_multithread=False
        )

    def receive(self) -> str | tuple[int, str] | None:
        """A message; None when nothing came for a while; code and reason when the connection has ended."""
        self.connection.settimeout(READ_TIMEOUT_S)
        try:
            opcode, data = self.connection.recv_data()
        except websocket.WebSocketTimeoutException:
            return None
        except (websocket.WebSocketConnectionClosedException, OSError):
            return 1006, ""
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return (int.from_bytes(data[:2], "big"), data[2:].decode()) if data else (1005, "")
        return str(data.decode())

    def send(self, message: object) -> None:
        self.connection.settimeout(5)
        self.connection.send(json.dumps(message))

    def drop(self) -> None:
        # `close` would wait for the other side's answer.
        self.connection.shutdown()  # type: ignore[no-untyped-call]


class ProtocolClient(Client):
    """Speaks `visdom-transport.v1`: replicas of the subscribed feeds, commands kept until they are answered.

    After `open` the client follows `feeds`. Opening again resumes with the session and the positions it has.
    """

    def __init__(
        self, server: VisdomServer, *feeds: str, port: int | None = None, role: Role = "browser", window: int = 4
    ) -> None:
        super().__init__(server, port=port, role=role)
        self.window = window
        self.welcome: Message | None = None
        self.session: str | None = None
        self.secret: str | None = None
        self.states: dict[str, StateReplica] = {}
        self.readers: dict[str, EventReplica] = {}
        self.events: list[Any] = []
        self.missed = 0
        self.verdicts: dict[str, Message] = {}
        self.replies: dict[str, Message] = {}
        self.closed: tuple[int, str] | None = None
        """Code and reason of the end of the link, None while it is open."""
        self.gaps = 0
        self.outbox = Outbox()
        self._names = itertools.count(1)
        for feed in feeds:
            self._follow(feed)

    # --- what a test asks ----------------------------------------------------------------------------------

    def open(self) -> Self:
        """Open a link and wait for the welcome and every verdict."""
        self.welcome, self.closed = None, None
        self.verdicts.clear()
        self._open(self._hello())
        self.run_until(lambda: self.welcome and self.verdicts.keys() >= self._feeds(), "the link is welcomed")
        return self

    def subscribe(self, feed: str) -> None:
        """Follow another feed."""
        self._follow(feed)
        self.say({"type": "subscribe", "feed": feed, "position": self._position(feed)})

    def unsubscribe(self, feed: str) -> None:
        """Follow a feed no longer and forget its replica."""
        self.states.pop(feed, None)
        self.readers.pop(feed, None)
        self.say({"type": "unsubscribe", "feed": feed})

    def command(self, **command: Any) -> Message:
        """Have a command carried out, and wait for its reply."""
        message = self.outbox.add(command)
        self.say(message)
        return self.reply_to(message)

    def reply_to(self, message: Message) -> Message:
        """Wait for the reply to a command's message."""
        key = json.dumps(message["command"])
        self.run_until(lambda: message not in self.outbox.pending, "the command is answered")
        return self.replies[key]

    def windows(self, env: str) -> dict[str, Window]:
        """What the replica of an environment holds."""
        return self.states[f"env/{env}"].values

    def assert_current(self, env: str, *, timeout_s: float = 10.0) -> None:
        """Take in messages until the replica equals the server's `/win_data`."""
        self.run_until(
            lambda: self.windows(env) == self.server.windows(env), f"the replica of {env!r} is current", timeout_s=timeout_s
        )

    @property
    def batches(self) -> list[Message]:
        """The batches received so far."""
        return [message for message in self.messages if message["type"] == "batch"]

    # --- the link ------------------------------------------------------------------------------------------

    @abstractmethod
    def _open(self, hello: Message) -> None: ...

    @abstractmethod
    def say(self, message: Message) -> None:
        """Send any message."""

    def applied(self) -> None:
        """A batch has been taken in."""

    # --- the conversation ----------------------------------------------------------------------------------

    def _hello(self) -> Message:
        return {
            "type": "hello",
            "role": self.role,
            "session": self.session,
            "secret": self.secret,
            "window": self.window,
            "feeds": {feed: self._position(feed) for feed in self._feeds()},
        }

    def _follow(self, feed: str) -> None:
        if feed in EVENT_FEEDS:
            self.readers[feed] = EventReplica()
        else:
            self.states[feed] = StateReplica()

    def _feeds(self) -> set[str]:
        return {*self.states, *self.readers}

    def _position(self, feed: str) -> Message | None:
        replica = self.states.get(feed) or self.readers[feed]
        return replica.position()

    def take(self, message: Message) -> None:
        """Act on one message of the server."""
        self.messages.append(message)
        match message["type"]:
            case "welcome":
                self.welcome = message
                self.session, self.secret = message["session"], message["secret"]
                for command in self.outbox.welcomed(message["session"]):
                    self.say(command)
            case "subscribed":
                self.verdicts[message["feed"]] = message
                if message["feed"] in self._feeds():
                    (self.states.get(message["feed"]) or self.readers[message["feed"]]).subscribed(message)
            case "batch":
                self._take_batch(message)
                self.applied()
            case "reply":
                if answered := self.outbox.replied(message["id"]):
                    self.replies[json.dumps(answered["command"])] = message
            case "ping":
                self.say({"type": "pong"})
            case "close":
                self.closed = message["code"], message["reason"]

    def _take_batch(self, batch: Message) -> None:
        feed = batch["feed"]
        if feed in self.readers:
            missed, events = self.readers[feed].apply(batch)
            self.missed += missed
            self.events += events
        elif feed in self.states:
            try:
                self.states[feed].apply(batch)
            except GapError:
                self.gaps += 1
                self.say({"type": "subscribe", "feed": feed, "position": self._position(feed)})


class WebSocketClient(ProtocolClient):
    """Our protocol over a WebSocket. With `acknowledge = False` it takes batches in but never says so."""

    acknowledge = True

    _socket: _WebSocket | None = None
    _taken = 0

    def _open(self, hello: Message) -> None:
        self.drop()
        self._taken = 0
        path = "/socket" if self.role == "browser" else "/vis_socket"
        self._socket = _WebSocket(self.url(path), self.server.cookie, [SUBPROTOCOL])
        self.say(hello)

    @property
    def raw(self) -> socket.socket:
        """The TCP socket below."""
        assert self._socket is not None
        assert self._socket.connection.sock is not None
        return self._socket.connection.sock

    def say(self, message: Message) -> None:
        if self._socket is not None:
            self._socket.send(message)

    def say_text(self, text: str) -> None:
        """Send any text, a message or not."""
        assert self._socket is not None
        self._socket.connection.send(text)

    def applied(self) -> None:
        self._taken += 1
        if self.acknowledge:
            self.say({"type": "ack", "batches": self._taken})

    def step(self) -> None:
        if self._socket is None:
            return
        received = self._socket.receive()
        if isinstance(received, str):
            self.take(json.loads(received))
        elif received is not None:
            self.closed = received
            self._socket = None

    def drop(self) -> None:
        if self._socket is not None:
            self._socket.drop()
            self._socket = None


class LongPollClient(ProtocolClient):
    """Our protocol over long polls. Each `step` is one poll."""

    wait_s = 0.5

    _link: str | None = None
    _session: requests.Session | None = None
    _restarted = False

    def _open(self, hello: Message) -> None:
        self.drop()
        self._session = requests.Session()
        self._take_all(self._post("/transport/poll", link=None, wait_s=0, feeds={}, messages=[hello]))

    def say(self, message: Message) -> None:
        if self._link is not None:
            self._take_all(self._post("/transport/send", messages=[message]))

    def step(self) -> None:
        if self._link is not None:
            feeds = {feed: self._position(feed) for feed in self._feeds()}
            self._take_all(self._post("/transport/poll", wait_s=self.wait_s, feeds=feeds, messages=[]))

    def drop(self) -> None:
        self._link = None
        if self._session is not None:
            self._session.close()
            self._session = None

    def _take_all(self, messages: list[Message]) -> None:
        for message in messages:
            if message["type"] == "welcome":
                self._link = message["link"]
            elif message["type"] == "close":
                self._link = None
            self.take(message)

    def _post(self, path: str, **body: Any) -> list[Message]:
        assert self._session is not None
        answer = self._session.post(
            self.url(path),
            data=json.dumps({"link": self._link, "secret": self.secret} | body),
            headers={"Cookie": self.server.cookie} if self.server.cookie else {},
            timeout=REQUEST_TIMEOUT_S,
        )
        answer.raise_for_status()
        messages: list[Message] = answer.json()["messages"]
        return messages


class StockClient(Client):
    """A client that knows nothing of us: an old page or a script (role "browser"), or Visdom's own client ("source")."""

    def __init__(self, server: VisdomServer, *, port: int | None = None, role: Role = "browser") -> None:
        super().__init__(server, port=port, role=role)
        self.windows: dict[str, Window] = {}
        self.ended = False

    @property
    def sid(self) -> str:
        """The id that the server gave."""
        return str(next(message["data"] for message in self.messages if message.get("command") == "register"))

    @abstractmethod
    def open(self) -> Self:
        """Connect and wait for the greeting."""

    @abstractmethod
    def send(self, command: Message) -> None:
        """Send one of Visdom's commands."""

    def show(self, env: str) -> None:
        """Ask for an environment, as the page does."""
        self.windows.clear()
        self.server.post(f"/env/{env}", {"sid": self.sid})

    def assert_current(self, env: str, *, timeout_s: float = 10.0) -> None:
        """Take in messages until the windows equal the server's `/win_data`."""

        def shown() -> dict[str, Window]:
            extra = ("command", "eid")
            return {key: {k: v for k, v in window.items() if k not in extra} for key, window in self.windows.items()}

        def wanted() -> dict[str, Window]:
            windows = self.server.windows(env).items()
            return {key: {k: v for k, v in window.items() if k != "command"} for key, window in windows}

        self.run_until(lambda: shown() == wanted(), f"the windows of {env!r} are current", timeout_s=timeout_s)

    def take(self, message: Message) -> None:
        """Act on one message of the server."""
        self.messages.append(message)
        match message.get("command"):
            case "window":
                self.windows[message["id"]] = message
            case "close":
                self.windows.pop(message["data"], None)
            case "window_update":
                raise AssertionError(f"a patch was sent to a client that was promised full windows: {message}")


class StockWebSocketClient(StockClient):
    """Stock Visdom's messages over a WebSocket."""

    _socket: _WebSocket | None = None

    def open(self) -> Self:
        self._socket = _WebSocket(self.url("/socket" if self.role == "browser" else "/vis_socket"), self.server.cookie)
        self.run_until(lambda: self.messages, "the server greets")
        return self

    def send(self, command: Message) -> None:
        assert self._socket is not None
        self._socket.send(command)

    def step(self) -> None:
        if self._socket is None:
            return
        received = self._socket.receive()
        if isinstance(received, str):
            self.take(json.loads(received))
        elif received is not None:
            self.ended, self._socket = True, None

    def drop(self) -> None:
        if self._socket is not None:
            self._socket.drop()
            self._socket = None


class StockPollClient(StockClient):
    """Stock Visdom's messages over its polls. Each `step` is one query."""

    poll_id: str | None = None
    reason: str | None = None
    """Why the server refused the last request."""

    _session: requests.Session | None = None

    def open(self) -> Self:
        self._session = requests.Session()
        if self.role == "browser":
            answer = self._session.get(self.url("/socket_wrap"), headers=self._headers(), timeout=REQUEST_TIMEOUT_S)
            answer.raise_for_status()
            self.poll_id = answer.json()["sid"]
        else:
            self.poll_id = self._post({"message_type": "init"})["sid"]
        self.run_until(lambda: self.messages, "the server greets")
        return self

    def send(self, command: Message) -> None:
        self._post({"message_type": "send", "sid": self.poll_id, "message": json.dumps(command)})

    def step(self) -> None:
        if self._session is None:
            return
        answer = self._post({"message_type": "query", "sid": self.poll_id})
        for text in answer.get("messages", []):
            self.take(json.loads(text))

    def drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _headers(self) -> dict[str, str]:
        return {"Cookie": self.server.cookie} if self.server.cookie else {}

    def _post(self, body: Message) -> Message:
        assert self._session is not None
        path = "/socket_wrap" if self.role == "browser" else "/vis_socket_wrap"
        answer = self._session.post(self.url(path), data=json.dumps(body), headers=self._headers(), timeout=REQUEST_TIMEOUT_S)
        answer.raise_for_status()
        message: Message = answer.json()
        self.ended, self.reason = not message["success"], message.get("reason")
        return message
