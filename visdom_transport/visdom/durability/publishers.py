"""How far each publisher has come."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from itertools import takewhile

MAX_PUBLISHERS = 10_000
"""Publishers remembered; the one not heard of for longest goes first, and is then told that it is unknown."""


@dataclass(slots=True)
class PublisherProgress:
    """How far one publisher has come."""

    applied: int = 0
    durable: int = 0
    heard_at: float = -math.inf
    """By the monotonic clock."""


class Publishers:
    """The publishers this server knows, by id."""

    def __init__(self, max_publishers: int = MAX_PUBLISHERS) -> None:
        self._known: OrderedDict[str, PublisherProgress] = OrderedDict()
        self._max = max_publishers
        self._news: set[str] = set()

    def find(self, publisher_id: str, first: int) -> PublisherProgress | None:
        """The publisher whose next message has the number ``first``: made if that is the first of all, None if it is unknown."""
        publisher = self._known.get(publisher_id)
        if publisher is None:
            if first != 1:
                return None
            publisher = self._known[publisher_id] = PublisherProgress()
            if len(self._known) > self._max:
                forgotten, _ = self._known.popitem(last=False)
                self._news.discard(forgotten)
        self._known.move_to_end(publisher_id)
        publisher.heard_at = time.monotonic()
        return publisher

    def heard_since(self, moment: float) -> int:
        """How many have said something since then."""
        return sum(1 for _ in takewhile(lambda each: each.heard_at >= moment, reversed(self._known.values())))

    def moved(self, publisher_id: str) -> None:
        """The publisher has come further."""
        self._news.add(publisher_id)

    def has_news(self) -> bool:
        return bool(self._news)

    def news(self) -> dict[str, int]:
        """The last applied number of each that has come further since the last time."""
        known, self._news = self._news & self._known.keys(), set()
        return {publisher_id: self._known[publisher_id].applied for publisher_id in sorted(known)}

    def numbers(self) -> dict[str, int]:
        """The last applied number of each, the one not heard of for longest first."""
        return {publisher_id: publisher.applied for publisher_id, publisher in self._known.items()}

    def restore(self, numbers: dict[str, int]) -> None:
        """Know these from now on: what they have applied is on disk."""
        for publisher_id, number in numbers.items():
            self._known[publisher_id] = PublisherProgress(number, number)

    def durable(self, numbers: dict[str, int]) -> None:
        """What these numbers stand for is on disk."""
        for publisher_id, number in numbers.items():
            publisher = self._known.get(publisher_id)
            if publisher is not None:
                publisher.durable = max(publisher.durable, number)
