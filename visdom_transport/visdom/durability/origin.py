"""How old the state was that a server began with. By it a page tells a window that was closed from one that was lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .history import History


class Origin:
    """What was read at the start; nothing by default.

    Args:
        written_at: of each environment, when what was read had been written (seconds since 1970), or None if that is not known.
        others_written_at: the same for all that are not in it, also those there were none of.
    """

    def __init__(self, written_at: Mapping[str, float | None] | None = None, others_written_at: float | None = None) -> None:
        self._written_at = written_at or {}
        self._others_written_at = others_written_at

    def age_s(self, eid: str, now: float) -> float | None:
        """How long ago what this server began the environment with had been written; None if it began with nothing known."""
        written_at = self._written_at.get(eid, self._others_written_at)
        return None if written_at is None else max(0.0, now - written_at)


def origin_of(history: History, taken: Collection[str], saved: Mapping[str, float | None] | None) -> Origin:
    """How old what was read is. Of an environment that the journal's records did not fit that is not known.

    Args:
        taken: the environments that are as the journal says.
        saved: when the files of the others were written; None if the journal speaks of every environment that has changed.
    """
    at = history.written_at
    if saved is None:
        return Origin({eid: at if eid in taken else None for eid in history.logs}, at)
    return Origin({**saved, **dict.fromkeys(taken, at)})
