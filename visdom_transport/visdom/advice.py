"""What the person who runs a server is told, once for each client and cause, and what there is to do about it."""

from __future__ import annotations

import logging
import re
from typing import Final

from ..core.tally import Cause
from ..settings import variable

logger = logging.getLogger("visdom_transport.clients")

MAX_DETAIL_CHARACTERS = 500

ADVICE: Final = {
    Cause.CONFLATED_EVENTS: "draws slower than data comes, and is sent newer states in place of older ones; no need to act",
    Cause.MISSED_EVENTS: "lost events while it was away; raise VISDOM_TRANSPORT_EVENT_COUNT and VISDOM_TRANSPORT_EVENT_BYTES",
    Cause.GAPS_EPOCH: "came back to a feed that began anew, and was sent what differs; no need to act",
    Cause.GAPS_TRIMMED: "was away too long and is sent everything again; raise VISDOM_TRANSPORT_MAX_TOMBSTONES or _EVENT_COUNT",
    Cause.TRIMMED_HISTORY_BYTES: "gives up old changes: returning clients load more; raise VISDOM_TRANSPORT_HISTORY_BYTES",
    Cause.TRIMMED_TOMBSTONES: "gives up old deletions: returning clients load more; raise VISDOM_TRANSPORT_MAX_TOMBSTONES",
    Cause.REFUSED_MESSAGES: "sent a message that was refused; update that client",
    Cause.REFUSED_COMMANDS: "gave a command that was refused, and was told why",
    Cause.REFUSED_PAYLOADS: "sent what was refused, and was told why; correct that program",
    Cause.REFUSED_WRITES: "wanted to change a server that is read only; VISDOM_TRANSPORT_READONLY_HTTP=allow would let it",
    Cause.REFUSED_BODIES: "sent too large a body; send less, or raise the setting",
    Cause.REFUSED_HOSTS: "asked for a host name that the settings do not have",
    Cause.CLOSED_SILENT: "was silent for VISDOM_TRANSPORT_DEAD_AFTER_S, and its link was ended; it may come back",
    Cause.CLOSED_TOO_SLOW: "asked without reading the answers, and was disconnected; look at that client and its network",
    Cause.CLOSED_LIMIT: "was turned away at a limit; if so many are right, raise the setting",
    Cause.CLOSED_UNAUTHORIZED: "has no login, or has logged out, and was turned away; no need to act",
    Cause.CLOSED_WRONG_SECRET: "wanted a session that is not its own; somebody may be guessing",
    Cause.CLOSED_PROTOCOL: "does not speak the protocol, or sent too large a message; update that client",
    Cause.CLOSED_ORIGIN: "is another site, whose pages may not use this server",
}
"""Causes that are not here are everyday events, and only counted."""

WARNINGS: Final = frozenset({Cause.CLOSED_LIMIT, Cause.CLOSED_ORIGIN, Cause.REFUSED_HOSTS})
"""What only a setting can change. Of the rest the client was told itself, or it is how things should be."""


_LIMIT: Final = re.compile(r"\b(max_\w+)(?==\d)")
"""A limit, as the core names it."""


def tell(client: str, cause: Cause, detail: str) -> None:
    """Log a cause that came up for a client for the first time."""
    if cause in ADVICE:
        level = logging.WARNING if cause in WARNINGS else logging.INFO
        named = _LIMIT.sub(lambda limit: variable(limit[1]), printable(detail))
        logger.log(level, "%s %s [%s] %s", printable(client), ADVICE[cause], cause.value, named)


def printable(text: str) -> str:
    """What clients chose themselves must not make lines of its own in a log, nor long ones."""
    text = text[:MAX_DETAIL_CHARACTERS]
    return text if text.isprintable() else text.encode("unicode_escape").decode()
