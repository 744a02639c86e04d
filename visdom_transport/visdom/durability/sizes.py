"""About how large a value is as JSON, without making the JSON."""

from __future__ import annotations

from itertools import islice
from typing import Any

_SAMPLES = 8
"""Items of a long list that stand for all of them."""

_MEMBERS = 64
"""Likewise, of an object with many members."""

_VALUES = 250
"""Values looked at before the rest is guessed, which bounds the time and the depth."""

_NUMBER_BYTES = 18
_GUESS_BYTES = 32


def estimated_bytes(value: Any) -> int:
    """About how many bytes ``value`` takes as JSON. Takes microseconds, however large it is."""
    return _Estimate().size(value)


class _Estimate:
    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _VALUES

    def size(self, value: Any) -> int:
        self._left -= 1
        if isinstance(value, str):
            return len(value) + 2
        if isinstance(value, float):
            return _NUMBER_BYTES
        if isinstance(value, list | tuple):
            step = max(1, len(value) // _SAMPLES)
            return self._scaled(value[::step], len(value))
        if isinstance(value, dict):
            names = sum(len(name) + 4 if isinstance(name, str) else 8 for name in islice(value, _MEMBERS))
            return names + self._scaled(list(islice(value.values(), _MEMBERS)), len(value))
        return 6

    def _scaled(self, sample: Any, count: int) -> int:
        """The size of ``count`` items of which these are some."""
        measured = total = 0
        for item in sample:
            if self._left <= 0:
                break
            total += self.size(item) + 1
            measured += 1
        return 2 + (total * count // measured if measured else count * _GUESS_BYTES)
