"""Conversations: what every message does, and what a wrong one is answered (docs/protocol.md, sections 2, 5, 6, 7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.world import World
from visdom_transport.core.conversation import Conversation
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.errors import CloseCode, LinkClosed, MessageError
from visdom_transport.core.limits import Limits
from visdom_transport.core.quota import BURST_S
from visdom_transport.core.session import REMEMBERED_REPLIES

HELLO: dict[str, Any] = {"type": "hello", "role": "browser", "session": None, "secret": None, "window": 4, "feeds": {}}


class Talk:
    """One link to a world, spoken to by hand."""

    def __init__(self, world: World, kind: str = "websocket", **hello: Any) -> None:
        self.world = world
        self.closed: CloseCode | None = None
        self.conversation = Conversation(world.hub, kind, world.now, world.carry_out, {"server": "s", "readonly": False})
        self.link = self.conversation.link
        self.link.on_close = self.close
        self.opening = self.say(HELLO | hello)

    def close(self, code: CloseCode) -> None:
        self.closed = code

    def say(self, message: Any) -> list[dict[str, Any]]:
        """Send one message; return what the link then says."""
        self.conversation.receive(encode(message), self.world.now)
        return self.heard()

    def heard(self) -> list[dict[str, Any]]:
        return [decode(message) for message in self.link.take_messages()]

    def present(self, feeds: Any) -> list[dict[str, Any]]:
        self.conversation.present(feeds, self.world.now)
        return self.heard()

    def lives(self) -> bool:
        return [message["type"] for message in self.say({"type": "ping"})] == ["pong"]

    @property
    def identity(self) -> dict[str, str]:
        return {key: self.opening[0][key] for key in ("session", "secret")}


@pytest.fixture
def world() -> World:
    return World(Limits(max_subscriptions=3, window_batches=2))


@pytest.fixture
def answers(world: World) -> list[None]:
    """Grows when a source may be done with what it was sent."""
    answers: list[None] = []
    world.hub.on_answer = lambda: answers.append(None)
    return answers


# --- opening ---


def test_welcome_tells_who_the_client_is_and_how_to_behave(world: World) -> None:
    (welcome,) = Talk(world).opening
    limits = world.limits
    assert welcome["type"] == "welcome"
    assert welcome["resumed"] is False
    assert {welcome["session"]} == world.hub.sessions.keys()
    assert welcome["secret"]
    assert welcome["link"] not in (welcome["session"], welcome["secret"])
    assert (welcome["heartbeat_s"], welcome["dead_after_s"]) == (limits.heartbeat_s, limits.dead_after_s)
    assert (welcome["grace_s"], welcome["poll_wait_s"]) == (limits.grace_s, limits.poll_wait_s)
    assert welcome["window"] == limits.window_batches
    assert (welcome["server"], welcome["readonly"]) == ("s", False)


def test_welcome_then_a_verdict_for_each_feed_then_batches(world: World) -> None:
    world.set("env/a", "w", 10)
    talk = Talk(world, feeds={"env/a": None, "events": None})
    assert [(m["type"], m.get("feed")) for m in talk.opening] == [
        ("welcome", None),
        ("subscribed", "env/a"),
        ("subscribed", "events"),
        ("batch", "env/a"),
    ]
    assert talk.opening[1]["header"] == {"reload": {}}
    assert [talk.opening[1][key] for key in ("offset", "recovered", "reason")] == [0, False, "new"]


def test_a_known_session_is_resumed_with_its_secret(world: World) -> None:
    first = Talk(world)
    second = Talk(world, **first.identity)
    assert second.opening[0]["resumed"] is True
    assert second.identity == first.identity
    assert (first.closed, second.closed) == (CloseCode.REPLACED, None)
    assert len(world.hub.sessions) == 1
    assert world.hub.totals["resumes"] == 1


@pytest.mark.parametrize("secret", ["wrong", None, 5, "\ud800"])
def test_a_wrong_secret_ends_the_link_and_leaves_the_session_alone(world: World, secret: Any) -> None:
    first = Talk(world)
    with pytest.raises(LinkClosed) as caught:
        Talk(world, session=first.identity["session"], secret=secret)
    assert caught.value.code == CloseCode.WRONG_SECRET
    assert caught.value.code >= 4050, "the client must change something before it comes back"
    assert first.closed is None
    assert first.lives()


@pytest.mark.parametrize("session", ["unknown", 5, {"a": 1}, None])
def test_an_unknown_session_is_no_error(world: World, session: Any) -> None:
    (welcome,) = Talk(world, session=session, secret="s").opening
    assert welcome["resumed"] is False


def test_a_session_is_not_resumed_in_another_role(world: World) -> None:
    first = Talk(world)
    second = Talk(world, role="source", **first.identity)
    assert second.opening[0]["resumed"] is False
    assert second.identity != first.identity


def test_resuming_ends_the_subscriptions_that_are_not_named(world: World) -> None:
    first = Talk(world, feeds={"env/a": None, "env/b": None})
    Talk(world, feeds={"env/b": None}, **first.identity)
    assert world.hub.feeds.keys() == {"events", "env/b"}


@pytest.mark.parametrize(
    "message",
    [
        {"type": "ping"},
        HELLO | {"role": "admin"},
        {key: value for key, value in HELLO.items() if key != "role"},
        HELLO | {"feeds": ["env/a"]},
    ],
)
def test_a_wrong_opening_ends_the_link_as_not_this_protocol(world: World, message: Any) -> None:
    conversation = Conversation(world.hub, "websocket", world.now, world.carry_out, {})
    with pytest.raises(LinkClosed) as caught:
        conversation.receive(encode(message), world.now)
    assert caught.value.code == CloseCode.PROTOCOL
    assert not world.hub.sessions


@pytest.mark.parametrize("data", [encode(HELLO | {"window": -1}), b"no JSON", b"[]"])
def test_what_is_not_understood_before_the_hello_ends_the_link(world: World, data: bytes) -> None:
    """A loop of such messages once filled the hub with sessions that nobody had, or was answered for ever."""
    conversation = Conversation(world.hub, "websocket", world.now, world.carry_out, {})
    with pytest.raises(LinkClosed, match="the first message must be hello") as caught:
        conversation.receive(data, world.now)
    assert caught.value.code == CloseCode.PROTOCOL
    assert not world.hub.sessions


@pytest.mark.parametrize("kind", ["websocket", "poll"])
def test_too_many_subscriptions_at_once_end_the_link(world: World, kind: str) -> None:
    """Each was answered with an error of its own."""
    feeds = {f"env/{number}": None for number in range(4)}
    with pytest.raises(LinkClosed, match="max_subscriptions=3") as caught:
        Talk(world, kind, feeds=feeds)
    assert caught.value.code == CloseCode.LIMIT
    talk = Talk(world, kind)
    with pytest.raises(LinkClosed, match="max_subscriptions=3"):
        talk.present(feeds)


def test_too_many_sessions(world: World) -> None:
    world = World(Limits(max_sessions=1))
    Talk(world)
    with pytest.raises(LinkClosed) as caught:
        Talk(world)
    assert caught.value.code == CloseCode.LIMIT
    assert caught.value.code < 4050


def error(code: str, field: str | None, messages: list[dict[str, Any]], **context: Any) -> dict[str, Any]:
    """The error that must have been answered; its text must say something."""
    assert messages[0].get("message"), messages
    return {"type": "error", "code": code, "message": messages[0]["message"], "field": field, **context}


# --- messages that cannot be understood ---


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        (b"{", "bad_message", None),
        (b"NaN", "bad_message", None),
        (b"\xff", "bad_message", None),
        (b"[" * 100_000, "bad_message", None),
        (b"[]", "bad_message", "type"),
        (b"{}", "bad_message", "type"),
        (b'{"type":5}', "bad_message", "type"),
        (b'{"type":"dance"}', "bad_message", "type"),
        (b'{"type":"hello"}', "bad_message", "type"),
        (b'{"type":"\\ud800"}', "bad_message", "type"),
        (b'{"type":"ack"}', "bad_field", "batches"),
        (b'{"type":"ack","batches":true}', "bad_field", "batches"),
        (b'{"type":"ack","batches":1.5}', "bad_field", "batches"),
        (b'{"type":"credit","window":-1}', "bad_field", "window"),
        (b'{"type":"command","command":{"cmd":"note"}}', "bad_field", "id"),
        (b'{"type":"command","id":0,"command":{"cmd":"note"}}', "bad_field", "id"),
        (b'{"type":"subscribe"}', "bad_field", "feed"),
        (b'{"type":"unsubscribe","feed":7}', "bad_field", "feed"),
    ],
)
def test_a_message_that_is_not_understood_is_answered_and_the_link_stays(
    world: World, data: bytes, code: str, field: str | None
) -> None:
    talk = Talk(world)
    talk.conversation.receive(data, world.now)
    messages = talk.heard()
    assert messages == [error(code, field, messages)]
    assert talk.lives()
    assert world.hub.causes.totals["refused_messages"] == 1


@pytest.mark.parametrize(
    ("position", "field"),
    [
        ("here", "position"),
        ({"offset": 0}, "position.epoch"),
        ({"epoch": "e"}, "position.offset"),
        ({"epoch": "e", "offset": -2}, "position.offset"),
        ({"epoch": "e", "offset": True}, "position.offset"),
        ({"epoch": "e", "offset": 0, "ahead": [1]}, "position.ahead"),
        ({"epoch": "e", "offset": 0, "part": "1"}, "position.part"),
        ({"epoch": "e", "offset": 0, "ahead": {"a": "1"}}, "position.ahead"),
        ({"epoch": "e", "offset": 0, "have": {"a": 1}}, "position.have"),
        ({"epoch": "e", "offset": 0, "near": {"a": 1}}, "position.near"),
        ({"epoch": "e", "offset": 0, "near": [1]}, "position.near"),
        ({"epoch": "e", "offset": 0, "have": []}, "position.have"),
    ],
)
def test_a_malformed_position_is_refused_by_field_and_feed(world: World, position: Any, field: str) -> None:
    talk = Talk(world)
    messages = talk.say({"type": "subscribe", "feed": "env/a", "position": position})
    assert messages == [error("bad_field", field, messages, feed="env/a")]
    assert "env/a" not in world.hub.feeds
    again = Talk(world, feeds={"env/a": position})
    assert [message["type"] for message in again.opening] == ["welcome", "error"], "the link is open all the same"


def test_an_unknown_feed_is_answered(world: World) -> None:
    talk = Talk(world, feeds={"env/zoo": None, "env/a": None})
    messages = talk.opening[1:2]
    assert messages == [error("unknown_feed", "feed", messages, feed="env/zoo")]
    assert talk.opening[2]["feed"] == "env/a"


def test_more_subscriptions_than_allowed_are_refused(world: World) -> None:
    talk = Talk(world, feeds={"env/a": None, "env/b": None, "bare": None})
    messages = talk.say({"type": "subscribe", "feed": "events"})
    assert messages == [error("limit", "feed", messages, feed="events")]
    assert talk.say({"type": "subscribe", "feed": "env/a"})[0]["type"] == "subscribed", "an old one may begin again"


def test_nothing_is_heard_after_the_session_went_to_another_link(world: World) -> None:
    first = Talk(world)
    Talk(world, **first.identity)
    with pytest.raises(LinkClosed):
        first.say({"type": "command", "id": 1, "command": {"cmd": "note", "number": 1}})
    assert not world.applied


# --- subscriptions ---


def test_unsubscribing_ends_the_batches(world: World) -> None:
    talk = Talk(world, feeds={"env/a": None})
    talk.say({"type": "unsubscribe", "feed": "env/a"})
    talk.say({"type": "unsubscribe", "feed": "never"})
    world.set("env/a", "w", 0)
    world.flush()
    assert talk.heard() == []


def test_a_resumed_reader_gets_the_change_and_not_the_window(world: World) -> None:
    world.set("env/a", "w", 5_000)
    world.set("env/a", "v", 5_000)
    first = Talk(world, feeds={"env/a": None})
    batch = first.opening[-1]
    world.hub.detach(first.link, world.now)
    for number in range(20):
        world.update("env/a", "w", ["extend", ["x"], [number]])
    position = {"epoch": batch["epoch"], "offset": batch["to"]}
    second = Talk(world, feeds={"env/a": position}, **first.identity)
    verdict, catch_up = second.opening[1:]
    assert (verdict["recovered"], verdict["reason"]) == (True, "resumed")
    (entry,) = catch_up["entries"]
    assert (entry["key"], entry["base"], "value" in entry) == ("w", 0, False)
    assert len(encode(catch_up)) < 400


# --- credit ---


def test_no_more_batches_than_the_window_until_they_are_acknowledged(world: World) -> None:
    talk = Talk(world, feeds={"env/a": None})
    assert len(talk.link.in_flight) == 1
    world.set("env/a", "w", 0)
    assert len(talk.heard()) == 1
    for number in range(5):
        world.update("env/a", "w", ["extend", ["x"], [number]])
        assert talk.heard() == [], "the window of 2 is full"
    (batch,) = talk.say({"type": "ack", "batches": 1})
    assert batch["to"] == 6, "what came meanwhile is conflated"
    assert talk.say({"type": "ack", "batches": 1}) == [], "an old number is no news"
    talk.say({"type": "ack", "batches": 99})
    assert talk.link.in_flight_bytes == 0
    world.set("env/a", "w", 0)
    assert len(talk.heard()) == 1
    assert talk.link.in_flight_bytes > 0, "too large a number does not count for later batches"


def test_an_acknowledgement_may_come_later_than_the_drawing_it_tells_of(world: World) -> None:
    talk = Talk(world, feeds={"env/a": None})

    def drawn_s_ago() -> float | None:
        (session,) = world.hub.status(world.now)["sessions"]
        seconds: float | None = session["drawn_s_ago"]
        return seconds

    assert drawn_s_ago() is None
    world.set("env/a", "w", 0)
    talk.heard()
    talk.say({"type": "ack", "batches": 1})
    assert drawn_s_ago() == 0
    talk.say({"type": "ack", "batches": 2, "ago_ms": 150})
    assert drawn_s_ago() == 0.15
    for ago_ms in (-1, "soon", 1.5, None, True):
        assert [message["field"] for message in talk.say({"type": "ack", "batches": 3, "ago_ms": ago_ms})] == ["ago_ms"]
    assert drawn_s_ago() == 0.15, "nothing was taken from these"


def test_credit_0_holds_all_batches_and_no_control_message(world: World) -> None:
    talk = Talk(world, window=0, feeds={"env/a": None})
    assert [message["type"] for message in talk.opening] == ["welcome", "subscribed"]
    world.set("env/a", "w", 0)
    world.flush()
    assert talk.say({"type": "ping"}) == [{"type": "pong", "behind": 1}]
    (batch,) = talk.say({"type": "credit", "window": 1})
    assert batch["to"] == 1


def test_the_server_grants_no_more_than_its_own_limit(world: World) -> None:
    assert Talk(world, window=1_000).link.credit == world.limits.window_batches
    assert Talk(world, window=1).link.credit == 1
    hello = {key: value for key, value in HELLO.items() if key != "window"}
    talk = Talk(world, window=0)
    conversation = Conversation(world.hub, "websocket", world.now, world.carry_out, {})
    conversation.receive(encode(hello), world.now)
    assert conversation.link.credit == world.limits.window_batches
    talk.say({"type": "credit", "window": 1_000})
    assert talk.link.credit == world.limits.window_batches


# --- commands ---


def command(number: int, **command: Any) -> dict[str, Any]:
    return {"type": "command", "id": number, "command": {"cmd": "note", "number": number * 10} | command}


def test_a_command_is_carried_out_and_answered(world: World) -> None:
    talk = Talk(world)
    assert talk.say(command(1)) == [{"type": "reply", "id": 1, "error": None, "result": 10}]
    assert list(world.applied.values()) == [[10]]


def test_a_repeated_command_is_answered_again_and_applied_once(world: World) -> None:
    first = Talk(world)
    (reply,) = first.say(command(1))
    first.say(command(2))
    second = Talk(world, **first.identity)
    assert second.say(command(1)) == [reply]
    second.say(command(2)), second.say(command(3))
    assert list(world.applied.values()) == [[10, 20, 30]]


def test_a_command_that_fails_is_answered_the_same_every_time(world: World) -> None:
    talk = Talk(world)
    replies = [talk.say(command(1, cmd="fly"))[0] for _ in range(2)]
    assert replies[0] == replies[1]
    assert replies[0]["error"] == {"code": "unknown_command", "message": "no such command", "field": "cmd"}
    assert replies[0]["result"] is None
    assert world.hub.totals["commands"] == 1


@pytest.mark.parametrize("wrong", [None, "close", {}, {"cmd": 5}])
def test_a_command_that_is_none_is_answered(world: World, wrong: Any) -> None:
    (reply,) = Talk(world).say({"type": "command", "id": 1, "command": wrong})
    assert (reply["error"]["code"], reply["error"]["field"]) == ("bad_field", "command")


def test_remembered_replies_are_bounded_and_older_commands_still_not_applied_again(world: World) -> None:
    talk = Talk(world)
    for number in range(1, 3 * REMEMBERED_REPLIES):
        talk.say(command(number))
    (session,) = world.hub.sessions.values()
    assert len(session.replies) == REMEMBERED_REPLIES
    (reply,) = talk.say(command(1))
    assert reply == {"type": "reply", "id": 1, "error": None, "result": None}
    assert len(next(iter(world.applied.values()))) == 3 * REMEMBERED_REPLIES - 1


# --- polls ---


def test_a_poll_that_stands_where_it_is_expected_hears_only_news(world: World) -> None:
    talk = Talk(world, kind="poll", feeds={"env/a": None})
    epoch = talk.opening[1]["epoch"]
    here = {"epoch": epoch, "offset": 0}
    assert talk.present({"env/a": here}) == []
    world.set("env/a", "w", 0)
    (batch,) = talk.present({"env/a": here | {"ahead": {}, "have": {}}})
    assert batch["to"] == 1


def test_after_a_lost_reply_the_same_changes_come_again_and_newer(world: World) -> None:
    world.set("env/a", "w", 2_000)
    talk = Talk(world, kind="poll", feeds={"env/a": None})
    here = {"epoch": talk.opening[1]["epoch"], "offset": 0}
    world.update("env/a", "w", ["extend", ["x"], [1]])
    lost = talk.present({"env/a": here})
    world.update("env/a", "w", ["extend", ["x"], [2]])
    verdict, batch = talk.present({"env/a": here})
    assert lost[-1]["to"] == 1
    assert (verdict["type"], verdict["recovered"]) == ("subscribed", True)
    (entry,) = batch["entries"]
    assert (entry["base"], entry["offset"]) == (0, 2)
    assert ["extend", ["x"], [1, 2]] in entry["delta"]


def test_an_event_feed_owes_what_came_since_a_verdict_that_was_lost(world: World) -> None:
    world.publish()
    talk = Talk(world, kind="poll", feeds={"events": None})
    world.publish()
    verdict, batch = talk.present({"events": None})
    assert (verdict["offset"], verdict["recovered"], verdict["reason"]) == (1, False, "new"), "the reader holds nothing"
    assert (batch["from"], batch["missed"], batch["events"]) == (1, 0, [2])
    _, batch = talk.present({"events": None})
    assert batch["events"] == [2], "lost once more"
    assert talk.present({"events": {"epoch": batch["epoch"], "offset": 2}}) == []


def test_a_poll_that_gives_up_its_position_of_an_event_feed_begins_at_the_head(world: World) -> None:
    """What it has heard before would otherwise come twice."""
    talk = Talk(world, kind="poll", feeds={"events": None})
    position = {"epoch": talk.opening[1]["epoch"], "offset": 0}
    world.publish()
    talk.present({"events": position})
    (verdict,) = talk.present({"events": None})
    assert (verdict["offset"], verdict["reason"]) == (1, "new")
    world.publish()
    _, batch = talk.present({"events": position})
    assert batch["events"] == [1, 2]
    (verdict,) = talk.present({"events": None})
    assert verdict["offset"] == 2


def test_a_poll_begins_and_ends_subscriptions_by_what_it_presents(world: World) -> None:
    talk = Talk(world, kind="poll", feeds={"env/a": None})
    messages = talk.present({"env/b": None})
    assert [(message["type"], message["feed"]) for message in messages] == [("subscribed", "env/b"), ("batch", "env/b")]
    assert world.hub.feeds.keys() == {"events", "env/b"}


def test_a_poll_acknowledges_everything(world: World) -> None:
    talk = Talk(world, kind="poll", feeds={"env/a": None})
    assert talk.link.in_flight_bytes > 0
    talk.present({"env/a": None})
    talk.present({"env/a": {"epoch": "other", "offset": 3}})
    assert len(talk.link.in_flight) == 1


@pytest.mark.parametrize("feeds", [None, [], "env/a"])
def test_a_poll_without_positions_is_answered(world: World, feeds: Any) -> None:
    talk = Talk(world, kind="poll")
    messages = talk.present(feeds)
    assert messages == [error("bad_field", "feeds", messages)]


def test_a_malformed_position_in_a_poll_leaves_the_others_alone(world: World) -> None:
    talk = Talk(world, kind="poll")
    messages = talk.present({"env/a": {"epoch": 5}, "env/b": None})
    assert messages[0] == error("bad_field", "position.epoch", messages, feed="env/a")
    assert messages[1]["feed"] == "env/b"


# --- how much one client may ask for ---


def test_commands_above_the_rate_are_refused_and_the_link_stays() -> None:
    world = World(Limits(max_commands_per_s=2))
    talk = Talk(world)
    burst = int(2 * BURST_S)
    assert [talk.say(command(number))[0]["error"] for number in range(1, burst + 1)] == [None] * burst
    refusal = talk.say(command(burst + 1))[0]["error"]
    assert (refusal["code"], refusal["message"]) == ("limit", "more than max_commands_per_s=2")
    assert talk.say(command(burst + 1))[0]["error"] == refusal, "a command that comes again is answered again, and costs nothing"
    world.now += 0.5
    assert talk.say(command(burst + 2))[0]["error"] is None
    assert talk.say(command(burst + 3))[0]["error"] == refusal
    world.now += 1_000
    assert len([n for n in range(100) if talk.say(command(100 + n))[0]["error"] is None]) == burst, (
        "no more than a burst is saved"
    )
    assert talk.lives()


def test_the_defaults_allow_a_thousand_clients_of_one_address_and_a_thousand_clicks_at_once() -> None:
    world = World(Limits())
    talks = [Talk(world) for _ in range(1_020)]
    for talk in (talks[0], talks[-1]):
        assert all(talk.say(command(number))[0]["error"] is None for number in range(1, 1_001))


def test_a_client_that_says_too_much_is_ended_and_can_come_back_later() -> None:
    world = World(Limits(max_messages_per_s=1))
    talk = Talk(world)
    for _ in range(int(BURST_S)):
        talk.say({"type": "pong"})
    with pytest.raises(LinkClosed, match="max_messages_per_s=1") as caught:
        talk.say({"type": "ping"})
    assert caught.value.code == CloseCode.LIMIT
    again = Talk(world, "poll", **talk.identity)
    assert again.opening[0]["resumed"] is True
    with pytest.raises(LinkClosed, match="max_messages_per_s=1"):
        again.present({})  # the number belongs to the session, and a poll is a message
    world.now += 1.0
    assert again.present({}) == []


@pytest.mark.parametrize("member", ["ahead", "have"])
def test_a_position_that_names_too_many_keys_is_refused(member: str) -> None:
    world = World(Limits(max_position_keys=2))
    keys = {str(number): 0 if member == "ahead" else "c" for number in range(3)}
    position = {"epoch": "", "offset": -1, member: keys}
    talk = Talk(world)
    messages = talk.say({"type": "subscribe", "feed": "env/a", "position": position})
    assert messages == [error("limit", f"position.{member}", messages, feed="env/a")]
    del keys["0"]
    assert talk.say({"type": "subscribe", "feed": "env/a", "position": position})[0]["type"] == "subscribed"


# --- logins ---


def log_in(world: World, login: str, **hello: Any) -> Talk:
    conversation = Conversation(world.hub, "websocket", world.now, world.carry_out, {}, address="10.0.0.1", login=login)
    talk = Talk.__new__(Talk)
    talk.world, talk.conversation, talk.link, talk.closed = world, conversation, conversation.link, None
    talk.link.on_close = talk.close
    talk.opening = talk.say(HELLO | hello)
    return talk


def test_a_session_goes_with_the_login_that_was_shown_last(world: World) -> None:
    first = log_in(world, "ada")
    again = log_in(world, "ada later", **first.identity)
    assert again.opening[0]["resumed"] is True
    assert world.hub.end_login("ada", world.now) == 0
    assert world.hub.end_login("ada later", world.now) == 1


def test_logging_out_ends_every_session_of_the_login_and_no_other(world: World) -> None:
    ada, away, bob = log_in(world, "ada", feeds={"env/a": None}), log_in(world, "ada"), log_in(world, "bob")
    world.hub.detach(away.link, world.now)
    assert world.hub.end_login("ada", world.now) == 2
    assert (ada.closed, away.closed, bob.closed) == (CloseCode.UNAUTHORIZED, None, None)
    assert {bob.identity["session"]} == world.hub.sessions.keys()
    assert log_in(world, "ada", **away.identity).opening[0]["resumed"] is False
    assert world.hub.end_login("nobody", world.now) == 0


def test_neither_secret_nor_login_nor_replies_are_in_a_sessions_repr(world: World) -> None:
    """Whatever formats a session into a log line or an error message must not give it away."""
    talk = log_in(world, "a-login")
    talk.say({"type": "command", "id": 1, "command": {"cmd": "note", "number": "a-reply"}})
    session = talk.conversation.session
    assert session is not None
    assert session.id in repr(session)
    for hidden in (session.secret, "a-login", "a-reply"):
        assert hidden not in repr(session)
        assert hidden not in repr(talk.link)


def test_a_commander_may_refuse_with_any_code(world: World) -> None:
    def refuse(session: Any, command: dict[str, Any]) -> Any:
        raise MessageError("readonly", "this server is readonly")

    conversation = Conversation(world.hub, "websocket", world.now, refuse, {})
    conversation.act(HELLO, world.now)
    conversation.act(command(1), world.now)
    conversation.act({"type": "pong"}, world.now)
    reply = decode(conversation.link.take_messages()[-1])
    assert reply["error"] == {"code": "readonly", "message": "this server is readonly", "field": None}


def test_a_poll_that_grants_no_window_still_gets_what_it_asks_for(world: World) -> None:
    world.set("env/a", "w", 0)
    talk = Talk(world, "poll", window=0, feeds={"env/a": None})
    assert [message["type"] for message in talk.opening] == ["welcome", "subscribed", "batch"]


def test_a_poll_is_held_after_credit_0_until_there_is_credit_again(world: World) -> None:
    talk = Talk(world, "poll", feeds={"env/a": None})
    assert talk.say({"type": "credit", "window": 0}) == []
    world.set("env/a", "w", 0)
    world.flush()
    assert talk.heard() == []
    (batch,) = talk.say({"type": "credit", "window": 1})
    assert batch["to"] == 1
    assert talk.conversation.link.credit == world.limits.window_batches, "its size is not the client's business"


# --- what sources are done with ---


def test_an_acknowledgement_may_be_an_answer_and_so_may_the_end_of_a_link(world: World, answers: list[None]) -> None:
    source = Talk(world, role="source", feeds={"events": None})
    world.publish()
    source.heard()
    assert not answers
    source.say({"type": "ack", "batches": 1})
    assert len(answers) == 1
    world.hub.detach(source.link, world.now)
    assert len(answers) == 2


def test_a_poll_may_be_an_answer(world: World, answers: list[None]) -> None:
    source = Talk(world, "poll", role="source", feeds={"events": None})
    position = {"epoch": world.hub.feeds["events"].epoch, "offset": 0}
    assert source.present({"events": position}) == []
    assert len(answers) == 1


def test_an_answer_that_makes_room_for_more_events_is_no_end_of_work(world: World) -> None:
    busy = []
    world.hub.on_answer = lambda: busy.append(world.hub.awaits_answer("events"))
    source = Talk(world, role="source", window=1, feeds={"events": None})
    world.publish()
    source.heard()
    world.publish()
    source.heard()
    source.say({"type": "ack", "batches": 1})
    source.say({"type": "ack", "batches": 2})
    assert busy == [True, False]
