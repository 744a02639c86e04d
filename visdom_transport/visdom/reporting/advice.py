"""Logs degraded service: what the person who runs a server is told, once for each client and cause."""

from __future__ import annotations

import logging
import re
from typing import Final

from visdom_transport.core.causes import Cause, Level
from visdom_transport.settings import variable

logger = logging.getLogger("visdom_transport.clients")

MAX_DETAIL_CHARACTERS = 500

LEVELS: Final = {Level.INFO: logging.INFO, Level.WARNING: logging.WARNING}

ABOUT_A_FEED: Final = frozenset(
    {
        *(Cause.CONFLATED_EVENTS, Cause.MISSED_EVENTS, Cause.GAPS_EPOCH, Cause.GAPS_TRIMMED),
        Cause.TRIMMED_TOMBSTONES,
    }
)
"""Causes whose detail is the name of a feed."""

_LIMIT: Final = re.compile(r"\b(max_\w+)(?==\d)")
"""A limit, as the core names it in a detail."""


class _Variables(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return variable(name)


def advice(cause: Cause) -> str:
    """What a cause says of a client and what to do about it, with settings as their reader knows them."""
    return cause.advice.format_map(_Variables())


def log_once(client: str, cause: Cause, detail: str, by: int = 1) -> None:
    """Log a cause that came up for a client for the first time, ``by`` times at once."""
    if cause.level in LEVELS:
        named = _LIMIT.sub(lambda limit: variable(limit[1]), printable(detail))
        line = (printable(client), advice(cause), cause.value, named)
        about = "feed" if cause in ABOUT_A_FEED else "detail"
        fields = {"event": cause.value, "client": line[0], "count": by, "advice": line[1], about: named or None}
        logger.log(LEVELS[cause.level], "%s %s [%s] %s", *line, extra=fields)


def printable(text: str) -> str:
    """What clients chose themselves must not make lines of its own in a log, nor long ones."""
    text = text[:MAX_DETAIL_CHARACTERS]
    return text if text.isprintable() else text.encode("unicode_escape").decode()
