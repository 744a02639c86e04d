"""Bodies that do not announce their size. Tornado cuts the connection of one that is too large, and nobody knows why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine

SWALLOWED_BYTES = 64_000_000
"""Bytes of a refused body that are read and thrown away beyond what is allowed. A sender reads no answer before."""


class CountingDelegate(HTTPMessageDelegate):
    """Counts the body of a request. One that is too large goes to ``refuse``'s delegate instead, which answers at its end.

    Args:
        delegate: of the handler that the request is for.
        refuse: makes the delegate of a refusal.
    """

    def __init__(self, delegate: HTTPMessageDelegate, limit: int, refuse: Callable[[], HTTPMessageDelegate]) -> None:
        self._delegate = delegate
        self._limit = limit
        self._refuse = refuse
        self._size = 0
        self._is_refused = False

    def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> Awaitable[None] | None:
        self._head = start_line, headers
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._size += len(chunk)
        if self._size > self._limit and not self._is_refused:
            self._is_refused = True
            # The handler was not begun: that happens at the end of the body. What there is of it is let go.
            self._delegate = self._refuse()
            self._delegate.headers_received(*self._head)
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()
