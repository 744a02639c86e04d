"""Who publishes, since when, and how much: as far as it was heard lately."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

MOST: Final = 1_000
"""The publisher that was not heard of for longest is forgotten first."""
SHOWN: Final = 200
FORGOTTEN_AFTER_S: Final = 3_600.0
MOST_ENVIRONMENTS: Final = 20
STEADY_POSTS: Final = 10
"""Who has sent less often is not missed."""
RATE_S: Final = 10.0
"""Over about so long the rate is a mean."""


@dataclass(slots=True)
class Publisher:
    """One program. Times are the links' clock's."""

    name: str
    address: str
    began_at: float
    heard_at: float
    posts: int = 0
    messages: int = 0
    refused: int = 0
    last_refusal: str = ""
    per_s: float = 0.0
    environments: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def count(self, messages: int, eids: Iterable[str], now: float) -> None:
        # Each message counts as one in RATE_S, and less with each that passes.
        self.per_s = self._rate(now) + messages / RATE_S
        self.heard_at = now
        self.posts += 1
        self.messages += messages
        for eid in eids:
            self.environments[eid] = None
            self.environments.move_to_end(eid)
        while len(self.environments) > MOST_ENVIRONMENTS:
            self.environments.popitem(last=False)

    def _rate(self, now: float) -> float:
        return self.per_s * math.exp(-max(0.0, now - self.heard_at) / RATE_S)

    def _interval_s(self) -> float | None:
        """How often it sends something, on average; None while that is not known."""
        if self.posts < STEADY_POSTS:
            return None
        return round((self.heard_at - self.began_at) / (self.posts - 1), 2)

    def row(self, now: float) -> dict[str, Any]:
        return {
            "name": self.name,
            "address": self.address,
            "environments": list(self.environments),
            "heard_s_ago": round(now - self.heard_at, 1),
            "interval_s": self._interval_s(),
            "messages": self.messages,
            "per_s": round(self._rate(now), 1),
            "refused": self.refused,
            "last_refusal": self.last_refusal,
        }


class Heard:
    """The publishers that were heard of lately: by name, or by address if they have none."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Publisher] = OrderedDict()

    def count(self, name: str, address: str, messages: int, eids: Iterable[str], now: float) -> None:
        """A publisher has sent so many messages, to these environments."""
        self._find(name, address, now).count(messages, eids, now)

    def refuse(self, name: str, address: str, detail: str, now: float) -> None:
        """Something that it sent was refused: where, and which field."""
        publisher = self._find(name, address, now)
        publisher.refused += 1
        publisher.last_refusal = detail

    def _find(self, name: str, address: str, now: float) -> Publisher:
        key = f"{name} " if name else address
        publisher = self._known.get(key)
        if publisher is None:
            publisher = self._known[key] = Publisher(name, address, now, now)
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        publisher.address = address or publisher.address
        self._known.move_to_end(key)
        return publisher

    def part(self, now: float) -> dict[str, Any]:
        """For the board."""
        while self._known and now - next(iter(self._known.values())).heard_at > FORGOTTEN_AFTER_S:
            self._known.popitem(last=False)
        newest = list(self._known.values())[-SHOWN:]
        return {f"publisher/{each.name} {each.address}": each.row(now) for each in newest}
