"""Publishers and a server without threads, sockets and disks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule

from visdom_transport.client.messages.calls import Message, capture
from visdom_transport.client.messages.known_windows import Windows, creation_of
from visdom_transport.client.messages.outbox import Outbox


def point(x: int, win: str = "w") -> Message:
    trace = {"x": [x], "y": [x], "type": "scatter"}
    return capture("update", {"data": [trace], "win": win, "eid": "e", "layout": {}, "opts": {}, "append": True})


def plot(title: str, win: str = "w") -> Message:
    trace = {"x": [], "y": [], "type": "scatter"}
    return capture("events", {"data": [trace], "win": win, "eid": "e", "layout": {}, "opts": {"title": title}})


def begin(*x: int, win: str = "w") -> Message:
    """Points that make their window, if there is none by then."""
    trace = {"x": x, "y": x, "type": "scatter"}
    added = {"append": True, "layout": {}, "name": None}
    body = {"data": [trace], "win": win, "eid": "e", "layout": {}, "opts": {"title": "begun"}, "otherwise": added}
    return capture("events", body)


def event(x: int, size: int = 0) -> Message:
    """Something that is never folded."""
    return capture("embedding", {"type": "embedding", "x": x, "y": 0, "win": "p", "eid": "e", "phase": "." * size})


@dataclass
class Server:
    """Applies messages as docs/protocol.md, section 9, says. ``windows`` are the points of each; so are ``events``."""

    keeps: bool = True
    """Whether it writes to disk, when `flush` is called."""
    life: int = 0
    known: dict[str, int] = field(default_factory=dict)
    windows: dict[str, tuple[str, list[int]]] = field(default_factory=dict)
    events: list[int] = field(default_factory=list)
    disk: tuple[dict[str, int], dict[str, Any], list[int]] = field(default_factory=lambda: ({}, {}, []))

    def publish(self, body: bytes) -> dict[str, Any]:
        request = json.loads(body)
        producer, first = request["producer"], request["first"]
        if first == 1:
            self.known.setdefault(producer, 0)
        applied = self.known.get(producer)
        if applied is not None and first <= applied + 1:
            for number, message in enumerate(request["messages"], first):
                if number > applied:
                    self.apply(message["endpoint"], message["body"])
                    applied = number
            self.known[producer] = applied
        durable = self.disk[0].get(producer, 0) if self.keeps else None
        return {"server": str(self.life), "applied": applied, "durable": durable, "refused": []}

    def apply(self, endpoint: str, body: dict[str, Any]) -> None:
        if endpoint == "embedding":
            self.events.append(body["x"])
            return
        points = body["data"][0]["x"]
        if "otherwise" in body and body["win"] in self.windows:
            self.windows[body["win"]][1].extend(points if body["otherwise"] else [])
        elif endpoint == "events":
            self.windows[body["win"]] = (body["opts"]["title"], list(points))
        else:
            self.windows.setdefault(body["win"], ("", []))[1].extend(points)

    def flush(self) -> None:
        if self.keeps:
            self.disk = (
                dict(self.known),
                {win: (title, list(points)) for win, (title, points) in self.windows.items()},
                [*self.events],
            )

    def restart(self) -> None:
        self.life += 1
        known, windows, events = self.disk if self.keeps else ({}, {}, [])
        self.known, self.events = dict(known), list(events)
        self.windows = {win: (title, list(points)) for win, (title, points) in windows.items()}


class Publisher:
    """What the sender does, without its thread."""

    def __init__(self, server: Server, **options: Any) -> None:
        self.server = server
        self.outbox = Outbox(**options)
        self.windows = Windows()

    def put(self, message: Message) -> bool:
        taken = self.outbox.offer(message, window_exists=self.windows.is_sure(message.window))
        if taken:
            self.windows.published(message)
        return taken

    def exchange(self, lose: str = "") -> None:
        request = self.outbox.request()
        if lose == "request":
            return
        reply = self.server.publish(request.encoded())
        if lose != "reply":
            self.take(reply)

    def take(self, reply: dict[str, Any]) -> None:
        receipt = self.outbox.receive(reply)
        for item in receipt.confirmed:
            self.windows.confirmed(item.message, creation_of(item.message))
        if not receipt.known:
            missing = [each for each in self.windows.creations() if each.window[1] not in self.server.windows]
            self.outbox.begin_again([each.if_missing() for each in missing])

    def settle(self) -> None:
        for _ in range(1000):
            if not self.outbox.has_news and not self.outbox.awaits_confirmation:
                return
            self.exchange()
            self.server.flush()
        raise AssertionError("does not come to an end")


class Publishing(RuleBasedStateMachine):
    """What happens to every publisher, whatever it keeps its messages in. Subclasses set up what is annotated."""

    server: Server
    publisher: Publisher
    count: int
    expected: dict[str, tuple[str, list[int]]]
    """The title and the numbers of each window."""

    wins = Bundle("wins")

    @rule(target=wins, win=st.sampled_from(["u", "v"]))
    def make(self, win: str) -> str:
        self.count += 1
        self.publisher.put(plot(f"title {self.count}", win))
        self.expected[win] = (f"title {self.count}", [])
        return win

    @rule(lose=st.sampled_from(["", "", "request", "reply"]))
    def exchange(self, lose: str) -> None:
        self.publisher.exchange(lose)

    @rule()
    def flush(self) -> None:
        self.server.flush()

    @rule()
    def restart_the_server(self) -> None:
        self.server.restart()
