"""Clients of our protocol, over a WebSocket and over long polls. They read only when asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import requests

from tests.support.peer import Message, Peer
from tests.support.raw import TIMEOUT_S, RawSocket
from tests.support.served import Served

SUBPROTOCOL = "visdom-transport.v1"


def greeting(peer: Peer, role: str, session: Message | None, **members: Any) -> Message:
    """The hello of a link that begins a session, or goes on with that of a welcome."""
    identity = {"session": session["session"], "secret": session["secret"]} if session else {"session": None, "secret": None}
    return peer.hello(role=role, **identity, **members)


class OwnSocket(RawSocket):
    """A client of our protocol over a WebSocket. Acknowledges what `receive` returns, unless told otherwise."""

    def __init__(
        self,
        server: Served,
        *feeds: str,
        role: str = "browser",
        replicas: Peer | None = None,
        session: Message | None = None,
        hello: Message | None = None,
        acknowledge: bool = True,
        small: bool = False,
    ) -> None:
        path = "/socket" if role == "browser" else "/vis_socket"
        super().__init__(server, path, subprotocol=SUBPROTOCOL, small=small)
        self.server = server
        self.replicas = replicas or Peer()
        self.replicas.follow(*feeds)
        self.acknowledge = acknowledge
        self.batches = 0
        self.welcome: Message = {}
        if hello is not None and not hello:
            return  # the test says hello itself
        self.send(greeting(self.replicas, role, session, **{"window": 4, **(hello or {})}))
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
        replicas: Peer | None = None,
        session: Message | None = None,
        hello: Message | None = None,
    ) -> None:
        self.server = server
        self.replicas = replicas or Peer()
        self.replicas.follow(*feeds)
        self.link: str | None = None
        self.secret: str | None = None
        self.opening = self.poll(0, [greeting(self.replicas, role, session, **(hello or {}))])
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
