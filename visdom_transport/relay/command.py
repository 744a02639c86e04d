"""The command line of a relay."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.web import Application

from visdom_transport.links import event_loop
from visdom_transport.operators import log_format, probes
from visdom_transport.relay.origin import Origin
from visdom_transport.relay.passing import MAX_BODY_BYTES, PassingHandler
from visdom_transport.relay.relay import Relay
from visdom_transport.relay.requests import LinkHandler, StatusHandler
from visdom_transport.relay.siblings import Siblings
from visdom_transport.relay.sockets import PassedSocket, ViewerSocket
from visdom_transport.settings import Settings

logger = logging.getLogger("visdom_transport.relay")

GOODBYE_S = 0.2
"""How long viewers have to read why their links end."""

_DESCRIPTION = """\
Serve the viewers of another server, the origin, from copies of what they watch. All else goes to the origin, so that the
relay's port is enough. Where the origin asks for a login, the relay takes its own from VISDOM_USERNAME and VISDOM_PASSWORD;
viewers log in as at the origin."""


def main(arguments: Sequence[str]) -> int:
    """Run a relay until SIGTERM or SIGINT. Raises `SettingsError`."""
    options = _parse(arguments)
    settings = Settings.of_server()
    log_format.begin(settings.log_format)
    # That the origin is away is said once, not with every request that it does not answer.
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
    username, password = (os.environ.get(f"VISDOM_{name}", "") for name in ("USERNAME", "PASSWORD"))
    name = f"{socket.gethostname()}:{options.port}/{os.getpid()}"
    origin = Origin(options.origin, username, password, relay=name)
    try:
        with asyncio.Runner(loop_factory=event_loop.factory()) as runner:
            runner.run(serve(origin, settings, options))
    except OSError as error:
        print(f"visdom-transport: the relay cannot listen on port {options.port}: {error}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m visdom_transport relay", description=_DESCRIPTION)
    parser.add_argument("--origin", required=True, type=url, metavar="URL", help="where the origin is, with its base URL")
    parser.add_argument("--port", type=int, default=8098, help="where to listen (default: 8098)")
    parser.add_argument("--bind", default="", metavar="ADDRESS", help="the address to listen at (default: all)")
    # Of `serve --relays`: which of the relays at this port it is, and where the others ask each of them.
    parser.add_argument("--number", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--siblings", type=_ports, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _ports(text: str) -> list[int]:
    return [int(port) for port in text.split(",")]


def url(text: str) -> str:
    """The address of a server, for argparse."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise argparse.ArgumentTypeError(
            f"not the address of a server: {text!r}; expected is one such as http://host.example:8097"
        )
    return text


def application(relay: Relay) -> Application:
    """The routes of a relay."""
    base, parts = relay.origin.base_url, {"relay": relay}
    return Application(
        [
            *_metrics(relay),
            (rf"{base}/socket", ViewerSocket, parts),
            (rf"{base}/vis_socket", PassedSocket, parts),
            (rf"{base}/transport/poll", LinkHandler, parts),
            (rf"{base}/transport/send", LinkHandler, parts),
            (rf"{base}/transport/status", StatusHandler, parts),
            *probes.routes(base, relay.health),
            (r".*", PassingHandler, {"passing": relay.passing}),
        ],
        websocket_max_message_size=2 * relay.settings.max_message_bytes,
    )


def _metrics(relay: Relay) -> list[Any]:
    """The route of the metrics, where they are on and have no port of their own. Only then is their library imported."""
    if relay.measures is None or relay.settings.metrics_port is not None:
        return []
    from visdom_transport.relay import metrics

    parts = {"relay": relay, "exposition": metrics.exposition_of(relay)}
    return [(rf"{relay.origin.base_url}/transport/metrics", metrics.MetricsHandler, parts)]


async def serve(origin: Origin, settings: Settings, options: argparse.Namespace) -> None:
    """Serve until a signal. Raises OSError when the port cannot be had."""
    ports = options.siblings
    siblings = Siblings(options.number, ports, origin.base_url) if ports else None
    relay = Relay(origin, settings, siblings)
    server = HTTPServer(application(relay), max_body_size=MAX_BODY_BYTES)
    if ports:
        server.listen(ports[options.number], "127.0.0.1")
    server.listen(options.port, options.bind, reuse_port=bool(ports))
    relay.start()
    if relay.measures is not None:
        from visdom_transport.relay import metrics

        metrics.start(relay)
    loop = asyncio.get_running_loop()
    kind = ", uvloop" if type(loop).__module__ == "uvloop" else ""
    logger.info("a relay of %s listens on port %d%s", origin.url, options.port, kind)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # on Windows, where they end the process
            loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    if ports:  # the others at this port take who comes from now on
        server.stop()
    await relay.stop()
    await asyncio.sleep(GOODBYE_S)
    server.stop()
    await server.close_all_connections()
