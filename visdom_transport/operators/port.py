"""The metrics at a port of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from visdom_transport.operators.exposition import Exposition
from visdom_transport.operators.measures import Measures
from visdom_transport.origins import parse_host
from visdom_transport.settings import Settings, variable

logger = logging.getLogger("visdom_transport")

UNAUTHORIZED, FORBIDDEN = 401, 403

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class MetricsHandler(RequestHandler):
    """``/metrics``, and the path that it has at the port of the pages.

    Where people log in, and where the settings have a token, the request must have the token. Where the settings name hosts, it
    must name one of them.
    """

    def initialize(self, exposition: Exposition, asks: Callable[[], bool], names: frozenset[str]) -> None:
        self._exposition = exposition
        self._asks = asks
        self._names = names

    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        headers = self.request.headers
        host = parse_host(self.request.host)
        if self._names and (host is None or host.name not in self._names):
            self.set_status(FORBIDDEN)
            self.finish(f"this server is not asked for as {self.request.host[:200]!r}\n")
            return
        if (self._exposition.has_token or self._asks()) and not self._exposition.is_let_in(headers):
            self.set_status(UNAUTHORIZED)
            self.set_header("WWW-Authenticate", "Bearer")
            self.finish(f"the token of {variable('metrics_token')} is needed\n")
            return
        self._exposition.finish(self)


def names(settings: Settings) -> frozenset[str]:
    """The hosts that this server may be asked for as; empty when all are."""
    allowed = {host.name for host in map(parse_host, settings.allowed_hosts) if host is not None}
    return frozenset({*allowed, *LOOPBACK} if allowed else ())


def listen(
    exposition: Exposition, measures: Measures, settings: Settings, port: int, base_url: str, *, asks: Callable[[], bool]
) -> None:
    """Serve the metrics at this port until the ``measures`` are closed.

    One that cannot be had is an error in the log: what the server is there for goes on.

    Args:
        asks: whether people log in here.
    """
    parts = {"exposition": exposition, "asks": asks, "names": names(settings)}
    paths = ("/metrics", f"{base_url}/transport/metrics")
    server = HTTPServer(Application([(path, MetricsHandler, parts) for path in paths], log_function=lambda handler: None))
    try:
        server.listen(port, settings.metrics_bind)
    except OSError as error:
        logger.error("the metrics cannot be served at %s port %d: %s", settings.metrics_bind, port, error)
        return

    async def close() -> None:
        server.stop()
        await server.close_all_connections()

    measures.on_close = close
    logger.info("metrics are at http://%s:%d/metrics", settings.metrics_bind, port)
