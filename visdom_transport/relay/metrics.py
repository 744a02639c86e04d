"""``/transport/metrics`` of a relay (docs/monitoring.md). Only imported where metrics are on."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from visdom_transport.links.flusher import clock
from visdom_transport.operators.about import of_process
from visdom_transport.operators.exposition import Exposition
from visdom_transport.operators.families import gauge, histogram, one
from visdom_transport.operators.measures import Measures
from visdom_transport.operators.port import listen
from visdom_transport.operators.viewers import of_hub
from visdom_transport.relay.passing import answer_away
from visdom_transport.relay.relay import Relay
from visdom_transport.relay.requests import ALLOWED, RelayHandler


def exposition_of(relay: Relay) -> Exposition:
    """The metrics of a relay, which measures."""
    assert relay.measures is not None
    measures = relay.measures
    return Exposition(relay.settings, lambda: _families(relay, measures))


def _families(relay: Relay, measures: Measures) -> Iterator[Metric]:
    yield from of_process("relay", relay.settings, server=relay.origin.server or "", visdom="")
    yield from of_hub(relay.hub, relay.packer, measures, clock())
    here = relay.origin.is_here
    yield gauge("source", "What the relay follows now.", ("source",), {("link",): here, ("none",): not here})
    yield one("forwarded_commands", "Commands that wait for the origin.", relay.viewers.waiting_commands)
    yield histogram("forward_seconds", "From a command until the origin has answered it.", (), {(): measures.forward_s})


class MetricsHandler(RelayHandler):
    """``/transport/metrics``: for whoever has the token, or to whom the origin would tell its status."""

    def initialize(self, relay: Relay, exposition: Exposition) -> None:  # type: ignore[override]
        super().initialize(relay)
        self._exposition = exposition

    async def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        if self._exposition.is_let_in(self.request.headers) or await self._is_let_in_by_origin():
            self._exposition.finish(self)

    async def _is_let_in_by_origin(self) -> bool:
        """Ask the origin, and answer as it does if it says no."""
        relay = self._relay
        self.request.uri = f"{relay.origin.base_url}/transport/status"
        try:
            answer = await relay.passing.fetch(self.request)
        except OSError as error:
            if not relay.origin.asks_for_login or relay.viewers.knows_login(self.request.headers):
                return True
            answer_away(self, error)
            return False
        if answer.code == ALLOWED:
            return True
        self.set_status(answer.code, answer.reason)
        self.finish(answer.body)
        return False


def start(relay: Relay) -> None:
    """Serve the metrics at a port of their own, where the settings name one."""
    assert relay.measures is not None
    if relay.settings.metrics_port is not None:
        port = relay.settings.metrics_port + relay.siblings.ports_after
        parts = exposition_of(relay), relay.measures, relay.settings
        listen(*parts, port, relay.origin.base_url, asks=lambda: relay.origin.asks_for_login)
