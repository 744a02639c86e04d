"""Viewers of a relay are served as at its origin."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from tests.relay.readers import command
from tests.support.own import OwnSocket
from tests.support.relayed import RelayServer
from tests.support.server import VisdomServer
from tests.support.wait import until

View = Callable[..., Any]
FEEDS = ("shared", "env/main")


@pytest.fixture
def origin(pair: tuple[VisdomServer, RelayServer]) -> VisdomServer:
    for win in pair[0].windows():
        pair[0].post("/close", {"win": win, "eid": "main"}).raise_for_status()
    return pair[0]


@pytest.fixture
def relay(origin: VisdomServer, pair: tuple[VisdomServer, RelayServer]) -> RelayServer:
    return pair[1]


def test_viewers_are_served_what_the_origin_has(origin: VisdomServer, relay: RelayServer, view: View) -> None:
    origin.plot("loss", [1.0, 2.0])
    reader = view(relay, *FEEDS)
    reader.converge()
    origin.append("loss", 2.0, 3.0)
    relay.text("note", "published through the relay")
    reader.converge()
    assert reader.replicas.state("env/main").keys() == {"loss", "note"}
    assert reader.replicas.state("shared")["envs"] == ["main"]


def test_an_append_reaches_them_as_a_delta(origin: VisdomServer, relay: RelayServer, view: View) -> None:
    origin.plot("loss", [1.0] * 1_000)
    reader = view(relay, "env/main")
    reader.converge()
    origin.append("loss", 2.0, 3.0)
    found = [entry for message in reader.converge() if message["type"] == "batch" for entry in message["entries"]]
    assert [entry.keys() & {"delta", "value"} for entry in found] == [{"delta"}]


def test_viewers_cost_the_origin_one_reader_of_each_feed(origin: VisdomServer, relay: RelayServer, view: View) -> None:
    readers = [view(relay, *FEEDS) for _ in range(5)]
    for reader in readers:
        reader.converge()
    assert len([each for each in origin.sessions() if "env/main" in each["subscriptions"]]) == 1
    assert len(relay.sessions()) >= 5


def test_a_command_is_carried_out_at_the_origin_once(origin: VisdomServer, relay: RelayServer, view: View) -> None:
    origin.text("note", "x")
    reader = view(relay, "env/main")
    reader.converge()
    first = command(reader, 1, cmd="close", data="note", eid="main")
    assert first == {"type": "reply", "id": 1, "error": None, "result": None}
    assert origin.windows() == {}
    origin.text("note", "made again")
    assert command(reader, 1, cmd="close", data="note", eid="main") == first
    assert origin.windows().keys() == {"note"}


def test_a_command_is_refused_as_the_origin_refuses_it(origin: VisdomServer, relay: RelayServer, view: View) -> None:
    reader = view(relay, "env/main")
    assert command(reader, 1, cmd="no such command")["error"]["code"] == "unknown_command"


def test_one_session_of_the_origin_does_not_carry_all_feeds(origin: VisdomServer, relay: RelayServer, view: View) -> None:
    names = [f"env/many-{number}" for number in range(50)]
    origin.text("note", "x", eid="many-49")
    reader = view(relay, *names)
    reader.converge("many-49")

    def followed() -> list[int]:
        return [len(each["subscriptions"]) for each in origin.sessions() if "many" in str(each["subscriptions"])]

    until(lambda: sum(followed()) >= 50, "all are followed", seen=followed)
    assert max(followed()) <= 32


def test_whoever_says_a_bad_hello_leaves_nothing_at_the_origin(origin: VisdomServer, relay: RelayServer) -> None:
    before = len(origin.sessions(link="websocket"))
    with OwnSocket(relay, hello={}) as reader:
        reader.send({"type": "hello", "role": "browser", "session": None, "secret": None, "window": 4, "feeds": "all"})
        assert reader.expect_close() == 4052
    until(lambda: len(origin.sessions(link="websocket")) <= before, "the delegate leaves", seen=origin.sessions)


def test_a_newer_link_takes_over(relay: RelayServer) -> None:
    with OwnSocket(relay, "env/main") as first, OwnSocket(relay, "env/main", session=first.welcome) as second:
        assert second.welcome["resumed"] is True
        assert first.expect_close() == 4000
        assert command(second, 1, cmd="no such command")["error"]["code"] == "unknown_command"


def test_there_is_no_other_feed(relay: RelayServer, view: View) -> None:
    reader = view(relay, "env/main")
    if isinstance(reader, OwnSocket):
        error = reader.ask({"type": "subscribe", "feed": "weather", "position": None}, "error")
    else:
        reader.replicas.follow("weather")
        error = next(each for each in reader.poll() if each["type"] == "error")
    assert (error["feed"], error["code"]) == ("weather", "unknown_feed")


def test_a_feed_that_the_origin_does_not_have_is_refused_as_there(relay: RelayServer, view: View) -> None:
    reader = view(relay, "env/main")
    name = "env/"
    if isinstance(reader, OwnSocket):
        error = reader.ask({"type": "subscribe", "feed": name, "position": None}, "error")
    else:
        reader.replicas.follow(name)
        error = next(each for each in reader.poll() + reader.poll(5) if each["type"] == "error")
    assert (error["feed"], error["code"]) == (name, "unknown_feed")


@pytest.mark.parametrize(("loop", "is_uvloop"), [("auto", find_spec("uvloop") is not None), ("asyncio", False)])
def test_a_relay_runs_on_the_loop_that_costs_least(
    origin: VisdomServer, relay_of: Callable[..., RelayServer], loop: str, is_uvloop: bool
) -> None:
    relay = relay_of(origin, loop=loop)
    said = f"listens on port {relay.port}{', uvloop' * is_uvloop}\n"
    until(lambda: said in relay.log(), said, seen=relay.log)


def test_the_operators_page_of_the_origin_is_there_too(origin: VisdomServer, relay: RelayServer, view: View) -> None:
    page = relay.get("/transport/operator")
    assert (page.status_code, page.text) == (200, origin.get("/transport/operator").text)
    with OwnSocket(relay, "env/main"):
        reader = view(relay, "operator")

        def found() -> dict[str, Any]:
            if isinstance(reader, OwnSocket):
                reader.receive()
            else:
                reader.poll(0.5)
            rows: dict[str, Any] = reader.replicas.state("operator")
            return {key: row for key, row in rows.items() if key.startswith(("relay/", "session/"))}

        def own() -> list[tuple[str, dict[str, Any]]]:
            return [(key, row) for key, row in found().items() if key.endswith(name)]

        name = f":{relay.port}/{relay.pid}"
        ((_, own_row),) = until(own, "the relay", seen=found)
        assert (own_row["state"], own_row["address"]) == ("here", "127.0.0.1")

        def viewers() -> list[dict[str, Any]]:
            return [row for row in found().values() if row.get("relay") == own_row["name"]]

        assert {row["picture_age_s"] for row in until(viewers, "its viewers", seen=found)} == {None}
