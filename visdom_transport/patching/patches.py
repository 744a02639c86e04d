"""Replaces every seam of a table, or none, and puts everything back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from visdom_transport.patching.locations import Location, Replacement, locate, replace
from visdom_transport.patching.seam import Seam, SeamError


class Patches:
    """The seams of one table, in this process.

    Args:
        table: what is replaced.
        recognise: which Visdom this is; raises `SeamError` when it is not known.
    """

    def __init__(self, table: Iterable[Seam], recognise: Callable[[], str]) -> None:
        self.problem: str | None = None
        """Why nothing is replaced, if `apply` was called and refused."""
        self.visdom: str | None = None
        """Which known Visdom this process runs, once `apply` has looked."""
        self.replacements: dict[str, Replacement] = {}
        self._table = tuple(table)
        self._recognise = recognise

    @property
    def active(self) -> list[Seam]:
        """The seams that are in place."""
        return [replacement.seam for replacement in self.replacements.values()]

    def apply(self) -> None:
        """Put every seam of the running Visdom in place. Calling it again only replaces what was loaded again.

        Raises:
            SeamError: this Visdom is not as expected; nothing was replaced.
        """
        done: list[Replacement] = []
        try:
            self.visdom = self._recognise()
            seams = [seam for seam in self._table if seam.belongs_to(self.visdom)]
            # All modules are loaded before aliases are looked for in them.
            for seam in seams:
                self._found(seam)
            for replacement in [self._resolve(seam) for seam in seams]:
                done.append(replacement)
                replacement.put()
        except BaseException as error:
            for replacement in reversed(done):
                replacement.undo()
            self.problem = f"{type(error).__name__}: {error}"
            raise
        self.problem = None
        self.replacements.update({str(replacement.seam): replacement for replacement in done})

    def withdraw(self) -> None:
        """Put back everything `apply` replaced."""
        for replacement in reversed(self.replacements.values()):
            replacement.undo()
        self.replacements.clear()

    @staticmethod
    def _found(seam: Seam) -> Location:
        """Where a seam is."""
        location = locate(seam)
        if location.get() is None and not location.is_item:
            raise SeamError(f"{seam} is not there")
        return location

    def _resolve(self, seam: Seam) -> Replacement:
        """Look up a seam and what replaces it, changing nothing."""
        location = self._found(seam)
        original = location.get()
        previous = self.replacements.get(str(seam))
        if previous is not None and previous.holds_at(location):
            return previous
        locations = [location, *self._aliases(seam, original)]
        return Replacement(seam, original, replace(seam, original), [(each, each.holds()) for each in locations])

    def _aliases(self, seam: Seam, original: Any) -> Iterator[Location]:
        """Where other modules hold the object. One that is not loaded yet will import the replacement.

        One that lacks the name belongs to another Visdom, or is just being loaded and has not come to its import.
        """
        previous = self.replacements.get(str(seam))
        for name in seam.aliases:
            module = sys.modules.get(name)
            if module is None:
                continue
            location = Location(module, seam.name.rpartition(".")[2], is_item=False)
            if not location.holds():
                continue
            # After a reload of the seam's module, its aliases still have our previous replacement.
            if location.get() is original or (previous is not None and location.get() is previous.new):
                yield location
            else:
                raise SeamError(f"{name}.{location.key} is not the one of {seam.module}")
