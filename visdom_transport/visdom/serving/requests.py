"""HTTP requests: whom they come from, and what our endpoints share."""

from __future__ import annotations

from typing import Any

from tornado.web import RequestHandler
from visdom.server.handlers.base_handlers import BaseHandler

from visdom_transport.core.encoding import decode
from visdom_transport.core.errors import CloseCode, MessageError
from visdom_transport.links.codings import may_be_coded
from visdom_transport.links.deflating import PollAnswering
from visdom_transport.links.longpoll import Client
from visdom_transport.visdom.access.answers import answer_error
from visdom_transport.visdom.access.logins import login_of
from visdom_transport.visdom.transport import Transport

UNAUTHORIZED_STATUS = 401 if hasattr(BaseHandler, "is_authorized") else 400
"""What Visdom answers without a login: 400 before 0.3.0."""


def client_of(handler: RequestHandler) -> Client:
    """Whom a request comes from."""
    return Client(str(handler.request.remote_ip), login_of(handler), may_be_coded(handler.request.headers, "deflate"))


class TransportHandler(PollAnswering, BaseHandler):  # type: ignore[misc]
    """What the HTTP endpoints share: the body is JSON, and needs a login when Visdom does."""

    def initialize(self, app: Any) -> None:
        self.app = app
        self.transport: Transport = app.transport

    def prepare(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.client = client_of(self)
        if self.client.login is None:
            self.refuse_stranger()

    def refuse_stranger(self) -> None:
        """Answer a request without a login, as stock does."""
        self.transport.refused(CloseCode.UNAUTHORIZED, self.client)
        self.set_status(UNAUTHORIZED_STATUS)
        self.finish()

    def body(self) -> Any:
        """The parsed body, or None after a 400 when it is not JSON."""
        try:
            return decode(self.request.body)
        except ValueError as error:
            answer_error(self, 400, MessageError("bad_message", f"not JSON: {error}"))
            return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        RequestHandler.write_error(self, status_code, **kwargs)
