"""``/transport/metrics`` of a server: what Prometheus reads (docs/monitoring.md). Only imported where metrics are on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.metrics_core import Metric

from visdom_transport.links.flusher import clock
from visdom_transport.operators.about import of_process
from visdom_transport.operators.exposition import Exposition
from visdom_transport.operators.families import counter, histogram, one, total
from visdom_transport.operators.measures import Measures
from visdom_transport.operators.port import listen
from visdom_transport.operators.viewers import of_hub
from visdom_transport.visdom import flavour
from visdom_transport.visdom.identity import SERVER_ID
from visdom_transport.visdom.observed import is_unread
from visdom_transport.visdom.serving.requests import TransportHandler
from visdom_transport.visdom.transport import Transport

HEARD_S = 60.0
"""A publisher counts for so long after it was heard."""


def exposition_of(transport: Transport) -> Exposition:
    """The metrics of one application, which measures."""
    assert transport.measures is not None
    measures = transport.measures
    return Exposition(transport.settings, lambda: _families(transport, measures))


def _families(transport: Transport, measures: Measures) -> Iterator[Metric]:
    now = clock()
    yield from of_process("origin", transport.settings, server=SERVER_ID, visdom=str(flavour.recognise()))
    yield from of_hub(transport.hub, transport.packer, measures, now)
    loaded = [environment for environment in transport.app.state.values() if not is_unread(environment)]
    yield one("environments", "Environments that are in memory.", len(loaded))
    yield one("windows", "Their windows.", sum(len(environment["jsons"]) for environment in loaded))
    yield from _of_publishers(transport, measures, now)
    yield from _of_journal(transport, now)


def _of_publishers(transport: Transport, measures: Measures, now: float) -> Iterator[Metric]:
    heard = transport.publishers.heard_since(now - HEARD_S)
    yield one("publishers", "Publishers that were heard of in the last minute.", heard)
    yield counter("published", "Messages of publishers.", ("endpoint", "result"), measures.published)
    took = {(endpoint,): each for endpoint, each in measures.publish_s.items()}
    yield histogram("publish_seconds", "How long it took to carry one out.", ("endpoint",), took)


def _of_journal(transport: Transport, now: float) -> Iterator[Metric]:
    journal = transport.journal
    yield one("journal_bytes", "The size of the journal.", journal.size_bytes)
    yield one("journal_lag_seconds", "The age of the oldest change that is not on disk.", journal.lag_s(now))
    yield histogram("journal_write_seconds", "How long it took to write what had changed.", (), {(): journal.measured.write_s})
    yield total("journal_errors", "Attempts to write that failed.", journal.measured.errors)


class MetricsHandler(TransportHandler):
    """``/transport/metrics``: for whoever has a login where one is needed, or the token."""

    def initialize(self, app: Any, exposition: Exposition) -> None:  # type: ignore[override]
        super().initialize(app)
        self._exposition = exposition

    def refuse_stranger(self) -> None:
        if not self._exposition.is_let_in(self.request.headers):
            super().refuse_stranger()

    def get(self) -> None:
        self._exposition.finish(self)


def start(transport: Transport) -> None:
    """Serve the metrics at a port of their own, where the settings name one."""
    assert transport.measures is not None
    app, settings = transport.app, transport.settings
    if settings.metrics_port is not None:
        parts = exposition_of(transport), transport.measures, settings
        listen(*parts, settings.metrics_port, app.base_url, asks=lambda: bool(app.login_enabled))
