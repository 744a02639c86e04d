"""The wire protocol, as spoken by somebody who means harm or knows no better (docs/protocol.md, without sockets).

Only `LinkClosed` ends a link, whatever is wrong is answered, and nobody else notices.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.core.world import LIMITS, Client, World
from tests.fuzz.values import NAMES, NUMBERS, RAW, VALUES, examples, nearly, text_of
from visdom_transport.core.conversation import Conversation
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.errors import LinkClosed, MessageError
from visdom_transport.core.session import REMEMBERED_REPLIES, Session
from visdom_transport.core.state_feed import StateFeed

FEEDS = ("env/a", "env/b", "bare", "events")

SECRETS = st.sampled_from(["$session", "$link", "$own session", "$own secret", "$own link"])
"""Stand for the session id and link id of the other client, and for what this one was told."""

OFFSETS = st.integers(-3, 12) | NUMBERS
POSITIONS = st.one_of(
    st.none(),
    nearly(
        {"epoch": "", "offset": -1, "ahead": {}, "have": {}},
        epoch=st.just("$epoch"),
        offset=OFFSETS,
        ahead=st.dictionaries(st.sampled_from("wxz"), OFFSETS, max_size=3),
        have=st.dictionaries(st.sampled_from("wxz"), st.sampled_from(["$content", "c"]), max_size=3),
    ),
    VALUES,
)
FEED_NAMES = st.sampled_from(FEEDS) | NAMES
SUBSCRIPTIONS = st.dictionaries(FEED_NAMES, POSITIONS, max_size=5)
COUNTS = st.integers(0, 5) | NUMBERS

HELLO = {"type": "hello", "role": "browser", "session": None, "secret": None, "window": 2, "feeds": {}}
MESSAGES = st.one_of(
    nearly(HELLO, session=SECRETS, secret=SECRETS, window=COUNTS, feeds=SUBSCRIPTIONS, role=st.just("source")),
    nearly({"type": "subscribe", "feed": "env/a", "position": None}, feed=FEED_NAMES, position=POSITIONS),
    nearly({"type": "unsubscribe", "feed": "env/a"}, feed=FEED_NAMES),
    nearly({"type": "ack", "batches": 1}, batches=COUNTS),
    nearly({"type": "credit", "window": 1}, window=COUNTS),
    nearly({"type": "command", "id": 1, "command": {"cmd": "note"}}, id=COUNTS, command=nearly({"cmd": "note", "number": 1})),
    st.sampled_from([{"type": "ping"}, {"type": "pong"}, {"type": "batch"}, {"type": "welcome"}]),
    VALUES,
)
ACTIONS = st.one_of(
    st.tuples(st.just("say"), MESSAGES),
    st.tuples(st.just("say"), MESSAGES),
    st.tuples(st.just("raw"), RAW),
    st.tuples(st.just("again"), st.integers(0, 20)),
    st.tuples(st.just("present"), SUBSCRIPTIONS | VALUES),
    st.tuples(st.just("publish"), st.sampled_from(["set", "update", "delete", "event"])),
    st.tuples(st.just("tick"), st.sampled_from([0.0, 9.0])),
)
PLANS = st.tuples(st.sampled_from(["websocket", "poll"]), st.lists(ACTIONS, max_size=25))


class Harmed(World):
    """A world with one client that behaves, and one that does not."""

    def __init__(self) -> None:
        super().__init__(LIMITS)
        for key in "wxz":
            self.set("env/a", key, 60)
            self.set("bare", key, 60)
        self.good = Client(self, ("env/a", "bare", "events"))
        self.good.settle()
        self.conversation: Conversation
        self.said: list[bytes | str] = []
        self.own: dict[str, Any] = {}
        self.begin("websocket")

    def carry_out(self, session: Session, command: dict[str, Any]) -> Any:
        if command["cmd"] != "note":
            raise MessageError("unknown_command", "no such command", "cmd")
        return command.get("number")

    # --- the one that does not behave ---

    def begin(self, kind: str) -> None:
        self.kind = kind
        self.conversation = Conversation(self.hub, kind, self.now, self.carry_out, {"server": "1"})
        self.links.append(self.conversation.link)

    def raw(self, data: bytes | str) -> list[Any]:
        """What it is answered, batches left out. An ended link is followed by another one."""
        self.said.append(data)
        return self._do(lambda: self.conversation.receive(data, self.now))

    def present(self, feeds: Any) -> list[Any]:
        return self._do(lambda: self.conversation.present(feeds, self.now))

    def _do(self, what: Any) -> list[Any]:
        link = self.conversation.link
        try:
            what()
        except LinkClosed as closed:
            self.hub.end(link, closed.code, self.now)
            self.begin(self.kind)
            return [{"type": "close", "code": int(closed.code)}]
        answers = [decode(each) for each in link.control]
        for message in map(decode, link.take_messages()):
            if message["type"] == "welcome":
                self.own = message
        return answers

    def filled_in(self, value: Any) -> Any:
        """With real ids in the place of those that start with "$"."""
        if isinstance(value, dict):
            return {key: self.filled_in(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled_in(item) for item in value]
        if not isinstance(value, str) or not value.startswith("$"):
            return value
        good = self.good.conversation
        return {
            "$session": self.good.session,
            "$link": good.link.id if good is not None else None,
            "$own session": self.own.get("session"),
            "$own secret": self.own.get("secret"),
            "$own link": self.own.get("link"),
            "$epoch": self.hub.feeds["env/a"].epoch,
            "$content": self.state["env/a"].get("w", {}).get("contentID"),
        }.get(value)

    # --- what must stay as it is ---

    def others(self) -> Any:
        """All there is to know about the other client's session and link."""
        assert self.good.session is not None
        session = self.hub.sessions[self.good.session]
        (status,) = [
            each
            for each, known in zip(self.hub.status(self.now)["sessions"], self.hub.sessions.values(), strict=True)
            if known is session
        ]
        link = session.link
        assert link is not None, "the other client has lost its link"
        cursors = {name: copy.copy(subscription.cursor) for name, subscription in session.subscriptions.items()}
        return status, cursors, list(link.control), list(link.in_flight), link.credit, session.last_command, dict(session.replies)

    def publish(self, what: str) -> None:
        feed, key = "env/a", "w"
        if what == "event":
            World.publish(self)
        elif what == "set" or key not in self.state[feed]:
            self.set(feed, key, 30)
        elif what == "update":
            self.update(feed, key, ["extend", ["x"], [self.count()]])
        else:
            self.delete(feed, key)
        self.flush()

    def check(self) -> None:
        self.audit()
        encode(self.hub.status(self.now))
        assert len(self.hub.sessions) <= 1 + len(self.links)
        for session in self.hub.sessions.values():
            assert len(session.subscriptions) <= self.limits.max_subscriptions
            assert len(session.replies) <= REMEMBERED_REPLIES
        for feed in self.hub.feeds.values():
            assert isinstance(feed, StateFeed) or feed.name == "events"
        for link in self.links[:-1]:
            assert not link.control or link.reader is not None, "something is kept for a link that has ended"


