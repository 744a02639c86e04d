"""What is not a relay's own goes to the origin, and its answer back, as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.web import RequestHandler, stream_request_body

from visdom_transport.core.encoding import encode
from visdom_transport.relay.link import CONNECT_S
from visdom_transport.relay.origin import Origin

HOP_BY_HOP: Final = frozenset(
    {
        *("connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""What is about one connection only (RFC 9110, section 7.6.1)."""

MAX_REQUESTS: Final = 1_000
"""Under way at a time; more wait."""
PATIENCE_S: Final = 3_600.0
"""The origin may be at a large request for long."""
MAX_BODY_BYTES: Final = 1 << 40
"""Both sides have bounds of their own, and nothing is kept here."""


def forwarded(request: HTTPServerRequest) -> HTTPHeaders:
    """What the origin is told of a request."""
    headers = without_hops(request.headers)
    known = request.headers.get("X-Forwarded-For", "")
    headers["X-Forwarded-For"] = ", ".join(filter(None, [known, str(request.remote_ip)]))
    return headers


def without_hops(given: HTTPHeaders) -> HTTPHeaders:
    named = {name.strip().lower() for name in given.get("Connection", "").split(",")}
    headers = HTTPHeaders()
    for name, value in given.get_all():
        if name.lower() not in HOP_BY_HOP | named:
            headers.add(name, value)
    return headers


class Passing:
    """Connections to one origin for requests that are passed on."""

    def __init__(self, origin: Origin, max_requests: int = MAX_REQUESTS) -> None:
        self._origin = origin
        self._http: AsyncHTTPClient = SimpleAsyncHTTPClient(
            force_instance=True, max_clients=max_requests, max_body_size=MAX_BODY_BYTES
        )

    async def fetch(
        self,
        request: HTTPServerRequest,
        *,
        body: bytes | None = None,
        producer: Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None]] | None = None,
        on_head: Callable[[str], None] | None = None,
        on_part: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> HTTPResponse:
        """Ask the origin the same. Raises an OSError when it does not answer."""
        path = request.uri or "/"
        root = self._origin.url.removesuffix(self._origin.base_url) if self._origin.base_url else self._origin.url
        asked = HTTPRequest(
            root + path,
            str(request.method),
            headers=forwarded(request),
            body=body,
            body_producer=producer,  # type: ignore[arg-type]
            header_callback=on_head,
            streaming_callback=on_part,
            connect_timeout=CONNECT_S,
            request_timeout=PATIENCE_S,
            follow_redirects=False,
            decompress_response=False,
            allow_nonstandard_methods=True,
        )
        try:
            return await self._http.fetch(asked, raise_error=False)
        except HTTPClientError as error:
            raise ConnectionError(f"{error.code} {error.message}") from None


def answer_away(handler: RequestHandler, why: object) -> None:
    """The origin does not answer: say so, for people and programs."""
    handler.clear()
    handler.set_status(502)
    handler.set_header("Content-Type", "application/json")
    handler.set_header("Cache-Control", "no-store")
    message = f"the server that this relay follows does not answer: {why}"
    handler.finish(encode({"error": {"code": "failed", "message": message, "field": None}}))


@stream_request_body
class PassingHandler(RequestHandler):
    """Passes a request on while it comes, and the answer back likewise."""

    def initialize(self, passing: Passing) -> None:
        self._passing = passing
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._task: asyncio.Task[HTTPResponse] | None = None
        self._may_answer = asyncio.Event()
        self._answered = HTTPHeaders()
        self._has_head = False
        self._gone = False

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.clear_header("Date")
        self.clear_header("Content-Type")

    def set_etag_header(self) -> None:
        """The origin's, if any, is passed on."""

    def check_etag_header(self) -> bool:
        return False  # the origin has

    def prepare(self) -> None:
        headers = self.request.headers
        has_body = headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in headers
        self.request.connection.set_max_body_size(MAX_BODY_BYTES)  # type: ignore[union-attr]
        asked = self._passing.fetch(
            self.request,
            body=None if has_body or self.request.method in ("GET", "HEAD", "OPTIONS") else b"",
            producer=self._produce if has_body else None,
            on_head=self._take_head,
            on_part=self._take_part,
        )
        self._task = asyncio.get_running_loop().create_task(asked)

    async def _produce(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        while (part := await self._parts.get()) is not None:
            if self._gone:
                raise ConnectionError("the client has gone")
            await write(part)

    async def data_received(self, chunk: bytes) -> None:
        await self._put(chunk)

    async def _put(self, part: bytes | None) -> None:
        """Hand a part of the body on, unless nobody takes it any more."""
        assert self._task is not None
        putting = asyncio.ensure_future(self._parts.put(part))
        await asyncio.wait([putting, self._task], return_when=asyncio.FIRST_COMPLETED)
        putting.cancel()

    def _take_head(self, line: str) -> None:
        if line.startswith("HTTP/"):
            _, code, reason = line.strip().split(" ", 2)
            self.set_status(int(code), reason)
        elif line.strip():
            self._answered.parse_line(line)

    async def _take_part(self, part: bytes) -> None:
        # An answer may come before the end of the request.
        await self._may_answer.wait()
        self._write_head()
        self.write(part)
        await self.flush()

    def _write_head(self) -> None:
        if not self._has_head:
            self._has_head = True
            for name, value in without_hops(self._answered).get_all():
                self.add_header(name, value)

    async def _answer(self) -> None:
        assert self._task is not None
        await self._put(None)
        self._may_answer.set()
        try:
            await self._task
        except OSError as error:
            if self._has_head:
                self.request.connection.close()  # type: ignore[union-attr]
            else:
                answer_away(self, error)
            return
        except StreamClosedError:
            return
        self._write_head()
        self.finish()

    get = head = post = put = patch = delete = options = _answer

    def on_connection_close(self) -> None:
        # Half a request must not seem to be a whole one, nor wait for the rest.
        self._gone = True
        while not self._parts.empty():
            self._parts.get_nowait()
        self._parts.put_nowait(b"")
        self._may_answer.set()
        if self._task is not None:
            self._task.cancel()
