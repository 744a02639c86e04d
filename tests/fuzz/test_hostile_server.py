"""Python programs whose server is broken, or hostile: they go on, and are served again as soon as it is well."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import visdom
from hypothesis import given
from hypothesis import strategies as st

from tests.client.messages.test_outbox import Publisher, Server, point
from tests.fuzz.values import NUMBERS, RAW, VALUES, examples, nearly, text_of
from tests.support.peer import WELCOME
from tests.support.wait import until
from visdom_transport.client.asking.answers import Answer
from visdom_transport.client.asking.backoff import Backoff
from visdom_transport.client.asking.proof import publish_reply
from visdom_transport.client.messages.outbox import Outbox
from visdom_transport.client.source import events as source_module
from visdom_transport.client.source.events import EventListener
from visdom_transport.client.source.stream import FEED, EventStream, LinkLost, Message

SUBSCRIBED = {"type": "subscribed", "feed": FEED, "epoch": "e", "offset": 0, "recovered": False, "reason": "new"}
BATCH = {"type": "batch", "feed": FEED, "epoch": "e", "from": 0, "to": 1, "complete": True, "missed": 0, "events": []}
EVENT = {"target": "w", "eid": "main", "event_type": "KeyPress"}

SECONDS = NUMBERS | st.floats(0.1, 100)
EVENTS = st.lists(nearly(EVENT) | VALUES, max_size=3)
MESSAGES = st.one_of(
    nearly(WELCOME, heartbeat_s=SECONDS, dead_after_s=SECONDS, poll_wait_s=SECONDS),
    nearly(SUBSCRIBED, offset=NUMBERS, reason=st.sampled_from(["epoch", "trimmed", "resumed"]), recovered=st.just(True)),
    nearly(BATCH, **{"from": NUMBERS, "to": NUMBERS, "missed": NUMBERS, "events": EVENTS}),
    nearly({"type": "close", "code": 4000, "reason": "replaced"}, code=st.integers(3990, 4060) | NUMBERS),
    nearly({"type": "reply", "id": 1, "error": None}),
    st.sampled_from([{"type": "ping"}, {"type": "pong"}, {"type": "error"}, {"command": "alive", "data": "vis_alive"}]),
    VALUES,
)


# --- the event stream, without I/O ---


@examples(80)
@given(st.lists(MESSAGES, max_size=12))
def test_a_stream_takes_nothing_wrong_from_its_server(messages: list[Any]) -> None:
    heard: list[Any] = []
    stream = EventStream(heard.append, lambda missed: None)
    now = 100.0
    stream.open(now)
    for message in messages:
        now += 1
        try:
            stream.take(message, now)
            stream.check(now)
        except LinkLost as lost:
            stream.closed(lost.code)
            stream.open(now)
        assert 0 <= stream.check_in_s(now) <= 86_400
        assert 0 <= stream.poll_wait_s <= 86_400
        position = stream.feeds()[FEED]
        assert position is None or (type(position["epoch"]), type(position["offset"])) == (str, int)
    stream.open(now)
    stream.take(WELCOME, now)
    stream.take({**SUBSCRIBED, "epoch": "new", "offset": 5, "reason": "epoch"}, now)
    heard.clear()
    stream.take({**BATCH, "epoch": "new", "from": 5, "to": 6, "events": [EVENT]}, now)
    assert heard == [EVENT], "a good server is not understood any more"


# --- the thread that follows it ---


class Link:
    """Says what it was told to, and then ends."""

    acknowledges = True
    polls = False
    id = None

    def __init__(self, messages: list[Any], is_ours: bool) -> None:
        self.messages = messages
        self.is_ours = is_ours

    def send(self, messages: list[Message]) -> None: ...
    def drop(self) -> None: ...
    def release(self) -> None: ...

    def receive(self, wait_s: float, feeds: Mapping[str, Any]) -> list[Message] | None:
        if not self.messages:
            raise LinkLost("nothing more to say")
        return [self.messages.pop(0)]


@pytest.fixture
def quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("visdom", "visdom_transport.source")]
    for logger in loggers:
        logger.disabled = True
    yield
    for logger in loggers:
        logger.disabled = False


@pytest.mark.usefixtures("quiet")
@examples(30)
@given(st.lists(st.tuples(st.lists(MESSAGES, max_size=4), st.booleans()), max_size=4))
def test_the_thread_of_a_client_outlives_what_its_server_says(links: list[tuple[list[Any], bool]]) -> None:
    heard: list[Any] = []
    last = [WELCOME, {**SUBSCRIBED, "epoch": "new"}, {**BATCH, "epoch": "new", "events": [{**EVENT, "last": True}]}]
    waiting = [*links, (last, True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_module, "connect", lambda *_, **__: Link(*(waiting.pop(0) if waiting else ([], True))))
        vis: Any = _client(heard.append)
        source = EventListener(vis)
        source._backoff = Backoff(uniform=lambda low, high: 0.0)
        source._may_enter = lambda code: True  # type: ignore[method-assign]
        patch.setattr(source_module, "HOPELESS", frozenset())
        source.thread.start()
        until(lambda: any(isinstance(event, dict) and event.get("last") for event in heard), "the last event", timeout_s=5)
        source.close()
    assert not source.thread.is_alive()


def _client(handler: Any) -> Any:
    """What a source needs of a `visdom.Visdom`, with a handler for one window of all environments."""
    vis = SimpleNamespace(server="http://x", port=1, base_url="", username=None, use_socket=True, socket_alive=False)
    vis.socket_connection_achieved = False
    vis.event_handlers = {"w": [handler], (None, "w"): [handler]}
    if hasattr(visdom.Visdom, "_handle_incoming_message"):
        vis._handle_incoming_message = lambda raw: visdom.Visdom._handle_incoming_message(vis, raw)
    return vis


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("event", [{"target": []}, {"target": {}}, {"target": "w", "eid": []}, {"target": None}, [], None])
def test_an_event_that_nobody_can_handle_keeps_no_other_from_its_handlers(event: Any) -> None:
    heard: list[Any] = []
    source = EventListener(_client(heard.append))
    stream = source._stream
    stream.open(0.0)
    stream.take(WELCOME, 0.0)
    stream.take(SUBSCRIBED, 0.0)
    stream.take({**BATCH, "to": 2, "events": [event, EVENT]}, 0.0)
    assert heard == [EVENT]
    assert threading.active_count() < 50


# --- publishers ---

REPLIES = st.one_of(
    nearly(
        {"server": "0", "applied": 1, "durable": None, "refused": []},
        applied=NUMBERS | st.none(),
        durable=NUMBERS,
        refused=st.lists(nearly({"number": 1, "error": {"code": "c", "field": None}}, number=NUMBERS) | VALUES, max_size=2),
    ).map(text_of),
    VALUES.map(text_of),
    RAW,
)


@examples(80)
@given(st.lists(REPLIES | st.sampled_from(["point", "exchange", "lost"]), max_size=12))
def test_a_publisher_goes_on_whatever_it_is_answered(plan: list[bytes | str]) -> None:
    server = Server()
    publisher = Publisher(server)
    assert isinstance(publisher.outbox, Outbox)
    for number, step in enumerate(plan):
        if step == "point":
            publisher.put(point(number))
        elif step in ("exchange", "lost"):
            publisher.exchange("reply" if step == "lost" else "")
        else:
            content = step if isinstance(step, bytes) else step.encode("utf-8", "surrogatepass")
            reply = publish_reply(Answer(200, {"content-type": "application/json"}, content))
            publisher.outbox.request()
            if reply is not None:
                publisher.take(reply)
    publisher.put(point(99))
    publisher.settle()
    assert 99 in server.windows["w"][1]
