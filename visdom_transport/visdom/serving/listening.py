"""The server begins to listen: from then on its log is written in the background, its loop is watched, and it says what it
runs."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

from tornado.ioloop import IOLoop

from visdom_transport import __version__
from visdom_transport.operators import log_format
from visdom_transport.visdom import flavour
from visdom_transport.visdom.reporting import log
from visdom_transport.visdom.serving import accepting

logger = logging.getLogger("visdom_transport")

Accept = Callable[[socket.socket, Any], None]


def announcing(_: Callable[..., Callable[[], None]]) -> Callable[..., Callable[[], None]]:
    """Make Tornado's add_accept_handler, which each listening socket goes through."""

    def add_accept_handler(sock: socket.socket, callback: Accept) -> Callable[[], None]:
        server = getattr(callback, "__self__", None)
        transport = getattr(getattr(server, "request_callback", None), "transport", None)
        if transport is not None and not transport.is_announced:
            transport.is_announced = True
            scheme = "https" if server.ssl_options else "http"  # type: ignore[union-attr]
            # Once the loop runs: before, the log may have no handler yet.
            IOLoop.current().add_callback(_begin, transport, f"{scheme}://{_address(sock)}")
        return accepting.add_accept_handler(sock, callback)

    return add_accept_handler


def _address(sock: socket.socket) -> str:
    """What to type in a browser on this machine."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return str(sock.getsockname())
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::", "127.0.0.1", "::1"):
        return f"localhost:{port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _begin(transport: Any, origin: str) -> None:
    if transport.settings.log_format == "json":
        log_format.write_as_json()  # handlers may have come since the application was made
    log.write_in_background()
    transport.operations.loop_watch.start()
    if transport.measures is not None:
        from visdom_transport.visdom.serving import metrics

        metrics.start(transport)
    app, journal = transport.app, transport.journal.status()["journal"]
    ways = "polling" if app.wrap_socket else "WebSocket or polling"
    where = f" in {app.env_path}" if journal != "off" else ""
    loop = ", uvloop" if type(asyncio.get_running_loop()).__module__ == "uvloop" else ""
    logger.info(
        "visdom-transport %s is on: Visdom %s, %s, journal %s%s%s, %s%s/",
        *(__version__, flavour.recognise(), ways, journal, where, loop, origin, app.base_url),
    )
