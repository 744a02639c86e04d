"""Who sends what publishers post, as the operator's page knows them."""

from __future__ import annotations

from typing import Any

from visdom_transport.visdom.reporting.advice import printable

MAX_CHARACTERS = 100


def sender_of(handler: Any, body: dict[str, Any]) -> tuple[str, str, int]:
    """A publisher's name and address, and how many messages it sends. Programs with Visdom's own client have no name."""
    address, publisher_id, messages = str(handler.request.remote_ip), body.get("producer"), body.get("messages")
    if isinstance(publisher_id, str) and isinstance(messages, list):
        return name_of(publisher_id), address, len(messages)
    return "", address, 1


def name_of(publisher_id: str) -> str:
    """What is said of a publisher's id, which belongs to that program."""
    return printable(publisher_id[:6])


def environments_of(body: dict[str, Any]) -> list[str]:
    """The environments that a body is about, each once."""
    messages = body.get("messages")
    bodies = [each.get("body") for each in messages if isinstance(each, dict)] if isinstance(messages, list) else [body]
    eids = [each.get("eid") or "main" for each in bodies if isinstance(each, dict)]
    return [printable(eid[:MAX_CHARACTERS]) for eid in dict.fromkeys(eid for eid in eids if isinstance(eid, str))]
