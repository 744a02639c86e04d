"""What the tests of relays ask their readers."""

from __future__ import annotations

from typing import Any

from tests.support.own import OwnPoll, OwnSocket
from tests.support.relayed import RelayServer
from tests.support.wait import until


def state_of(relay: RelayServer) -> str:
    state: str = relay.status()["origin"]["state"]
    return state


def until_away(relay: RelayServer) -> None:
    until(lambda: state_of(relay) == "away", "the relay tells that its origin is away", seen=relay.status)


def verdicts(messages: list[Any]) -> dict[str, str]:
    return {message["feed"]: message["reason"] for message in messages if message["type"] == "subscribed"}


def entries(messages: list[Any], feed: str = "env/main") -> list[str]:
    batches = [message for message in messages if message["type"] == "batch" and message["feed"] == feed]
    return [entry["key"] for batch in batches for entry in batch["entries"]]


def opened(reader: Any) -> list[Any]:
    """What came with the first words."""
    return reader.opening if isinstance(reader, OwnPoll) else []


def command(reader: Any, number: int, **members: Any) -> Any:
    """The reply to a command."""
    message = {"type": "command", "id": number, "command": members}
    if isinstance(reader, OwnSocket):
        return reader.ask(message, "reply")
    answers = reader.send(message)
    return answers[0] if answers else reply(reader)


def reply(reader: Any) -> Any:
    return next_of(reader, "reply")


def next_of(reader: Any, kind: str) -> Any:
    """The next message of this type."""
    if isinstance(reader, OwnSocket):
        return reader.receive_type(kind)
    found: list[Any] = []
    until(lambda: found.extend(each for each in reader.poll(0.5) if each["type"] == kind) or found, f"a message: {kind}")
    return found[0]