def expected(message: Any, greeted: bool) -> set[str]:
    """The types one of which must answer `message`; the empty set says that nothing must. Written from docs/protocol.md."""
    if not greeted:
        return {"close", "welcome", "error"}
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return {"error"}
    kind = message["type"]
    field = {"subscribe": "feed", "unsubscribe": "feed", "ack": "batches", "credit": "window", "command": "id"}.get(kind)
    if kind in ("ping", "pong"):
        return {"pong"} if kind == "ping" else set()
    if field is None:
        return {"error"}
    value = message.get(field)
    good = isinstance(value, str) if field == "feed" else isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not good or (kind == "command" and value == 0):
        return {"error"}
    return {"subscribe": {"subscribed", "error"}, "command": {"reply"}}.get(kind, set())


@examples(60)
@given(PLANS)
def test_nothing_said_on_a_link_harms_the_server_or_another_client(plan: tuple[str, list[tuple[str, Any]]]) -> None:
    kind, actions = plan
    world = Harmed()
    world.begin(kind)
    for what, argument in actions:
        if what in ("publish", "tick"):
            if what == "publish":
                world.publish(argument)
            else:
                world.now += argument
                world.good.up.append({"type": "pong"})
                world.tick()
            world.good.exchange()
            world.good.exchange()
        else:
            _one_step(world, what, argument)
        world.check()
    world.good.settle()
    world.now += world.limits.dead_after_s + world.limits.grace_s + 1
    world.hub.tick(world.now)
    world.now += world.limits.grace_s + 1
    world.hub.tick(world.now)
    assert not world.hub.sessions, "a session outlives its link and its grace period"


def _one_step(world: Harmed, what: str, argument: Any) -> None:
    before = world.others()
    greeted = world.conversation.session is not None
    if what == "say":
        message = decode(text_of(world.filled_in(argument)))
        wanted = expected(message, greeted)
        answers = world.raw(text_of(message))
        if wanted:
            assert {answer["type"] for answer in answers} & wanted, (message, answers)
        for answer in answers:
            if answer["type"] == "error" and isinstance(message, dict) and message.get("type") != "hello":
                assert isinstance(answer["field"], str), (message, answer)
    elif what == "raw":
        world.raw(argument)
    elif what == "again" and world.said:
        world.raw(world.said[argument % len(world.said)])
    elif what == "present" and greeted:
        world.present(decode(text_of(world.filled_in(argument))))
    assert world.others() == before, "another client notices"
