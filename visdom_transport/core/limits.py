"""The bounds of the core. Every structure that could grow has one here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds and times. Seconds end in ``_s``, bytes in ``_bytes``; the rest are counts."""

    heartbeat_s: float = 8.0
    """Silence after which a link is pinged."""
    dead_after_s: float = 20.0
    """Silence after which a link is dead."""
    grace_s: float = 120.0
    """How long a session lives without a link."""
    poll_wait_s: float = 10.0
    """The longest a poll is held. Less than ``dead_after_s``, because a held poll is silence."""
    window_batches: int = 16
    """Unacknowledged batches in flight on one link."""
    batch_bytes: int = 1_000_000
    """Size of one batch; a single larger value goes alone."""
    in_flight_bytes: int = 4_000_000
    """Unacknowledged bytes on one link."""
    history_bytes: int = 64_000_000
    """What all state feeds together keep: deltas and encoded values."""
    event_count: int = 10_000
    """Events an event feed keeps."""
    event_bytes: int = 64_000_000
    """Bytes an event feed keeps, besides the largest member that its events share."""
    max_tombstones: int = 10_000
    """Tombstones one state feed keeps."""
    max_subscriptions: int = 64
    """Subscriptions of one session."""
    max_sessions: int = 10_000
    """Sessions of one hub, and links that have not said hello yet."""
    max_address_sessions: int = 5_000
    """The same, of one remote address."""
    max_position_keys: int = 100_000
    """Keys that one position names in ``have`` or ``ahead``."""
    max_commands_per_s: int = 200
    """Commands of one session."""
    max_messages_per_s: int = 2_000
    """Messages of one session, of whatever kind, and polls."""
