"""When an event is taken: what it carries of the pane is what the answer to the one before it has made of it."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.stock_peers import StockPoll, StockSocket
from tests.support.wait import until
from visdom_transport.core.errors import CloseCode
from visdom_transport.links.flusher import clock
from visdom_transport.visdom.serving.line import MAX_WAITING_BYTES
from visdom_transport.visdom.state.turns import event_pane

Serve = Callable[..., LocalServer]

FOR_EVER = {"answer_wait_s": 60}
WIN = "typed"
PAGES = ("own", "stock", "own poll", "stock poll")


class Page:
    """A page that presses keys, in the order of the calls and without waiting for what becomes of them."""

    def __init__(self, server: LocalServer, kind: str) -> None:
        makers = {"own": OwnSocket, "stock": StockSocket, "own poll": OwnPoll, "stock poll": StockPoll}
        self.client: Any = makers[kind](server)
        self._requests = ThreadPoolExecutor(1)
        self._last = 0

    def press(self, *keys: str, win: str = WIN, **members: Any) -> Future[Any] | None:
        data = [{"event_type": "KeyPress", "eid": "main", "target": win, "key": key, **members} for key in keys]
        return self.say(*({"cmd": "forward_to_vis", "data": each} for each in data))

    def say(self, *commands: dict[str, Any]) -> Future[Any] | None:
        client = self.client
        if isinstance(client, StockSocket):
            for command in commands:
                client.send(command)
        elif isinstance(client, StockPoll):
            return self._requests.submit(lambda: [client.send(**command) for command in commands])
        else:
            messages = [{"type": "command", "id": self._last + n, "command": each} for n, each in enumerate(commands, 1)]
            self._last += len(messages)
            if isinstance(client, OwnPoll):
                return self._requests.submit(lambda: client.send(*messages))
            for message in messages:
                client.send(message)
        return None

    def request(self, key: str) -> tuple[str, dict[str, Any]]:
        """The path and body of the request with which one that polls presses a key."""
        command = {"cmd": "forward_to_vis", "data": {"event_type": "KeyPress", "eid": "main", "target": WIN, "key": key}}
        client = self.client
        if isinstance(client, StockPoll):
            return client.path, {"sid": client.sid, "message_type": "send", "message": json.dumps(command)}
        message = {"type": "command", "id": 100, "command": command}
        return "/transport/send", {"link": client.link, "secret": client.secret, "messages": [message]}

    def close(self) -> None:
        if isinstance(self.client, OwnSocket | StockSocket):
            self.client.close()
        self._requests.shutdown()


@pytest.fixture
def press_in(serve: Serve) -> Iterator[Callable[..., tuple[LocalServer, Page]]]:
    """Makes a server with the pane, and a page of a kind."""
    pages = []

    def make(kind: str = "own", **settings: Any) -> tuple[LocalServer, Page]:
        server = serve(settings=FOR_EVER | settings)
        server.text(WIN, "")
        pages.append(Page(server, kind))
        return server, pages[-1]

    yield make
    for page in pages:
        page.close()


class Source(OwnSocket):
    """A Python client whose handlers are done when the test says so."""

    def __init__(self, server: LocalServer) -> None:
        super().__init__(server, "events", role="source", acknowledge=False)
        self.receive_type("subscribed")

    def events(self) -> list[Any]:
        """The events of the next batch."""
        events: list[Any] = self.receive_type("batch")["events"]
        return events

    def done(self) -> None:
        """The handlers have dealt with everything that has arrived."""
        self.send({"type": "ack", "batches": self.batches})


def waits(server: LocalServer) -> bool:
    """Whether a message waits for its turn."""
    return bool(server.app.transport.turns._waiting)


@pytest.mark.parametrize("kind", PAGES)
def test_a_key_waits_until_the_one_before_it_is_written_back(press_in: Callable[..., Any], kind: str) -> None:
    server, page = press_in(kind)
    with Source(server) as source:
        page.press(*"visdom")
        text = ""
        for key in "visdom":
            (event,) = source.events()
            assert (event["key"], event["pane_data"]["content"]) == (key, text)
            if key != "m":
                until(lambda: waits(server), "the next key waits")
            text += key
            server.text(WIN, text)
            source.done()
    assert server.windows()[WIN]["content"] == "visdom"


@pytest.mark.parametrize("kind", PAGES)
def test_a_key_does_not_wait_for_handlers_that_are_done_and_wrote_nothing(press_in: Callable[..., Any], kind: str) -> None:
    server, page = press_in(kind)
    with Source(server) as source:
        page.press("a", "b")
        assert [event["key"] for event in source.events()] == ["a"]
        until(lambda: waits(server), "the next key waits")
        source.done()
        assert [event["key"] for event in source.events()] == ["b"]


def test_a_source_that_polls_is_done_with_its_next_poll(press_in: Callable[..., Any]) -> None:
    server, page = press_in()
    source = OwnPoll(server, "events", role="source")
    page.press("a", "b")
    (batch,) = source.poll(5)
    assert [event["key"] for event in batch["events"]] == ["a"]
    until(lambda: waits(server), "the next key waits")
    (batch,) = source.poll(5)
    assert [event["key"] for event in batch["events"]] == ["b"]


@pytest.mark.parametrize("kind", PAGES)
def test_what_a_page_says_after_a_key_that_waits_comes_after_it(press_in: Callable[..., Any], kind: str) -> None:
    server, page = press_in(kind)
    server.text("other", "")
    with Source(server) as source:
        page.press("a", "b")
        page.press("c", pane_data=False)
        page.press("d", win="other")
        page.say({"cmd": "close", "data": WIN, "eid": "main"})
        assert [event["key"] for event in source.events()] == ["a"]
        until(lambda: waits(server), "the next key waits")
        server.text(WIN, "a")
        seen: list[str] = []
        while len(seen) < 4:
            seen += [event.get("key", event["event_type"]) for event in source.events()]
            source.done()
        assert seen == ["b", "c", "d", "close"]


def test_stock_requests_that_wait_at_the_same_time_keep_their_order(press_in: Callable[..., Any]) -> None:
    server, page = press_in("stock poll")
    twin = Page(server, "stock poll")
    twin.client.sid = page.client.sid
    with Source(server) as source:
        page.press("a", "b")
        assert [event["key"] for event in source.events()] == ["a"]
        until(lambda: waits(server), "the next key waits")
        overtaken = twin.press("c", pane_data=False)
        assert overtaken is not None
        assert source.silent() == []
        server.text(WIN, "a")
        source.done()
        assert [event["key"] for event in (*source.events(), *source.events())] == ["b", "c"]
        overtaken.result(5)
    twin.close()


def test_of_two_pages_each_waits_for_the_answer_to_the_other(press_in: Callable[..., Any]) -> None:
    server, page = press_in()
    other = Page(server, "stock")
    with Source(server) as source:
        page.press("a")
        assert [event["key"] for event in source.events()] == ["a"]
        page.press("b")
        other.press("c")
        until(lambda: len(server.app.transport.turns._waiting) == 2, "both wait")
        text = "a"
        server.text(WIN, text)
        source.done()
        for _ in range(2):
            (event,) = source.events()
            assert event["pane_data"]["content"] == text
            text += event["key"]
            server.text(WIN, text)
            source.done()
    assert sorted(text) == ["a", "b", "c"]
    other.close()


def test_other_pages_and_other_panes_do_not_wait(press_in: Callable[..., Any]) -> None:
    server, page = press_in()
    server.text("other", "")
    other = Page(server, "own")
    with Source(server) as source:
        page.press("a", "b")
        assert [event["key"] for event in source.events()] == ["a"]
        until(lambda: waits(server), "the next key waits")
        other.press("c", win="other")
        other.press("d", pane_data=False)
        other.press("e", win="nowhere")
        assert [event["key"] for event in (*source.events(), *source.events())] == ["c", "d"]
        assert waits(server)
    other.close()


def test_a_handler_that_takes_long_is_waited_for_once(press_in: Callable[..., Any]) -> None:
    server, page = press_in(answer_wait_s=0.5)
    with Source(server) as source:
        page.press("a")
        source.events()
        began = time.monotonic()
        for number in range(1, 21):
            page.press(str(number))
        seen: list[str] = []
        while len(seen) < 20:
            seen += [event["key"] for event in source.events()]
            assert time.monotonic() - began >= 0.5
            source.done()
        assert time.monotonic() - began < 9, "each was waited for: 10 s"
        assert seen == [str(number) for number in range(1, 21)]


def test_a_source_that_leaves_is_not_waited_for(press_in: Callable[..., Any]) -> None:
    server, page = press_in()
    with OwnSocket(server, "events") as witness:
        witness.receive_type("subscribed")
        with Source(server) as source:
            page.press("a", "b")
            source.events()
            until(lambda: waits(server), "the next key waits")
        witness.until(lambda: len(witness.replicas.events.get("events", [])) == 2, "both keys")


@pytest.mark.parametrize("change", ["close", "delete_env", "update"])
def test_a_key_does_not_wait_for_a_pane_that_is_another_now(press_in: Callable[..., Any], change: str) -> None:
    server, page = press_in()
    with Source(server) as source:
        page.press("a", "b")
        source.events()
        until(lambda: waits(server), "the next key waits")
        if change == "close":
            server.post("/close", {"win": WIN, "eid": "main"}).raise_for_status()
        elif change == "delete_env":
            server.run(lambda: server.app.state.__setitem__("main", {"jsons": {}, "reload": {}}))
        else:
            append = {"data": [{"type": "text", "content": "more"}], "win": WIN, "eid": "main", "append": True}
            server.post("/update", append).raise_for_status()
        until(lambda: not waits(server), "it waits no more")


def test_a_source_of_stock_does_not_say_when_it_is_done_and_is_not_waited_for(press_in: Callable[..., Any]) -> None:
    server, page = press_in()
    with StockSocket(server, "source") as source:
        assert source.receive() == {"command": "alive", "data": "vis_alive"}
        page.press("a", "b")
        assert [source.receive()["key"] for _ in range(2)] == ["a", "b"]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("kind", ["own", "stock"])
def test_a_key_that_waits_is_taken_although_its_page_has_gone(press_in: Callable[..., Any], kind: str, how: str) -> None:
    server, page = press_in(kind)
    with Source(server) as source:
        page.press("a", "b")
        source.events()
        until(lambda: waits(server), "the next key waits")
        connection = page.client.connection.sock
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        server.text("other", "what the server cannot tell the page")
        assert source.silent() == []
        server.text(WIN, "a")
        assert [event["key"] for event in source.events()] == ["b"]
        until(lambda: not server.sessions(role="browser", link="websocket"), "the page is gone")


@pytest.mark.parametrize("kind", ["own poll", "stock poll"])
def test_a_key_that_waits_is_taken_although_its_request_was_given_up(press_in: Callable[..., Any], kind: str) -> None:
    server, page = press_in(kind)
    path, body = page.request("b")
    with Source(server) as source:
        page.press("a")
        assert [event["key"] for event in source.events()] == ["a"]
        with pytest.raises(requests.ReadTimeout):
            requests.post(server.url(path), data=json.dumps(body), timeout=0.3)
        assert waits(server)
        server.text(WIN, "a")
        (event,) = source.events()
        assert (event["key"], event["pane_data"]["content"]) == ("b", "a")


def test_a_chain_that_ends_while_something_waits_says_so(press_in: Callable[..., Any]) -> None:
    server, page = press_in("own poll")
    hub = server.app.transport.hub
    with Source(server) as source:
        sent = page.press("a", "b")
        assert sent is not None
        assert [event["key"] for event in source.events()] == ["a"]
        until(lambda: waits(server), "the next key waits")
        session = hub.sessions[page.client.welcome["session"]]
        server.run(lambda: hub.end_session(session, CloseCode.GOING_AWAY, clock()))
        source.done()
        assert [message["code"] for message in sent.result(5)] == [CloseCode.GOING_AWAY]
        assert source.silent() == []


def test_a_page_says_what_it_has_drawn_and_is_answered_while_its_key_waits(press_in: Callable[..., Any]) -> None:
    server, page = press_in()
    with Source(server) as source:
        page.press("a", "b")
        source.events()
        until(lambda: waits(server), "the next key waits")
        page.client.ask({"type": "ping"}, "pong")
        page.client.send({"type": "subscribe", "feed": "env/main", "position": None})
        page.client.receive_type("subscribed")
        page.client.send_text("no JSON")
        assert page.client.receive_type("error")["code"] == "bad_message"
        assert waits(server)


def test_of_a_page_that_says_much_no_more_is_read_than_may_wait(press_in: Callable[..., Any]) -> None:
    server, page = press_in()
    long = "x" * (MAX_WAITING_BYTES // 2)
    with Source(server) as source:
        page.press("a", "b", long, long)
        source.events()
        until(lambda: waits(server), "the next key waits")
        page.client.send({"type": "ping"})
        assert [message["type"] for message in page.client.silent()] == ["reply"]
        server.text(WIN, "a")
        keys: list[str] = []
        while len(keys) < 3:
            keys += [event["key"] for event in source.events()]
            source.done()
        assert keys == ["b", long, long]
        page.client.receive_type("pong")


@pytest.mark.parametrize("data", ['{"cmd": "forward_to_vis", "data"', '{"cmd": "forward_to_vis", "data": {}}', "forward_to_vis"])
def test_what_is_no_command_does_not_wait(data: str) -> None:
    assert event_pane(data) is None
    assert event_pane(data.encode()) is None


@pytest.mark.parametrize(
    ("members", "pane"),
    [
        ({}, ("main", "w")),
        ({"pane_data": {"content": ""}}, ("main", "w")),
        ({"pane_data": None}, ("main", "w")),
        ({"pane_data": False}, None),
        ({"target": None}, None),
        ({"eid": 5}, None),
    ],
)
def test_an_event_names_the_pane_it_is_to_carry(members: dict[str, Any], pane: Any) -> None:
    command = {"cmd": "forward_to_vis", "data": {"eid": "main", "target": "w", **members}}
    for message in (command, {"type": "command", "id": 1, "command": command}):
        assert event_pane(message) == pane
        assert event_pane(json.dumps(message)) == pane
        assert event_pane(json.dumps(message).encode()) == pane


@pytest.mark.parametrize(
    "message", [None, 5, [], {}, {"cmd": "forward_to_vis"}, {"type": "command"}, {"cmd": "save", "data": {}}]
)
def test_other_messages_name_none(message: Any) -> None:
    assert event_pane(message) is None
