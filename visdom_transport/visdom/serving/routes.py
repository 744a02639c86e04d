"""Our own routes for clients, and those that are no transport: status, health and logout."""

from __future__ import annotations

from typing import Any

from visdom_transport.core.encoding import encode
from visdom_transport.links.flusher import clock
from visdom_transport.operators import probes
from visdom_transport.visdom.access.logins import COOKIE
from visdom_transport.visdom.page.operator import operator_page
from visdom_transport.visdom.page.status import status_page
from visdom_transport.visdom.serving.polls import PollHandler, SendHandler
from visdom_transport.visdom.serving.requests import TransportHandler


def routes(app: Any) -> list[Any]:
    """For Application.add_handlers."""
    base, transport = app.base_url, app.transport
    return [
        *probes.routes(base, transport.operations.health, transport.journal.condition.look),
        (rf"{base}/transport/logout", LogoutHandler, {"app": app}),
        (rf"{base}/transport/poll", PollHandler, {"app": app}),
        (rf"{base}/transport/send", SendHandler, {"app": app}),
        (rf"{base}/transport/status", StatusHandler, {"app": app}),
        *_metrics(app),
        *_operator(app),
    ]


def _metrics(app: Any) -> list[Any]:
    """The route of the metrics, where they are on and have no port of their own. Only then is their library imported."""
    settings = app.transport.settings
    if settings.metrics == "off" or settings.metrics_port is not None:
        return []
    from visdom_transport.visdom.serving import metrics

    parts = {"app": app, "exposition": metrics.exposition_of(app.transport)}
    return [(rf"{app.base_url}/transport/metrics", metrics.MetricsHandler, parts)]


def _operator(app: Any) -> list[Any]:
    """The route of the operator's page, where there is one."""
    is_on = app.transport.settings.operator_page == "on"
    return [(rf"{app.base_url}/transport/operator", OperatorHandler, {"app": app})] if is_on else []


class StatusHandler(TransportHandler):
    """``/transport/status``"""

    def get(self) -> None:
        status = self.transport.status()
        self.set_header("Vary", "Accept")
        # A browser asks for HTML by name; programs take anything.
        if "text/html" in self.request.headers.get("Accept", "") and self.get_query_argument("format", "") != "json":
            self.finish(status_page(status))
            return
        self.set_header("Content-Type", "application/json")
        self.finish(encode(status))


class OperatorHandler(TransportHandler):
    """``/transport/operator``"""

    def get(self) -> None:
        self.finish(operator_page(self.app.base_url))


class LogoutHandler(TransportHandler):
    """``/transport/logout``: this login ends, everywhere and with every session that was opened with it."""

    def post(self) -> None:
        login = self.client.login
        ended = 0
        if login:
            self.transport.logins.end(login)
            ended = self.transport.hub.end_login(login, clock())
            self.clear_cookie(COOKIE)
        self.set_header("Content-Type", "application/json")
        self.finish(encode({"sessions_ended": ended}))
