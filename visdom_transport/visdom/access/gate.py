"""The gate: checks host, origin and body size by a request's head, before a handler is chosen and the body is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import RequestHandler, stream_request_body

from visdom_transport.core.causes import Cause, Causes
from visdom_transport.core.errors import CloseCode, MessageError
from visdom_transport.links.longpoll import close_message, reply
from visdom_transport.origins import parse_host, parse_origin
from visdom_transport.settings import Settings, variable
from visdom_transport.visdom.access.answers import answer_error
from visdom_transport.visdom.access.chunked import SWALLOWED_BYTES, CountingDelegate

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
LINK_PATHS = ("/socket_wrap", "/vis_socket_wrap", "/transport/poll", "/transport/send")
POLL_PATHS = LINK_PATHS[2:]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served: as HTTP says it, as a link is told, and what is counted, for whom."""

    status: int
    code: CloseCode
    cause: Cause
    client: str
    message: str


class RequestGate:
    """Refuses requests that the settings of one server do not admit."""

    def __init__(self, settings: Settings, causes: Causes, base_url: str) -> None:
        self._settings = settings
        self._causes = causes
        self._allowed_names = {host.name for host in map(parse_host, settings.allowed_hosts) if host is not None}
        self._allowed_origins = {origin for origin in map(parse_origin, settings.allowed_origins) if origin is not None}
        self._base_url = base_url

    def install(self, app: Any) -> None:
        """Stand before every route of the application."""
        app.default_router.rules.insert(0, Rule(_Refused(self), RefusingHandler))
        find_handler = app.find_handler

        def find_counting(request: HTTPServerRequest, **arguments: Any) -> HTTPMessageDelegate:
            delegate: HTTPMessageDelegate = find_handler(request, **arguments)
            if "Transfer-Encoding" not in request.headers:
                return delegate
            limit = self._body_limit(request)
            request.connection.set_max_body_size(2 * limit + SWALLOWED_BYTES)  # type: ignore[union-attr]

            def refuse() -> HTTPMessageDelegate:
                refusal = self._too_large(request, f"more than {limit}", limit)
                self._causes.count(refusal.cause, refusal.client, refusal.message)
                refusing: HTTPMessageDelegate = app.get_handler_delegate(request, RefusingHandler, {"refusal": refusal})
                return refusing

            return CountingDelegate(delegate, limit, refuse)

        app.find_handler = find_counting

    def admit(self, request: HTTPServerRequest) -> Refusal | None:
        """Return why ``request`` must not be served, if so, and count it. A body of unknown size is counted later."""
        refusal = self._check_host(request) or self._check_origin(request) or self._check_size(request)
        if refusal is not None:
            self._causes.count(refusal.cause, refusal.client, refusal.message)
        return refusal

    def _check_host(self, request: HTTPServerRequest) -> Refusal | None:
        host = parse_host(request.host)
        if not self._allowed_names or (host is not None and host.name in LOOPBACK.union(self._allowed_names)):
            return None
        message = f"this server is not asked for as {request.host[:200]!r}"
        if host is not None:
            message += f"; if it should be, start it with {_with('allowed_hosts', self._settings.allowed_hosts, host.name)}"
        return Refusal(403, CloseCode.ORIGIN, Cause.REFUSED_HOSTS, str(request.remote_ip), message)

    def _check_origin(self, request: HTTPServerRequest) -> Refusal | None:
        if not _may_change_something(request) or self._is_own_page(request):
            return None
        origin = request.headers.get("Origin", "another site")
        message = f"refused a connection from origin {origin[:200]} to host {request.host[:200]}"
        if parse_origin(origin) is not None:
            setting = _with("allowed_origins", self._settings.allowed_origins, origin)
            message += f"; if this page is behind a proxy that rewrites Host, start the server with {setting}"
        return Refusal(403, CloseCode.ORIGIN, Cause.CLOSED_ORIGIN, origin, message)

    def _is_own_page(self, request: HTTPServerRequest) -> bool:
        """Whether it comes from a page of this server, of an origin that the settings allow, or from no page at all."""
        text, site = request.headers.get("Origin", "null"), request.headers.get("Sec-Fetch-Site")
        if not {text, "*"}.isdisjoint(self._settings.allowed_origins):
            return True
        if text != "null":
            origin = parse_origin(text)
            return origin is not None and (origin in self._allowed_origins or origin.names(parse_host(request.host)))
        # No page at all, or one whose origin is withheld (a referrer policy does that): the browser tells which, if it is one.
        return "Origin" not in request.headers if site is None else site in ("same-origin", "none")

    def _body_limit(self, request: HTTPServerRequest) -> int:
        is_link = request.path.removeprefix(self._base_url) in LINK_PATHS
        return self._settings.max_message_bytes if is_link else self._settings.max_body_bytes

    def _check_size(self, request: HTTPServerRequest) -> Refusal | None:
        limit = self._body_limit(request)
        length = request.headers.get("Content-Length", "")
        # What is no number is tornado's to refuse. Python itself refuses numbers of thousands of digits.
        if not length.isdecimal() or (len(length) < 20 and int(length) <= limit):
            return None
        return self._too_large(request, length[:20], limit)

    def _too_large(self, request: HTTPServerRequest, size: str, limit: int) -> Refusal:
        name = "max_message_bytes" if limit == self._settings.max_message_bytes else "max_body_bytes"
        message = f"the body of {size} bytes is larger than {variable(name)}={limit}"
        return Refusal(413, CloseCode.PROTOCOL, Cause.REFUSED_BODIES, str(request.remote_ip), message)


def _may_change_something(request: HTTPServerRequest) -> bool:
    """Replies are kept from other sites by the browser. Those of a WebSocket are not, and polling begins with a GET."""
    is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
    return request.method not in SAFE_METHODS or is_socket or request.path.endswith("/socket_wrap")


def _with(name: str, values: tuple[str, ...], another: str) -> str:
    """A setting of names as it must be written to have another one."""
    return f"{variable(name)}={','.join((*values, another[:200]))}"


class _Refused(Matcher):
    """Matches the requests that are not let in."""

    def __init__(self, gate: RequestGate) -> None:
        self._gate = gate

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        refusal = self._gate.admit(request)
        return None if refusal is None else {"target_kwargs": {"refusal": refusal}}


@stream_request_body
class RefusingHandler(RequestHandler):
    """Answers a request that is not let in. Its body is thrown away as it comes."""

    def initialize(self, refusal: Refusal) -> None:
        self.refusal = refusal

    def data_received(self, chunk: bytes) -> None:
        """Nothing. Answered before its end, the request would be cut instead, and its sender would not know why."""

    def answer(self) -> None:
        refusal = self.refusal
        self.set_header("Cache-Control", "no-store")
        if self.request.path.endswith(POLL_PATHS):
            # As a WebSocket would be closed (docs/protocol.md, section 7).
            self.set_header("Content-Type", "application/json")
            self.finish(reply([close_message(refusal.code, refusal.message)]).plain)
        else:
            answer_error(self, refusal.status, MessageError(refusal.code.reason, refusal.message))

    get = head = post = put = patch = delete = options = answer
