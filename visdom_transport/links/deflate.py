"""What is agreed on with the clients of WebSockets that take compressed messages (RFC 7692)."""

from __future__ import annotations

import re
from typing import Final

EXTENSION: Final = "permessage-deflate"

AGREED: Final = f"{EXTENSION}; server_no_context_takeover; client_no_context_takeover"
"""Neither side refers to former messages: what is sent to many must be the same for all, and nothing is kept for a connection."""

_WINDOW = re.compile(r"8|9|1[0-5]")


def answer_to(offers: str) -> str | None:
    """What to answer the first of a client's ``offers`` that can be accepted; None without one."""
    for offer in offers.split(","):
        name, *parameters = (part.strip() for part in offer.split(";"))
        answer = _answer(parameters) if name.lower() == EXTENSION else None
        if answer is not None:
            return answer
    return None


def _answer(parameters: list[str]) -> str | None:
    known: dict[str, str | None] = {}
    for parameter in parameters:
        name, has_value, value = (part.strip() for part in parameter.partition("="))
        if name in known or not _is_valid(name, value.strip('"') if has_value else None):
            return None
        known[name] = value.strip('"')
    window = known.get("server_max_window_bits", "15")
    if window != "15":  # what is sent to all others refers back further
        return None
    return f"{AGREED}; server_max_window_bits=15" if "server_max_window_bits" in known else AGREED


def _is_valid(name: str, value: str | None) -> bool:
    if name in ("server_no_context_takeover", "client_no_context_takeover"):
        return value is None
    if name == "client_max_window_bits" and value is None:
        return True
    return name in ("client_max_window_bits", "server_max_window_bits") and bool(_WINDOW.fullmatch(value or ""))
