"""What a server could not do as it should: counted in all and, once for each client and cause, told."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum

from .errors import CloseCode

MAX_TOLD = 10_000
"""Pairs of client and cause that count as told; the one that came up least recently is forgotten first."""

MAX_CLIENT_CHARACTERS = 200


class Cause(StrEnum):
    """Everything that is counted; docs/operations.md says what each means and what to do about it."""

    CONFLATED_EVENTS = "conflated_events"
    MISSED_EVENTS = "missed_events"
    GAPS_EPOCH = "gaps_epoch"
    GAPS_TRIMMED = "gaps_trimmed"
    TRIMMED_HISTORY_BYTES = "trimmed_history_bytes"
    TRIMMED_TOMBSTONES = "trimmed_tombstones"
    REFUSED_MESSAGES = "refused_messages"
    REFUSED_COMMANDS = "refused_commands"
    REFUSED_PAYLOADS = "refused_payloads"
    REFUSED_WRITES = "refused_writes"
    REFUSED_BODIES = "refused_bodies"
    REFUSED_HOSTS = "refused_hosts"
    CLOSED_REPLACED = "closed_replaced"
    CLOSED_GOING_AWAY = "closed_going_away"
    CLOSED_SILENT = "closed_silent"
    CLOSED_UNKNOWN_LINK = "closed_unknown_link"
    CLOSED_TOO_SLOW = "closed_too_slow"
    CLOSED_LIMIT = "closed_limit"
    CLOSED_UNAUTHORIZED = "closed_unauthorized"
    CLOSED_WRONG_SECRET = "closed_wrong_secret"
    CLOSED_PROTOCOL = "closed_protocol"
    CLOSED_ORIGIN = "closed_origin"


def closed(code: CloseCode) -> Cause:
    """A link was ended, or a client refused, with this code."""
    return Cause(f"closed_{code.reason}")


class Tally:
    """The counts. ``tell`` is called with client, cause and detail when a cause comes up for a client for the first time."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {cause.value: 0 for cause in Cause}
        self.tell: Callable[[str, Cause, str], None] = lambda client, cause, detail: None
        self._told: OrderedDict[tuple[str, Cause], None] = OrderedDict()

    def count(self, cause: Cause, client: str, detail: str = "", by: int = 1) -> None:
        """``cause`` came up for ``client``, ``by`` times. A client is named as the person who runs the server knows it."""
        self.totals[cause] += by
        pair = (client[:MAX_CLIENT_CHARACTERS], cause)
        is_new = pair not in self._told
        self._told[pair] = None
        self._told.move_to_end(pair)
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        if is_new:
            self.tell(pair[0], cause, detail)
