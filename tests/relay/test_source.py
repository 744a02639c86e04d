"""A relay tells its viewers what it follows, and whether that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.relay.readers import next_of, opened
from tests.support.own import OwnSocket
from tests.support.relayed import RelayServer
from tests.support.server import VisdomServer
from tests.support.wait import until

View = Callable[..., Any]


def next_source(reader: Any) -> Any:
    """What is said next about the source."""
    return next_of(reader, "source")


def test_a_viewer_is_told_of_the_source_with_its_welcome(origin: VisdomServer, relay: RelayServer, view: View) -> None:
    reader = view(relay, "env/main")
    found = [each for each in opened(reader) if each["type"] == "source"] or [next_source(reader)]
    assert found[0] | {"heard_s": 0} == {"type": "source", "url": origin.url(""), "here": True, "heard_s": 0}
    assert found[0]["heard_s"] >= 0


def test_viewers_are_told_that_the_source_is_away_and_that_it_is_back(
    origin: VisdomServer, relay_of: Callable[..., RelayServer], view: View
) -> None:
    relay = relay_of(origin, dead_after_s=30)
    reader = view(relay, "env/main")
    if isinstance(reader, OwnSocket):
        next_source(reader)
    origin.kill()
    assert next_source(reader)["here"] is False
    again = view(relay, "env/main", replicas=reader.replicas, session=reader.welcome)
    found = [each for each in opened(again) if each["type"] == "source"] or [next_source(again)]
    assert found[0]["here"] is False, "also whoever comes meanwhile"


def test_the_origin_names_its_relays(origin: VisdomServer, relay_of: Callable[..., RelayServer], view: View) -> None:
    relay = relay_of(origin, dead_after_s=30)
    (found,) = origin.status()["relays"]
    assert found["name"].endswith(f":{relay.port}/{relay.pid}")
    assert (found["state"], found["viewers"], found["feeds"]) == ("here", 0, 0)
    view(relay, "shared", "env/main")
    (found,) = origin.status()["relays"]
    assert (found["viewers"], found["feeds"]) == (1, 2)
    assert [session["relay"] for session in origin.status()["sessions"]] == [found["name"]] * 2
    relay.kill()
    until(lambda: origin.status()["relays"][0]["state"] == "away", "the origin notices", seen=origin.status)
    until(lambda: origin.status()["relays"][0]["viewers"] == 0, "also that of its viewers", seen=origin.status)


def test_only_a_relay_has_a_source(origin: VisdomServer, view: View) -> None:
    origin.text("note", "x")
    reader = view(origin, "env/main")
    messages = opened(reader) + reader.converge()
    assert {each["type"] for each in messages} <= {"welcome", "subscribed", "batch"}
