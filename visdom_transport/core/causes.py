"""Degraded service: everything a server could not do as it should is counted, and logged once per client and cause."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum, StrEnum

from visdom_transport.core.errors import CloseCode

MAX_LOGGED = 10_000
"""Pairs of client and cause that count as logged; the one that came up least recently is forgotten first."""

MAX_CLIENT_CHARACTERS = 200


class Level(Enum):
    """How a cause is logged."""

    COUNTED = "counted"
    """Not at all: an everyday event."""
    INFO = "info"
    """The client was told itself, or it is how things should be."""
    WARNING = "warning"
    """Only a setting can change it."""


class Cause(StrEnum):
    """What is counted: the name, what it says of a client and what to do about it, and how it is logged.

    A limit of `Limits` stands as ``{name}`` in an advice.
    """

    advice: str
    level: Level

    def __new__(cls, name: str, advice: str = "", level: Level = Level.INFO) -> Cause:
        cause = str.__new__(cls, name)
        cause._value_ = name
        cause.advice = advice
        cause.level = level if advice else Level.COUNTED
        return cause

    CONFLATED_EVENTS = (
        "conflated_events",
        "draws slower than data comes, and is sent newer states in place of older ones; no need to act",
    )
    MISSED_EVENTS = "missed_events", "lost events while it was away; raise {event_count} and {event_bytes}"
    GAPS_EPOCH = "gaps_epoch", "came back to a feed that started over, and was sent what differs; no need to act"
    GAPS_TRIMMED = (
        "gaps_trimmed",
        "was away too long and is sent everything again; raise {max_tombstones} or {event_count}",
    )
    TRIMMED_HISTORY_BYTES = (
        "trimmed_history_bytes",
        "gives up old changes: returning clients load more; raise {history_bytes}",
    )
    TRIMMED_TOMBSTONES = (
        "trimmed_tombstones",
        "gives up old deletions: returning clients load more; raise {max_tombstones}",
    )
    REFUSED_MESSAGES = "refused_messages", "sent a message that was refused; update that client"
    REFUSED_COMMANDS = "refused_commands", "gave a command that was refused, and was told why"
    REFUSED_PAYLOADS = "refused_payloads", "sent a request that was refused, and was told why; correct that program"
    REFUSED_WRITES = "refused_writes", "tried to change a read-only server; {readonly_http}=allow would let it"
    REFUSED_BODIES = "refused_bodies", "sent too large a body; send less, or raise the setting"
    REFUSED_HOSTS = "refused_hosts", "asked for a host name that the settings do not have", Level.WARNING
    CLOSED_REPLACED = "closed_replaced"
    CLOSED_GOING_AWAY = "closed_going_away"
    CLOSED_SILENT = "closed_silent", "was silent for {dead_after_s}, and its link was ended; it may come back"
    CLOSED_UNKNOWN_LINK = "closed_unknown_link"
    CLOSED_TOO_SLOW = (
        "closed_too_slow",
        "asked without reading the answers, and was disconnected; look at that client and its network",
    )
    CLOSED_LIMIT = "closed_limit", "was turned away at a limit; if so many are right, raise the setting", Level.WARNING
    CLOSED_UNAUTHORIZED = "closed_unauthorized", "has no login, or has logged out, and was turned away; no need to act"
    CLOSED_WRONG_SECRET = "closed_wrong_secret", "presented the id of a session that is not its own; somebody may be guessing"
    CLOSED_PROTOCOL = "closed_protocol", "does not speak the protocol, or sent too large a message; update that client"
    CLOSED_ORIGIN = "closed_origin", "is another site, whose pages may not use this server", Level.WARNING


def closed(code: CloseCode) -> Cause:
    """A link was ended, or a client refused, with this code."""
    return Cause(f"closed_{code.reason}")


class Causes:
    """The counts of all causes.

    ``log_once`` is called with client, cause, detail and how many times, when a cause comes up for a client for the first time.
    """

    def __init__(self, log_once: Callable[[str, Cause, str, int], None] = lambda client, cause, detail, by: None) -> None:
        self.totals: dict[str, int] = {cause.value: 0 for cause in Cause}
        self._log_once = log_once
        self._logged: OrderedDict[tuple[str, Cause], None] = OrderedDict()

    def count(self, cause: Cause, client: str, detail: str = "", by: int = 1) -> None:
        """``cause`` came up for ``client``, ``by`` times. A client is named as the person who runs the server knows it."""
        self.totals[cause] += by
        pair = (client[:MAX_CLIENT_CHARACTERS], cause)
        is_new = pair not in self._logged
        self._logged[pair] = None
        self._logged.move_to_end(pair)
        if len(self._logged) > MAX_LOGGED:
            self._logged.popitem(last=False)
        if is_new:
            self._log_once(pair[0], cause, detail, by)
