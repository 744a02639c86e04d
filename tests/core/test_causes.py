"""What goes wrong is counted in all, for each session, and told once for each client and cause."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.world import World
from visdom_transport.core import causes as causes_module
from visdom_transport.core.causes import Cause, Causes, closed
from visdom_transport.core.conversation import Conversation
from visdom_transport.core.encoding import encode
from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.core.limits import Limits

Told = list[tuple[str, Cause, str]]


class Client:
    """A browser at an address of a world whose causes are listened to."""

    def __init__(self, world: World, address: str = "10.0.0.1", kind: str = "websocket") -> None:
        self.world = world
        self.conversation = Conversation(world.hub, kind, world.now, world.carry_out, {}, address=address)

    def say(self, **message: Any) -> None:
        self.conversation.receive(encode(message), self.world.now)
        self.conversation.link.take_messages()

    def hello(self, **members: Any) -> None:
        self.say(type="hello", role="browser", session=None, secret=None, feeds={}, **members)

    @property
    def problems(self) -> dict[str, int]:
        session = self.conversation.session
        assert session is not None
        return session.problems


def listen(causes: Causes) -> Told:
    told: Told = []
    causes._log_once = lambda client, cause, detail, by: told.append((client, cause, detail))
    return told


def test_a_cause_is_counted_each_time_and_told_once_for_each_client() -> None:
    causes = Causes()
    told = listen(causes)
    for client in ("a", "b", "a", "a"):
        causes.count(Cause.REFUSED_COMMANDS, client, "why", 2)
    causes.count(Cause.MISSED_EVENTS, "a")
    assert told == [
        ("a", Cause.REFUSED_COMMANDS, "why"),
        ("b", Cause.REFUSED_COMMANDS, "why"),
        ("a", Cause.MISSED_EVENTS, ""),
    ]
    assert causes.totals["refused_commands"] == 8
    assert causes.totals["missed_events"] == 1


def test_causes_that_nobody_listens_to_counts() -> None:
    causes = Causes()
    causes.count(Cause.REFUSED_BODIES, "a")
    assert causes.totals["refused_bodies"] == 1


def test_what_is_remembered_as_told_is_bounded_by_number_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes_module, "MAX_LOGGED", 3)
    causes = Causes()
    told = listen(causes)
    for client in ("a", "b", "c", "a", "d", "a", "b"):
        causes.count(Cause.REFUSED_HOSTS, client)
    assert [client for client, _, _ in told] == ["a", "b", "c", "d", "b"], "the one that came up least recently is forgotten"
    causes.count(Cause.REFUSED_HOSTS, "x" * 10_000)
    assert len(told[-1][0]) == causes_module.MAX_CLIENT_CHARACTERS


@pytest.mark.parametrize("code", CloseCode)
def test_every_close_code_has_a_cause(code: CloseCode) -> None:
    assert closed(code) == f"closed_{code.reason}"


def test_every_cause_is_among_the_totals_from_the_start() -> None:
    world = World()
    assert {cause.value for cause in Cause} <= world.hub.status(world.now)["totals"].keys()


def test_refused_messages_and_commands_are_counted_for_the_client() -> None:
    world = World()
    told = listen(world.hub.causes)
    client = Client(world)
    client.hello()
    for number in (1, 2):
        client.say(type="command", id=number, command={"cmd": "dance"})
        client.say(type="dance")
    assert client.problems == {"refused_commands": 2, "refused_messages": 2}
    assert [(who, cause) for who, cause, _ in told] == [
        ("browser at 10.0.0.1", Cause.REFUSED_COMMANDS),
        ("browser at 10.0.0.1", Cause.REFUSED_MESSAGES),
    ]
    assert told[0][2] == "unknown_command: no such command"


def test_conflation_and_lost_events_are_counted_for_the_client() -> None:
    world = World()
    client = Client(world)
    client.hello()
    client.say(type="subscribe", feed="env/a")
    client.say(type="subscribe", feed="events")
    for _ in range(10):
        world.set("env/a", "w", 0)
        world.hub.publish("events", {"n": 1})
    client.say(type="ping")
    assert client.problems["conflated_events"] == 9
    assert client.problems["missed_events"] == 10 - world.limits.event_count
    assert world.hub.causes.totals["missed_events"] == 10 - world.limits.event_count


def test_gaps_are_counted_with_their_reason_and_a_beginning_is_none() -> None:
    world = World()
    told = listen(world.hub.causes)
    client = Client(world)
    client.hello()
    client.say(type="subscribe", feed="env/a")
    feed = world.hub.feeds["env/a"]
    here = {"epoch": feed.epoch, "offset": feed.offset}
    assert client.problems == {}
    client.say(type="subscribe", feed="env/a", position={"epoch": "before", "offset": 3})
    for key in "wxyz":
        world.set("env/a", key, 0)
        world.delete("env/a", key)
    client.say(type="subscribe", feed="env/a", position=here)
    assert {"gaps_epoch": 1, "gaps_trimmed": 1}.items() <= client.problems.items()
    assert world.hub.causes.totals["trimmed_tombstones"] == 2
    assert ("the server", Cause.TRIMMED_TOMBSTONES, "env/a") in told
    assert ("browser at 10.0.0.1", Cause.GAPS_TRIMMED, "env/a") in told


def test_trimmed_history_is_counted_in_bytes() -> None:
    world = World(Limits(history_bytes=500))
    client = Client(world)
    client.hello()
    client.say(type="subscribe", feed="env/a")
    world.set("env/a", "w", 1_000)
    client.say(type="ping")
    assert world.hub.feeds["env/a"].retained_bytes > 1_000
    world.flush()
    assert world.hub.causes.totals["trimmed_history_bytes"] > 1_000


def test_a_link_that_is_ended_is_counted_with_its_code_for_its_session_or_address() -> None:
    world = World()
    told = listen(world.hub.causes)
    client = Client(world)
    client.hello()
    world.hub.end(client.conversation.link, CloseCode.TOO_SLOW, world.now, "it does not read")
    stranger = Client(world, "10.0.0.2")
    with pytest.raises(LinkClosed) as caught:
        stranger.say(type="dance")
    world.hub.end(stranger.conversation.link, caught.value.code, world.now, str(caught.value))
    assert told == [
        ("browser at 10.0.0.1", Cause.CLOSED_TOO_SLOW, "it does not read"),
        ("10.0.0.2", Cause.CLOSED_PROTOCOL, "the first message must be hello"),
    ]
