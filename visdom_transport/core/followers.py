"""Relays, as a server that they follow knows them: by what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

MAX_NAME: Final = 200
"""Characters of a relay's name, which only people read."""


@dataclass(frozen=True, slots=True)
class Follower:
    """The relay that has a session: for the feeds that it follows, or for one of its viewers."""

    name: str
    for_viewer: bool

    @classmethod
    def of(cls, hello: Mapping[str, Any]) -> Self | None:
        """Who says this hello, if it is a relay. It gets nothing for saying so."""
        said = hello.get("relay")
        if not isinstance(said, dict) or not isinstance(said.get("name"), str):
            return None
        return cls(said["name"][:MAX_NAME], said.get("viewer") is True)
