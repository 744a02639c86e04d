"""How far each publisher has come."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_PRODUCERS = 10_000
"""Publishers remembered; the one not heard of for longest goes first, and is then told that it is unknown."""


@dataclass(slots=True)
class Producer:
    """How far one publisher has come."""

    applied: int = 0
    durable: int = 0


class Producers:
    """The publishers this server knows, by id."""

    def __init__(self, max_producers: int = MAX_PRODUCERS) -> None:
        self._known: OrderedDict[str, Producer] = OrderedDict()
        self._max = max_producers
        self._news: set[str] = set()

    def find(self, producer_id: str, first: int) -> Producer | None:
        """The publisher whose next message has the number ``first``: made if that is the first of all, None if it is unknown."""
        producer = self._known.get(producer_id)
        if producer is None:
            if first != 1:
                return None
            producer = self._known[producer_id] = Producer()
            if len(self._known) > self._max:
                forgotten, _ = self._known.popitem(last=False)
                self._news.discard(forgotten)
        self._known.move_to_end(producer_id)
        return producer

    def moved(self, producer_id: str) -> None:
        """The publisher has come further."""
        self._news.add(producer_id)

    def has_news(self) -> bool:
        return bool(self._news)

    def news(self) -> dict[str, int]:
        """The last applied number of each that has come further since the last time."""
        known, self._news = self._news & self._known.keys(), set()
        return {producer_id: self._known[producer_id].applied for producer_id in sorted(known)}

    def numbers(self) -> dict[str, int]:
        """The last applied number of each, the one not heard of for longest first."""
        return {producer_id: producer.applied for producer_id, producer in self._known.items()}

    def restore(self, numbers: dict[str, int]) -> None:
        """Know these from now on: what they have applied is on disk."""
        for producer_id, number in numbers.items():
            self._known[producer_id] = Producer(number, number)

    def durable(self, numbers: dict[str, int]) -> None:
        """What these numbers stand for is on disk."""
        for producer_id, number in numbers.items():
            producer = self._known.get(producer_id)
            if producer is not None:
                producer.durable = max(producer.durable, number)
