"""Relays that share a port. What a link's polls say, they hand to the one that has the link."""

from __future__ import annotations

from collections.abc import Sequence

from visdom_transport.relay.origin import Origin
from visdom_transport.relay.passing import Passing

MOST_DIGITS = 6
MAX_POLLS = 100_000
"""That may be held elsewhere for clients of here."""


class Siblings:
    """The relays of one port, by number.

    Args:
        number: of this one.
        ports: where each of them is asked by the others, on this machine.
    """

    def __init__(self, number: int = 0, ports: Sequence[int] = (), base_url: str = "") -> None:
        self._number = number
        self.ports_after = number + 1 if ports else 0
        """How far from that of the settings a port of its own is: the server that all follow has that one."""
        self._passing = [Passing(Origin(f"http://127.0.0.1:{port}{base_url}"), MAX_POLLS) for port in ports]

    def mark(self, link_id: str) -> str:
        """The id of a link of this relay, which tells where it is."""
        return f"{self._number}.{link_id}"

    def is_own(self, link_id: object) -> bool:
        """Whether it can only be this one that knows the link."""
        return number_of(link_id) == self._number

    def owner(self, link_id: object) -> Passing | None:
        """The way to the other relay that has a link; None without one."""
        number = number_of(link_id)
        return self._passing[number] if number is not None and number < len(self._passing) else None


def number_of(link_id: object) -> int | None:
    """Of the relay that has the link. Links of origins have no mark."""
    number, dot, _ = link_id.partition(".") if isinstance(link_id, str) else ("", "", "")
    return int(number) if dot and len(number) <= MOST_DIGITS and number.isascii() and number.isdecimal() else None
