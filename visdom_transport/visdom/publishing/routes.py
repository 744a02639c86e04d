"""Our own routes for publishers."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from visdom.server.handlers.base_handlers import BaseHandler

from visdom_transport.visdom.publishing.endpoints import post_embedding, posted
from visdom_transport.visdom.publishing.exactly_once import publish


def routes(app: Any) -> list[Any]:
    """For Application.add_handlers."""
    return [
        (rf"{app.base_url}/embedding", EmbeddingHandler, {"app": app}),
        (rf"{app.base_url}/transport/publish", PublishHandler, {"app": app}),
    ]


class EmbeddingHandler(BaseHandler):  # type: ignore[misc]
    """``/embedding``"""

    def initialize(self, app: Any) -> None:
        self.app = app
        self.state = app.state
        self.login_enabled = app.login_enabled

    post = post_embedding


class PublishHandler(BaseHandler):  # type: ignore[misc]
    """``/transport/publish``"""

    def initialize(self, app: Any) -> None:
        self.app = app
        self.login_enabled = app.login_enabled

    def prepare(self) -> Awaitable[None] | None:
        self.set_header("Cache-Control", "no-store")
        waiting: Awaitable[None] | None = super().prepare()
        return waiting

    post = posted(publish, "application/json")
