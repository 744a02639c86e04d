"""What runs, and what bounds it: so that an alert is a ratio."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from visdom_transport import __version__
from visdom_transport.operators.families import gauge
from visdom_transport.settings import Settings

LIMITS = (
    *("max_sessions", "max_address_sessions", "max_subscriptions", "max_tombstones"),
    *("history_bytes", "event_bytes", "event_count", "batch_bytes", "in_flight_bytes", "window_batches"),
    *("max_message_bytes", "max_body_bytes"),
)


def of_process(part: str, settings: Settings, *, server: str, visdom: str) -> Iterator[Metric]:
    """``part`` is origin or relay, ``server`` the id of the origin's process and ``visdom`` its version, as far as known."""
    labels = {"version": __version__, "visdom": visdom, "server": server, "part": part}
    yield gauge("info", "What runs.", labels, {tuple(labels.values()): 1})
    limits = {(name,): getattr(settings, name) for name in LIMITS}
    yield gauge("limit", "The settings that bound something.", ("name",), limits)
