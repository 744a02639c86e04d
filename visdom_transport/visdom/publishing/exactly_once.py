"""``POST <base_url>/transport/publish``: what a publisher sends is applied once (docs/protocol.md, section 9)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from visdom_transport.core.causes import Cause
from visdom_transport.core.encoding import encode
from visdom_transport.core.errors import MessageError
from visdom_transport.core.window_ids import window_id
from visdom_transport.links.flusher import clock
from visdom_transport.visdom.identity import SERVER_ID
from visdom_transport.visdom.publishing.endpoints import ENDPOINTS, as_error, environment_id
from visdom_transport.visdom.publishing.senders import name_of
from visdom_transport.visdom.updates import UpdateRefused
from visdom_transport.visdom.updates.errors import refuse

if TYPE_CHECKING:
    from visdom_transport.visdom.transport import Transport

logger = logging.getLogger("visdom_transport.publish")

MAX_ID_CHARACTERS = 100


def publish(transport: Transport, request: dict[str, Any]) -> str:
    """Apply the messages that were not applied before, in order. Returns the reply, as JSON."""
    publisher_id, first, messages = request.get("producer"), request.get("first"), request.get("messages")
    if not isinstance(publisher_id, str) or not 0 < len(publisher_id) <= MAX_ID_CHARACTERS:
        refuse("producer", f"must be a string of 1 to {MAX_ID_CHARACTERS} characters")
    if not isinstance(first, int) or isinstance(first, bool) or first < 1:
        refuse("first", "must be a whole number above 0")
    if not isinstance(messages, list):
        refuse("messages", "must be a list")
    publisher = transport.publishers.find(publisher_id, first)
    refused = []
    before = publisher.applied if publisher is not None else None
    if publisher is not None and first <= publisher.applied + 1:
        _count_repeated(transport, min(len(messages), publisher.applied + 1 - first))
        for number, message in enumerate(messages, first):
            if number <= publisher.applied:
                continue
            error = _measured(transport, message)
            publisher.applied = number
            if error is not None:
                refused.append({"number": number, "error": error})
                detail = f"message {number}: {error['code']} {error['field']}"
                transport.operations.heard.refuse(name_of(publisher_id), "", detail, clock())
                transport.hub.causes.count(Cause.REFUSED_PAYLOADS, f"publisher {publisher_id[:6]}", detail)
        if publisher.applied != before:
            transport.publishers.moved(publisher_id)
            transport.journal.touch()
    return encode(
        {
            "server": SERVER_ID,
            "applied": publisher.applied if publisher is not None else None,
            "durable": publisher.durable if publisher is not None and transport.journal.keeps else None,
            "refused": refused,
        }
    ).decode()


def _count_repeated(transport: Transport, messages: int) -> None:
    if transport.measures is not None:
        transport.measures.repeated(messages)


def _measured(transport: Transport, message: Any) -> dict[str, str | None] | None:
    began = clock()
    error = _apply(transport, message)
    if transport.measures is not None:
        endpoint = message.get("endpoint") if isinstance(message, dict) else None
        name = endpoint if isinstance(endpoint, str) and endpoint in ENDPOINTS else "other"
        transport.measures.took(name, "applied" if error is None else "refused", clock() - began)
    return error


def _apply(transport: Transport, message: Any) -> dict[str, str | None] | None:
    """Carry out one message. Returns why it was not, if so: it is done with all the same."""
    try:
        endpoint = ENDPOINTS.get(str(message.get("endpoint"))) if isinstance(message, dict) else None
        if endpoint is None:
            refuse("endpoint", f"must be one of {', '.join(ENDPOINTS)}")
        body = message.get("body")
        if not isinstance(body, dict):
            refuse("body", "must be a JSON object")
        if "win" in body:
            body["win"] = window_id(body["win"])
        eid = environment_id(body)
        transport.environments.readable(eid)  # whatever the journal is to have is read
        transport.journal.track(eid)
        try:
            endpoint(transport, body)
        finally:
            transport.journal.untrack_missing(eid)
    except UpdateRefused as refusal:
        return as_error(refusal).as_json()
    except MessageError as error:
        return error.as_json()
    except Exception as error:
        logger.exception("a published message failed")
        return {"code": "failed", "message": f"{type(error).__name__}: {error}", "field": None}
    return None
