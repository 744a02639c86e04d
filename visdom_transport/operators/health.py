"""Whether a process delivers: named checks, each with what is wrong in words. No clock and no sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check finds. ``text`` says why in few words, without anything that not everybody may read."""

    passes: bool
    text: str = ""


Check: TypeAlias = Callable[[float], Verdict]
"""Judges at a time, by the links' clock."""

GOOD = Verdict(True)


class Health:
    """The checks of one process, which is ready when all of them pass."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._is_stopping = False
        self._checks: dict[str, Check] = {"stopping": self._stopping, **checks}

    def stop(self) -> None:
        """The process is about to end: from now on it is not ready."""
        self._is_stopping = True

    def _stopping(self, _: float) -> Verdict:
        return Verdict(False, "the server is stopping") if self._is_stopping else GOOD

    def verdicts(self, now: float) -> dict[str, Verdict]:
        """All checks, by name."""
        return {name: check(now) for name, check in self._checks.items()}


def report(verdicts: Mapping[str, Verdict], *, verbose: bool) -> tuple[bool, str]:
    """Whether all checks pass, and that in words: one line, or one for each check before it."""
    failing = [name for name, verdict in verdicts.items() if not verdict.passes]
    last = f"not ready: {', '.join(failing)}" if failing else "ready"
    lines = [_line(name, verdict) for name, verdict in verdicts.items()] if verbose else []
    return not failing, "\n".join([*lines, last, ""])


def _line(name: str, verdict: Verdict) -> str:
    mark, state = ("+", "ok") if verdict.passes else ("-", "failed")
    return f"[{mark}]{name} {state}" + (f": {verdict.text}" if verdict.text else "")
