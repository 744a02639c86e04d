"""What viewers of a relay see when it dies, or its origin does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.relay.readers import command, entries, opened, reply, state_of, until_away, verdicts
from tests.support.own import OwnSocket
from tests.support.proxy import FaultProxy
from tests.support.relayed import RelayServer
from tests.support.server import VisdomServer
from tests.support.wait import until

View = Callable[..., Any]
Start = Callable[..., RelayServer]
FEEDS = ("shared", "env/main")


# --- a relay dies ---


def test_whoever_comes_from_a_relay_that_died_gets_the_difference(
    origin: VisdomServer, relay: RelayServer, relay_of: Start, view: View
) -> None:
    other = relay_of(origin)
    origin.plot("loss", [1.0] * 1_000)
    origin.text("note", "x")
    reader = view(relay, "env/main")
    reader.converge()
    assert command(reader, 1, cmd="close", data="note", eid="main")["error"] is None
    reader.converge()
    relay.kill()
    origin.append("loss", 2.0, 3.0)
    origin.text("note", "made again")
    again = view(other, "env/main", replicas=reader.replicas, session=reader.welcome)
    assert again.welcome["resumed"] is True
    assert again.welcome["session"] == reader.welcome["session"]
    messages = opened(again) + again.converge()
    assert verdicts(messages) == {"env/main": "trimmed"}, "it does not know what was closed before it began"
    assert sorted(entries(messages)) == ["loss", "note"]
    assert command(again, 1, cmd="close", data="note", eid="main")["error"] is None, "it is answered again"
    assert origin.windows().keys() == {"loss", "note"}, "and not carried out again"


def test_one_may_go_from_the_origin_to_a_relay_that_is_behind_and_back(
    origin: VisdomServer, relay: RelayServer, view: View
) -> None:
    origin.plot("loss", [1.0, 2.0])
    view(origin, "env/main")
    reader = view(relay, "env/main")
    reader.converge()
    for server in (origin, relay, origin):
        origin.append("loss", 2.0, 3.0)
        reader = view(server, "env/main", replicas=reader.replicas, session=reader.welcome)
        messages = opened(reader) + reader.converge()
        assert verdicts(messages) == {"env/main": "resumed"}


def test_a_relay_says_goodbye(relay: RelayServer) -> None:
    with OwnSocket(relay, "env/main") as reader:
        relay.process.terminate()
        assert reader.expect_close() == 4001
    assert relay.process.wait(10) == 0


# --- the origin is away ---


def test_viewers_stay_while_the_origin_is_away(origin: VisdomServer, relay_of: Start, view: View) -> None:
    with FaultProxy(origin.port) as proxy:
        behind = VisdomServer(origin.directory)
        behind.port = proxy.port
        relay = relay_of(behind, dead_after_s=30)  # the reader says nothing for as long as the origin takes to be found
        origin.plot("loss", [1.0, 2.0])
        reader = view(relay, "env/main")
        reader.converge()
        proxy.refuse()
        until_away(relay)
        origin.text("note", "while it was away")
        message = {"type": "command", "id": 1, "command": {"cmd": "close", "data": "loss", "eid": "main"}}
        reader.send(message)
        assert relay.get("/env/main").status_code == 502
        reader.ask({"type": "ping"}, "pong") if isinstance(reader, OwnSocket) else reader.poll()
        proxy.accept()
        until(lambda: state_of(relay) == "here", "the origin is there again")
        messages = reader.converge()
        assert verdicts(messages) == {}
        found = [each for each in messages if each["type"] == "reply"] or [reply(reader)]
        assert (found[0]["id"], found[0]["error"]) == (1, None)
        assert state_of(relay) == "here"


def test_a_link_that_is_lost_meanwhile_is_resumed(origin: VisdomServer, relay: RelayServer, view: View) -> None:
    origin.plot("loss", [1.0, 2.0])
    reader = view(relay, "env/main")
    reader.converge()
    origin.kill()
    until_away(relay)
    again = view(relay, "env/main", replicas=reader.replicas, session=reader.welcome)
    assert again.welcome["resumed"] is True


def test_a_stranger_has_to_wait_for_the_origin(origin: VisdomServer, relay: RelayServer) -> None:
    origin.kill()
    until_away(relay)
    with OwnSocket(relay, "env/main", hello={}) as reader:
        reader.send({"type": "hello", "role": "browser", "session": None, "secret": None, "window": 4, "feeds": {}})
        assert reader.expect_close() == 4001


def test_after_the_origin_was_restarted_readers_get_what_differs(origin: VisdomServer, relay_of: Start, view: View) -> None:
    # Nobody reads while it restarts, which takes longer than the other relays wait on a busy machine.
    relay = relay_of(origin, dead_after_s=30)
    origin.plot("loss", [1.0, 2.0])
    origin.text("kept", "x")
    origin.post("/save", {"data": ["main"]}).raise_for_status()
    reader = view(relay, *FEEDS)
    reader.converge()
    origin.restart(keep_state=True)
    origin.append("loss", 2.0, 3.0)
    if isinstance(reader, OwnSocket):
        assert reader.expect_close() == 4001
    else:
        until(lambda: any(each["type"] == "close" for each in reader.poll(0.5)), "it is told to say hello again")
    again = view(relay, *FEEDS, replicas=reader.replicas, session=reader.welcome)
    assert again.welcome["server"] != reader.welcome["server"]
    messages = opened(again) + again.converge()
    assert "kept" not in entries(messages)
    assert command(again, 1, cmd="close", data="kept", eid="main")["error"] is None
    assert origin.windows().keys() == {"loss"}


def test_a_relay_may_be_there_before_its_origin(origin: VisdomServer, relay_of: Start) -> None:
    origin.kill()
    relay = relay_of(origin)
    until_away(relay)
    origin.start()
    until(lambda: relay.status()["origin"]["state"] == "here", "the relay finds its origin")
    with OwnSocket(relay, "env/main") as reader:
        reader.converge()


def test_a_viewer_above_the_head_is_answered_within_two_seconds(origin: VisdomServer, relay: RelayServer) -> None:
    origin.text("note", "x")
    with OwnSocket(relay, "env/main") as reader:
        reader.converge()
        position = reader.replicas.positions()["env/main"]
        position["offset"] += 1_000
        reader.send({"type": "subscribe", "feed": "env/main", "position": position})
        assert reader.receive_type("subscribed", 3.0)["reason"] == "epoch"
