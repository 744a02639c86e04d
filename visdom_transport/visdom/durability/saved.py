"""What somebody has saved stays: a file that nobody asked for keeps the windows that were saved and then closed.

Plain Visdom writes only what it is told to save, so a window that is closed after that is there again after a restart, until
somebody saves without it. The memory of what was saved is the file itself: one that nobody asked for names the windows in it that
somebody had saved; in any other all were.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MARK = "transport_saved"
"""The member of a file that nobody asked for: the windows that somebody had saved."""


def take_mark(environment: dict[str, Any]) -> frozenset[str]:
    """The windows of what was read from a file that somebody has saved. The member that tells is removed."""
    mark = environment.pop(MARK, None)
    if not isinstance(mark, list):
        return frozenset(environment["jsons"])
    return frozenset(environment["jsons"]).intersection(win for win in mark if isinstance(win, str))


class Saved:
    """The windows of each environment that somebody has saved, as far as that is known."""

    def __init__(self) -> None:
        self._wins: dict[str, frozenset[str]] = {}

    def set(self, eid: str, wins: Iterable[str]) -> None:
        """Somebody saves the environment with these windows."""
        self._wins[eid] = frozenset(wins)

    def found(self, eid: str, wins: frozenset[str]) -> frozenset[str]:
        """The environment's file says that these were saved. Returns what is known: a save may be on its way there."""
        return self._wins.setdefault(eid, wins)

    def forget(self, eid: str) -> None:
        """Only the file can tell, or there is none any more."""
        self._wins.pop(eid, None)

    def known(self, eid: str) -> frozenset[str] | None:
        """The windows that somebody has saved; None if only the file can tell."""
        return self._wins.get(eid)
