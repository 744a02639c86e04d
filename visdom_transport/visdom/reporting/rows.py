"""What the operator's page shows of a hub: its sessions, relays and limits. Ages are seconds."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, Final

from visdom_transport import feed_names
from visdom_transport.core import status
from visdom_transport.core.causes import Cause
from visdom_transport.core.event_feed import EventFeed
from visdom_transport.core.hub import Hub
from visdom_transport.core.session import Session
from visdom_transport.settings import variable
from visdom_transport.visdom.reporting.advice import advice

SHOWN: Final = 200
"""Sessions with a row of their own, the worst ones. All are counted."""
CURRENT_S: Final = 1.0
"""A picture that is no older counts as current."""

MEMBERS: Final = (
    *("role", "dialect", "link", "relay", "subscriptions", "events_behind", "in_flight_bytes", "picture_age_s"),
    *("drawn_s_ago", "seen_s_ago", "resumes", "conflated_events"),
)
"""What a session's row has of the status."""


def sessions(hub: Hub, now: float) -> dict[str, Any]:
    """The worst sessions by key, and what there is to say of all of them."""
    rows = sorted((row(session, now) for session in hub.sessions.values() if _counts(session)), key=_badness)
    ages = [each["picture_age_s"] for each in rows if each["role"] == "browser" and each["picture_age_s"] is not None]
    linked = [each for each in rows if each["link"] is not None]
    summary = {
        "at_relays": sum(each["role"] == "browser" and each["relay"] is not None for each in linked),
        "watching": len(ages),
        "current": sum(age <= CURRENT_S for age in ages),
        "oldest_s": max(ages, default=0.0),
        "away": len(rows) - len(linked),
        "not_shown": max(0, len(rows) - SHOWN),
    }
    return {"summary": summary, **{f"session/{digest(each.pop('id'))}": each for each in rows[:SHOWN]}}


def _counts(session: Session) -> bool:
    """Whether it is somebody who looks at windows or waits for events, here or at a relay: no relay, and not this page."""
    if session.follower is not None:
        return session.follower.for_viewer
    return not session.subscriptions.keys() <= {feed_names.OPERATOR}


def _badness(each: dict[str, Any]) -> tuple[float, bool]:
    return -(each["picture_age_s"] or 0.0), each["link"] is not None


def row(session: Session, now: float) -> dict[str, Any]:
    """One session."""
    found = status.of_session(session, now)
    link = session.link
    return {
        "id": session.id,
        "address": session.address,
        "credit": link.credit if link is not None else 0,
        "problems": [[name, count, advice(Cause(name))] for name, count in session.problems.items() if Cause(name).advice],
        **{name: found[name] for name in MEMBERS},
        # A relay's viewer looks at what the relay has.
        "picture_age_s": found["picture_age_s"] if session.follower is None else None,
    }


def digest(session_id: str) -> str:
    """Another id than the session's, which belongs to its client."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:12]


def relays(hub: Hub, now: float) -> dict[str, Any]:
    """Each relay."""
    return {f"relay/{each['name']}": each for each in status.of_relays(hub.sessions.values(), now)}


def limits(hub: Hub, now: float) -> dict[str, Any]:
    """How much of each limit is used."""
    settings = hub.limits
    addresses = Counter(session.address for session in hub.sessions.values())
    events = [feed for feed in hub.feeds.values() if isinstance(feed, EventFeed)]
    used = {
        "max_sessions": (len(hub.sessions) + hub.waiting_links, settings.max_sessions),
        "max_address_sessions": (max(addresses.values(), default=0), settings.max_address_sessions),
        "history_bytes": (sum(f.retained_bytes for f in hub.feeds.values() if f not in events), settings.history_bytes),
        "event_bytes": (max((feed.retained_bytes for feed in events), default=0), settings.event_bytes),
    }
    return {f"limit/{name}": {"name": variable(name), "used": now_used, "limit": most} for name, (now_used, most) in used.items()}
