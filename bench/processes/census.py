"""Counts what a server process holds, so that something that is never given back shows.

Looks into private parts on purpose: what nobody can see from outside is what leaks.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tornado.iostream import BaseIOStream
from tornado.web import RequestHandler

PACKAGE = "visdom_transport."


def process() -> dict[str, int]:
    """What any server process has: file descriptors, threads, tasks and timers of its event loop."""
    loop: Any = asyncio.get_running_loop()
    return {
        "files": len(os.listdir("/proc/self/fd")) - 1,  # but for the one that lists them
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks(loop)),
        # uvloop does not tell.
        "timers": sum(not timer.cancelled() for timer in getattr(loop, "_scheduled", ())),
    }


def memory() -> dict[str, int]:
    """The blocks in which Python keeps its objects."""
    return {"blocks": sys.getallocatedblocks()}


def held(transport: Any) -> dict[str, int]:
    """What our transport keeps for those who are there."""
    from visdom_transport.core.state_feed import StateFeed

    hub, sessions = transport.hub, transport.hub.sessions.values()
    feeds = [feed for feed in hub.feeds.values() if isinstance(feed, StateFeed)]
    return {
        "sessions": len(sessions),
        "places": hub._quota._taken.total(),
        "links without a hello": len(hub._waiting),
        "links": sum(session.link is not None for session in sessions),
        "subscriptions": sum(len(session.subscriptions) for session in sessions),
        "command replies": sum(len(session.replies) for session in sessions),
        "in-flight bytes": sum(session.link.in_flight_bytes for session in sessions if session.link is not None),
        "long polls": len(transport.long_polls._links),
        "stock polls": len(transport.stock_polls),
        "feeds": len(feeds),
        "known keys": sum(len(feed._changes._by_key) for feed in feeds),
        "tombstones": sum(len(feed._changes._tombstones) for feed in feeds),
        "cached batches": sum(len(feed._catch_up._batches) for feed in feeds),
        "retained bytes": sum(feed.retained_bytes for feed in feeds),
        "comparisons": len(transport.comparisons._known),
        "undoable": len(transport.closed_windows.counted),
        "environments": len(transport.app.state),
        "journaled environments": len(transport.journal._tracking.tracked),
    }


def remembered(transport: Any) -> dict[str, int]:
    """What our transport keeps up to a bound, whoever is there."""
    return {
        "told causes": len(transport.hub.causes._logged),
        "ended long polls": len(transport.long_polls._ended),
        "events": sum(len(feed._ring) for feed in transport.hub.feeds.values() if hasattr(feed, "_ring")),
        "publishers": len(transport.publishers._known),
        "line counts": len(transport.line_counts),
        "journal bytes": transport.journal.status()["journal_bytes"],
    }


def objects() -> dict[str, int]:
    """How many there are of each of our classes, and are in use."""
    gc.collect()
    return ours(gc.get_objects())


def ours(found: Iterable[Any]) -> dict[str, int]:
    counts = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in found)
    return {name.removeprefix(PACKAGE): count for name, count in sorted(counts.items()) if name.startswith(PACKAGE)}


def garbage() -> dict[str, int]:
    """Objects of ours that only the garbage collector could free, since the last call. From the first on, it runs only here."""
    gc.disable()
    for each in gc.get_objects():
        # When a connection is reset, tornado's stream keeps the error, with the frames that met it, and they keep the stream.
        if isinstance(each, BaseIOStream) and each.error is not None:
            each.error.__traceback__ = None
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    found = ours(gc.garbage)
    gc.garbage.clear()
    gc.set_debug(0)
    gc.collect()
    return found


class CensusHandler(RequestHandler):
    """``/bench/census``: all of it, or with ``?part=`` one of them."""

    def get(self) -> None:
        transport: Any = getattr(self.application, "transport", None)
        parts = {
            "process": process,
            "memory": memory,
            "held": lambda: held(transport) if transport is not None else {},
            "remembered": lambda: remembered(transport) if transport is not None else {},
            "objects": objects,
            "garbage": garbage,
        }
        wanted = self.get_arguments("part") or list(parts)[:4]
        self.finish(json.dumps({name: parts[name]() for name in wanted}))
