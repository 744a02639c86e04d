"""``POST <base_url>/transport/publish``: what a publisher sends is applied once (docs/protocol.md, section 9)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from visdom.server.handlers.base_handlers import BaseHandler

from ..core.encoding import encode
from ..core.errors import MessageError
from ..core.tally import Cause
from ..core.window_ids import window_id
from .publishing import ENDPOINTS, as_json, environment_id, posted, refuse
from .transport import SERVER_ID
from .updates import UpdateRefused

if TYPE_CHECKING:
    from .transport import Transport

logger = logging.getLogger("visdom_transport.publish")

MAX_ID_CHARACTERS = 100


def publish(transport: Transport, request: dict[str, Any]) -> str:
    """Apply the messages that were not applied before, in order. Returns the reply, as JSON."""
    producer_id, first, messages = request.get("producer"), request.get("first"), request.get("messages")
    if not isinstance(producer_id, str) or not 0 < len(producer_id) <= MAX_ID_CHARACTERS:
        raise refuse("producer", f"must be a string of 1 to {MAX_ID_CHARACTERS} characters")
    if not isinstance(first, int) or isinstance(first, bool) or first < 1:
        raise refuse("first", "must be a whole number above 0")
    if not isinstance(messages, list):
        raise refuse("messages", "must be a list")
    producer = transport.producers.find(producer_id, first)
    refused = []
    before = producer.applied if producer is not None else None
    if producer is not None and first <= producer.applied + 1:
        for number, message in enumerate(messages, first):
            if number <= producer.applied:
                continue
            error = _apply(transport, message)
            producer.applied = number
            if error is not None:
                refused.append({"number": number, "error": error})
                detail = f"message {number}: {error['code']} {error['field']}"
                transport.hub.tally.count(Cause.REFUSED_PAYLOADS, f"publisher {producer_id[:6]}", detail)
        if producer.applied != before:
            transport.producers.moved(producer_id)
            transport.keeper.touch()
    return encode(
        {
            "server": SERVER_ID,
            "applied": producer.applied if producer is not None else None,
            "durable": producer.durable if producer is not None and transport.keeper.keeps else None,
            "refused": refused,
        }
    ).decode()


def _apply(transport: Transport, message: Any) -> dict[str, str | None] | None:
    """Carry out one message. Returns why it was not, if so: it is done with all the same."""
    try:
        endpoint = ENDPOINTS.get(str(message.get("endpoint"))) if isinstance(message, dict) else None
        if endpoint is None:
            raise refuse("endpoint", f"must be one of {', '.join(ENDPOINTS)}")
        body = message.get("body")
        if not isinstance(body, dict):
            raise refuse("body", "must be a JSON object")
        if "win" in body:
            body["win"] = window_id(body["win"])
        eid = environment_id(body)
        transport.readable(eid)  # whatever the keeper is to have is read
        transport.keeper.feed(eid)
        try:
            endpoint(transport, body)
        finally:
            transport.keeper.fed(eid)
    except UpdateRefused as refusal:
        return as_json(refusal)
    except MessageError as error:
        return error.as_json()
    except Exception as error:
        logger.exception("a published message failed")
        return {"code": "failed", "message": f"{type(error).__name__}: {error}", "field": None}
    return None


class PublishHandler(BaseHandler):  # type: ignore[misc]
    """``/transport/publish``"""

    def initialize(self, app: Any) -> None:
        self.app = app
        self.login_enabled = app.login_enabled

    def prepare(self) -> None:
        self.set_header("Cache-Control", "no-store")
        super().prepare()

    post = posted(publish, "application/json")
