"""The answer to a scrape, and who may have it."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from tornado.httputil import HTTPHeaders
from tornado.web import RequestHandler

from visdom_transport.settings import Settings


class _Families(Collector):
    """Makes the families when somebody asks, so that nothing is counted twice."""

    def __init__(self, make: Callable[[], Iterable[Metric]]) -> None:
        self._make = make

    def collect(self) -> Iterable[Metric]:
        return self._make()

    def describe(self) -> Iterable[Metric]:
        return ()  # otherwise the registry would collect when it is made


class Exposition:
    """The metrics of one application, in a registry of its own: there may be several applications in a process.

    Args:
        make: the families, each time anew.
    """

    def __init__(self, settings: Settings, make: Callable[[], Iterable[Metric]]) -> None:
        self._token = settings.metrics_token
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(_Families(make))
        ProcessCollector(registry=self.registry)

    @property
    def has_token(self) -> bool:
        """Whether the settings have one."""
        return bool(self._token)

    def is_let_in(self, headers: HTTPHeaders) -> bool:
        """Whether a request shows the token of the settings."""
        kind, _, shown = headers.get("Authorization", "").partition(" ")
        if not self._token or kind.lower() != "bearer":
            return False
        return hmac.compare_digest(shown.strip().encode(errors="replace"), self._token.encode())

    def answer(self, headers: HTTPHeaders) -> tuple[str, bytes]:
        """The content type and the body, in the format that the request asks for."""
        encode, content_type = choose_encoder(headers.get("Accept", ""))
        return content_type, encode(self.registry)

    def finish(self, handler: RequestHandler) -> None:
        """Answer a request that is let in."""
        content_type, body = self.answer(handler.request.headers)
        handler.set_header("Content-Type", content_type)
        handler.finish(body)
