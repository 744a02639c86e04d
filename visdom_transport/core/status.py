"""What a hub tells of its sessions and of the relays among them (docs/operations.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from visdom_transport.core.causes import Cause
from visdom_transport.core.session import Session
from visdom_transport.core.subscriptions import Feed


def of_hub(sessions: Collection[Session], feeds: Iterable[Feed], totals: Mapping[str, int], now: float) -> dict[str, Any]:
    """All of it."""
    return {
        "sessions": [of_session(session, now) for session in sessions],
        "relays": of_relays(sessions, now),
        "feeds": {
            feed.name: {"epoch": feed.epoch, "offset": feed.offset, "retained_bytes": feed.retained_bytes} for feed in feeds
        },
        "totals": dict(totals),
    }


def of_session(session: Session, now: float) -> dict[str, Any]:
    """One session."""
    link = session.link
    return {
        "role": session.role,
        "dialect": session.dialect,
        "link": link.kind if link else None,
        "relay": session.follower.name if session.follower else None,
        "subscriptions": list(session.subscriptions),
        "events_behind": session.behind,
        "in_flight_bytes": link.in_flight_bytes if link else 0,
        "picture_age_s": seconds(session.picture_age_s(now)),
        "drawn_s_ago": seconds_since(link.drawn_at if link else None, now),
        "seen_s_ago": seconds_since(session.seen_at, now),
        "resumes": session.resumes,
        "conflated_events": session.problems.get(Cause.CONFLATED_EVENTS, 0),
        "degraded": dict(session.problems),
    }


def of_relays(sessions: Iterable[Session], now: float) -> list[dict[str, Any]]:
    """Each relay that has a session of its own, with a link or within its grace period."""
    own: dict[str, list[Session]] = {}
    viewers: dict[str, int] = {}
    for session in sessions:
        follower = session.follower
        if follower is None:
            continue
        if follower.for_viewer:
            viewers[follower.name] = viewers.get(follower.name, 0) + (session.link is not None)
        else:
            own.setdefault(follower.name, []).append(session)
    return [
        {
            "name": name,
            "address": each[-1].address,
            "state": "here" if any(session.link for session in each) else "away",
            "viewers": viewers.get(name, 0),
            "feeds": sum(len(session.subscriptions) for session in each if session.link),
            "seen_s_ago": seconds_since(max(session.seen_at for session in each), now),
        }
        for name, each in own.items()
    ]


def seconds_since(moment: float | None, now: float) -> float | None:
    """None where there is no such moment."""
    return seconds(None if moment is None else now - moment)


def seconds(value: float | None) -> float | None:
    """As a status shows it."""
    return None if value is None else round(value, 3)
