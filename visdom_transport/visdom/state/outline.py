"""Environments without their long values: what Visdom copies and encodes to combine them is small, however much they hold."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from typing import Any

LONG_ITEMS = 100
"""A longer list of anything but objects is left out: numbers of a plot, rows of a heat map."""

LONG_CHARACTERS = 20_000
"""A longer text is left out: an image, a page."""

LOOKED_AT = frozenset({"title", "name", "caption"})
"""Texts that Visdom compares, or makes others of."""

_PREFIX = f"{secrets.token_hex(16)} "
"""What no text of anybody else begins with."""


class Outline:
    """A name in the place of each long value, and what it stands for."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._counts: Counter[str] = Counter()

    def of(self, value: Any, mark: str) -> Any:
        """A copy in which names take the place of what is long: the same as before where ``mark`` and the form are."""
        if type(value) is list:
            if len(value) > LONG_ITEMS and not isinstance(value[0], dict):
                return self._name(value, mark)
            return [self.of(item, mark) for item in value]
        if isinstance(value, Mapping):
            return {key: item if key in LOOKED_AT else self.of(item, mark) for key, item in value.items()}
        return self._name(value, mark) if type(value) is str and len(value) > LONG_CHARACTERS else value

    def filled(self, value: Any) -> Any:
        """The same value with what the names in it stand for, which is not copied."""
        if type(value) is list:
            return [self.filled(item) for item in value]
        if type(value) is dict:
            return {key: self.filled(item) for key, item in value.items()}
        return self._values.get(value, value) if type(value) is str else value

    def _name(self, value: Any, mark: str) -> str:
        self._counts[mark] += 1
        name = f"{_PREFIX}{mark} {self._counts[mark]}"
        self._values[name] = value
        return name
