"""A seam: one thing of Visdom's that is replaced, as a row of a table."""

from __future__ import annotations

from dataclasses import dataclass


class SeamError(Exception):
    """This Visdom is not one we know. The message says what was expected and is not there."""


@dataclass(frozen=True, slots=True)
class Seam:
    """One row. Exactly one of `replacement`, `wrapper` and `value` says what takes the place of the original."""

    module: str
    name: str
    """Dotted path in the module; `settings[key]` is an item of a dictionary, which need not exist before."""
    why: str
    replacement: str = ""
    """"module:name" of what takes its place."""
    wrapper: str = ""
    """"module:factory" of what is given the original (None if there was none) and returns what takes its place."""
    value: object = None
    """What takes its place, itself."""
    aliases: tuple[str, ...] = ()
    """Modules that import it by name, and therefore hold it under the last part of `name`."""
    versions: tuple[str, ...] = ()
    """The Visdoms that have it; empty for all."""

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def belongs_to(self, visdom: str) -> bool:
        return not self.versions or visdom in self.versions
