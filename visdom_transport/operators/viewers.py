"""The metrics of a hub: sessions, links, and how old the pictures are that they have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric

from visdom_transport.core.causes import Causes
from visdom_transport.core.counts import FRESHNESS_S, LINKS, Counts
from visdom_transport.core.histogram import Histogram
from visdom_transport.core.hub import Hub
from visdom_transport.core.keyed_feed import KeyedFeed
from visdom_transport.links.packer import Packer
from visdom_transport.operators.families import counter, gauge, histogram, one, total
from visdom_transport.operators.measures import Measures, kind_of

BEHIND_S = (1, 5, 30)
ROLES = ("browser", "source")
KINDS = ("env", "compare", "shared", "event")


@dataclass(slots=True)
class _Seen:
    """What one look at all sessions tells."""

    sessions: Counter[tuple[str, ...]] = field(default_factory=Counter)
    links: Counter[tuple[str, ...]] = field(default_factory=Counter)
    in_flight_bytes: Counter[tuple[str, ...]] = field(default_factory=Counter)
    behind: Counter[tuple[str, ...]] = field(default_factory=Counter)
    oldest_s: float = 0.0
    held: int = 0

    def look(self, hub: Hub, now: float) -> None:
        for session in hub.sessions.values():
            role, dialect, link = session.role, session.dialect, session.link
            self.sessions[role, dialect] += 1
            if link is None:
                continue
            self.links[role, dialect, link.kind] += 1
            self.in_flight_bytes[link.kind,] += link.in_flight_bytes
            self.held += link.held_back
            age_s = session.picture_age_s(now)
            if age_s is not None and age_s > self.oldest_s:
                self.oldest_s = age_s
            if age_s is not None and age_s > BEHIND_S[0]:
                self.behind.update((str(over_s), role) for over_s in BEHIND_S if age_s > over_s)


def of_hub(hub: Hub, packer: Packer, measures: Measures, now: float) -> Iterator[Metric]:
    """All that is about clients."""
    seen = _Seen()
    seen.sessions["browser", "own"] = 0
    seen.links.update({("browser", "own", kind): 0 for kind in LINKS})
    seen.in_flight_bytes.update({(kind,): 0 for kind in LINKS})
    seen.behind.update({(str(over_s), role): 0 for over_s in BEHIND_S for role in ROLES})
    seen.look(hub, now)
    yield gauge("sessions", "Clients, with a link or within their grace period.", ("role", "dialect"), seen.sessions)
    yield gauge("links", "Connections of clients.", ("role", "dialect", "transport"), seen.links)
    yield one("waiting_links", "Connections whose client has not said hello yet.", hub.waiting_links)
    yield gauge("clients_behind", "Clients whose picture is older than so many seconds, now.", ("over", "role"), seen.behind)
    yield one("oldest_picture_seconds", "The age of the oldest picture that a client has, now.", seen.oldest_s)
    yield one("held_by_credit", "Clients to whom there is more to send than they take.", seen.held)
    yield gauge("in_flight_bytes", "What was sent and is not acknowledged.", ("transport",), seen.in_flight_bytes)
    yield from _of_counts(measures.counts)
    yield from _of_causes(hub.causes)
    yield from _of_feeds(hub)
    yield _encoded(hub, packer, measures.counts)
    refused = hub.causes.totals["refused_commands"]
    done = {("done",): max(0, hub.totals["commands"] - refused), ("refused",): refused}
    yield counter("commands", "Commands of clients.", ("result",), done)
    yield histogram("flush_seconds", "How long it took to tell all links of what had changed.", (), {(): measures.flush_s})
    lag = measures.loop_lag_s
    yield histogram("loop_lag_seconds", "How late the event loop came to what was due.", (), {(): lag})


def _of_counts(counts: Counts) -> Iterator[Metric]:
    counts.count()
    roles = {(role,): 0 for role in ROLES}
    kinds = {(kind,): 0 for kind in KINDS}
    opened = roles | {(role,): number for role, number in counts.opened.items()}
    yield counter("sessions_opened", "Sessions that were made.", ("role",), opened)
    resumed = roles | {(role,): number for role, number in counts.resumed.items()}
    yield counter("resumes", "Returns of clients to their session.", ("role",), resumed)
    yield counter("verdicts", "Answers to subscriptions, by what they say.", ("kind", "reason"), counts.verdicts)
    returned = {(reason,): each for reason, each in counts.returned_bytes.items()}
    yield histogram("returned_bytes", "What it took to bring a client to now after a verdict.", ("reason",), returned)
    changes = kinds | {(kind,): number for kind, number in counts.changes.items()}
    yield counter("changes", "Changes of feeds that somebody follows, and events.", ("kind",), changes)
    conflated = kinds | {(kind,): number for kind, number in counts.conflated.items()}
    yield counter("conflated_changes", "States that were replaced by newer ones before they were sent.", ("kind",), conflated)
    batches = {of: each.fresh.count for of, each in counts.traffic.items()}
    yield counter("batches_sent", "Batches that were sent.", ("transport", "kind"), batches)
    sizes = {of: each.sent_bytes for of, each in counts.traffic.items()}
    yield counter("sent_bytes", "Their bytes, before compression.", ("transport", "kind"), sizes)
    yield total(
        "acknowledgements", "Acknowledgements of what was drawn.", sum(each.fresh.count for each in counts.drawn.values())
    )
    fresh = {("sent", kind): Histogram(FRESHNESS_S) for kind in LINKS}
    for (link, _), each in counts.traffic.items():
        fresh["sent", link].add(each.fresh)
    fresh |= {("drawn", kind): each.fresh for kind, each in counts.drawn.items()}
    yield histogram("freshness_seconds", "From the oldest change until it was sent, or drawn.", ("stage", "transport"), fresh)


def _of_causes(causes: Causes) -> Iterator[Metric]:
    def those(prefix: str) -> dict[tuple[str, ...], int]:
        return {(name.removeprefix(prefix),): number for name, number in causes.totals.items() if name.startswith(prefix)}

    yield counter("closes", "Links that were ended from this side, by why.", ("code",), those("closed_"))
    yield counter("refused", "What was refused.", ("cause",), those("refused_"))
    yield counter("trimmed", "History that was given up, by what bounds it: bytes, or tombstones.", ("cause",), those("trimmed_"))
    yield total("missed_events", "Events that a client never got.", causes.totals["missed_events"])


def _encoded(hub: Hub, packer: Packer, counts: Counts) -> Metric:
    sizes = Counter({"value": 0, "delta": 0, "piece": 0, "compressed": packer.compressed_bytes})
    for each in (counts.encoded, *(feed.encoded for feed in hub.feeds.values() if isinstance(feed, KeyedFeed))):
        sizes.update(each)
    by_what = {(what,): size for what, size in sizes.items()}
    return counter("encoded_bytes", "What was encoded, and compressed, once for all that are sent it.", ("what",), by_what)


def _of_feeds(hub: Hub) -> Iterator[Metric]:
    feeds: Counter[tuple[str, ...]] = Counter({(kind,): 0 for kind in KINDS})
    sizes, tombstones = feeds.copy(), feeds.copy()
    del tombstones["event",]
    for name, feed in hub.feeds.items():
        of = (kind_of(name),)
        feeds[of] += 1
        sizes[of] += feed.retained_bytes
        if isinstance(feed, KeyedFeed):
            tombstones[of] += feed.tombstones
    yield gauge("feeds", "What is followed.", ("kind",), feeds)
    yield gauge("history_bytes", "What is kept for clients that come or come back.", ("kind",), sizes)
    yield gauge("tombstones", "Deletions that are remembered.", ("kind",), tombstones)
