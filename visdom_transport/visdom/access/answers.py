"""The one form in which HTTP says what is wrong: JSON with a code, a message, and the field if there is one."""

from __future__ import annotations

from typing import Any

from visdom_transport.core.encoding import encode
from visdom_transport.core.errors import MessageError


def answer_error(handler: Any, status: int, error: MessageError) -> None:
    """Finish a request with ``error``."""
    handler.set_status(status)
    handler.set_header("Content-Type", "application/json")
    handler.finish(encode({"error": error.as_json()}))
