"""An HTTP front before a server, that passes requests on or answers them itself."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeAlias

BACKEND_TIMEOUT_S = 30.0
_BETWEEN_HOPS = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "server", "date", "upgrade"})


@dataclass(frozen=True)
class Request:
    """What a client has sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What the front says itself. `length` is what it says the content's length is; the connection ends after the content."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    length: int | None = None


Behaviour: TypeAlias = Callable[[Request], Reply | None]


def page(status: int, title: str = "Welcome", **headers: str) -> Reply:
    """An HTML page, as proxies and login pages are."""
    content = f"<!doctype html><html><head><title>{title}</title></head><body>secret-in-the-page</body></html>"
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"Content-Type": "text/html", **more}, content.encode())


def passes(request: Request) -> None:
    """The behaviour of a front that is not noticed."""


class Front:
    """Passes requests on to a port of this machine, except for those that `behave` has a reply for. No WebSockets.

    Args:
        port: of the server.
        hides: names of headers that it takes out of the server's replies.
    """

    def __init__(self, port: int, hides: Iterable[str] = ()) -> None:
        self.behave: Behaviour = passes
        self.seen: list[Request] = []
        """The requests that it has answered itself."""
        self.passed: list[Request] = []
        self._backend = port
        self._hides = _BETWEEN_HOPS.union(name.lower() for name in hides)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="front")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, request: Request) -> Reply:
        """What a request gets."""
        own = self.behave(request)
        if own is not None:
            self.seen.append(request)
            return own
        self.passed.append(request)
        return self._pass_on(method, request)

    def _pass_on(self, method: str, request: Request) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self._backend, timeout=BACKEND_TIMEOUT_S)
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in _BETWEEN_HOPS - {"content-length"}
        }
        try:
            connection.request(method, request.path, request.body, headers)
            reply = connection.getresponse()
            kept = {name: value for name, value in reply.getheaders() if name.lower() not in self._hides}
            return Reply(reply.status, kept, reply.read())
        except (OSError, http.client.HTTPException):
            return page(502, "Bad Gateway")
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go."""


def _handler(front: Front) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = BACKEND_TIMEOUT_S

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = front.answer(self.command, Request(self.path, dict(self.headers.items()), body))
            self.send_response_only(reply.status, "So")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "content-length" not in {name.lower() for name in reply.headers}:
                self.send_header("Content-Length", str(len(reply.content) if reply.length is None else reply.length))
            self.end_headers()
            self.wfile.write(reply.content)
            self.close_connection |= reply.length is not None

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

    return Handler
