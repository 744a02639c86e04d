"""What became of the calls of a publisher."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """What became of the calls so far. All but the last four only grow."""

    calls: int = 0
    """Calls that only publish."""
    sent: int = 0
    """Messages that the server has applied or refused; again, if it had lost them."""
    coalesced: int = 0
    """Calls that were sent as part of another one, or not at all because a later one replaced what they showed."""
    dropped: int = 0
    """Calls that were lost, because there was no room or the process ended."""
    resent: int = 0
    """Times that a message was sent again."""
    refused: int = 0
    """Messages that the server did not take."""
    queued_bytes: int = 0
    """What is held in memory."""
    spilled_bytes: int = 0
    """What is held in the file."""
    unconfirmed: int = 0
    """Messages that are sent but not yet kept by the server."""
    outbox_bytes: int = 0
    """What is in the outbox on disk."""
