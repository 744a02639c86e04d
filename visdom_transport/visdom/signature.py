"""Every reply says which server gives it, so that no client takes the page of a proxy for an answer of this server."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders
from tornado.web import OutputTransform

from ..core.signature import SERVER_HEADER
from .transport import SERVER_ID


class Signature(OutputTransform):
    """Signs replies of all handlers of an application, refusals and errors too."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        headers[SERVER_HEADER] = SERVER_ID
        return status_code, headers, chunk
