"""What an outbox on disk may hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Policy:
    """Where an outbox is, and its bounds."""

    directory: Path
    max_bytes: int
    """Of each publisher."""
    max_age_s: float | None
    """What was written longer ago is not sent any more. None: everything is."""
    drops_oldest: bool
    """Whether the oldest messages make room for new ones. Otherwise new ones are held in memory."""
