"""`python -m visdom_transport serve --relays N`: an origin and its relays on one machine, behind one port."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

from visdom_transport.operators import log_format
from visdom_transport.relay.ports import KeptPort
from visdom_transport.relay.supervisor import Child, ended
from visdom_transport.settings import PREFIX, Settings

logger = logging.getLogger("visdom_transport.relay")

LOOK_S: Final = 0.1
RELAY_PATIENCE_S: Final = 10.0
ORIGIN_PATIENCE_S: Final = 60.0
"""It writes what is not on disk yet."""
MOST_RELAYS: Final = 1_000

_DESCRIPTION = """\
Run Visdom's server, which only this machine can reach then, and relays that serve its viewers, all at the port of Visdom.
Processes that end are started again. SIGTERM and Ctrl-C end all: the relays first, then the server."""

_EPILOG = """\
All other options are those of Visdom's server: `python -m visdom_transport serve -h` lists them."""


def main(arguments: Sequence[str]) -> int:
    """Run all of them until SIGTERM or SIGINT. Raises `SettingsError`."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    settings = Settings.of_server()
    if why := _obstacle(options):
        parser.error(why)
    log_format.begin(settings.log_format)
    address = "127.0.0.1" if options.bind_local else ""
    try:
        port = KeptPort(options.port, address, shared=True)
    except OSError as error:
        print(f"visdom-transport: cannot listen on port {options.port}: {os.strerror(error.errno or 0)}", file=sys.stderr)
        return 1
    return asyncio.run(Together(options, rest, port, settings).run())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m visdom_transport serve", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--relays", type=_count, required=True, metavar="N", help="how many relays")
    parser.add_argument("-port", "--port", type=int, default=8097, help="where people and programs come (default: 8097)")
    parser.add_argument("-base_url", "--base_url", default="", help="the path under which all is served")
    parser.add_argument("-bind_local", "--bind_local", action="store_true", help="only this machine can reach it")
    parser.add_argument("-enable_login", "--enable_login", action="store_true", help="ask for a login")
    parser.add_argument("-ssl_certfile", "--ssl_certfile", help=argparse.SUPPRESS)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_RELAYS:
        raise argparse.ArgumentTypeError(f"not a number of relays from 1 to {MOST_RELAYS}: {text!r}")
    return int(text)


def _obstacle(options: argparse.Namespace) -> str | None:
    """Why it cannot be done, if so."""
    if sys.platform != "linux":
        return "--relays needs Linux, which deals out the connections of one port; elsewhere start relays by themselves"
    if options.ssl_certfile:
        return "--relays serves no TLS: leave out -ssl_certfile, and put a proxy in front that has the certificate"
    if options.enable_login and not all(
        os.environ.get(f"VISDOM_{name}") for name in ("USE_ENV_CREDENTIALS", "USERNAME", "PASSWORD")
    ):
        return (
            "-enable_login with --relays needs VISDOM_USE_ENV_CREDENTIALS=1, VISDOM_USERNAME and VISDOM_PASSWORD in the "
            "environment: the relays log in as well"
        )
    return None


class Together:
    """The processes of one cluster on this machine."""

    def __init__(self, options: argparse.Namespace, rest: Sequence[str], port: KeptPort, settings: Settings) -> None:
        self._port = port
        self._base_url = f"/{way}" if (way := options.base_url.strip("/")) else ""
        self._count = options.relays
        self._origin_port = KeptPort.any()
        self._own_ports = [KeptPort.any() for _ in range(options.relays)]
        base_url = ["-base_url", self._base_url] if self._base_url else []
        login = ["-enable_login"] if options.enable_login else []
        of_origin = [*rest, *base_url, *login, "-port", str(self._origin_port.number), "-bind_local"]
        # All viewers have the address of this machine there.
        variable = f"{PREFIX}MAX_ADDRESS_SESSIONS"
        environment = {} if variable in os.environ else {variable: str(settings.max_sessions)}
        self._origin = Child("the origin", ["serve", *of_origin], environment, ORIGIN_PATIENCE_S + settings.drain_s)
        address = ["--bind", "127.0.0.1"] if options.bind_local else []
        patience_s = RELAY_PATIENCE_S + settings.drain_s
        self._relays = [
            Child(f"relay {number}", [*self._of_relay(number), *address], {}, patience_s) for number in range(self._count)
        ]

    def _of_relay(self, number: int) -> list[str]:
        return [
            *("relay", "--origin", f"http://127.0.0.1:{self._origin_port.number}{self._base_url}"),
            *("--port", str(self._port.number), "--number", str(number)),
            *("--siblings", ",".join(str(port.number) for port in self._own_ports)),
        ]

    async def run(self) -> int:
        """Run until a signal. Returns 1 if the origin does not start."""
        stopping = asyncio.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, stopping.set)
        lifeline, ours = os.pipe()
        tasks = [asyncio.create_task(self._origin.run(lifeline))]
        try:
            if not await self._is_up():
                return 1
            tasks += [asyncio.create_task(relay.run(lifeline)) for relay in self._relays]
            where = f"http://localhost:{self._port.number}{self._base_url}/"
            logger.info("%d relays serve %s (the origin is at port %d)", self._count, where, self._origin_port.number)
            await stopping.wait()
            return 0
        finally:
            await asyncio.gather(*(relay.stop() for relay in self._relays))
            await self._origin.stop()
            for task in tasks:
                task.cancel()
            os.close(ours)
            os.close(lifeline)

    async def _is_up(self) -> bool:
        """Wait until the origin listens. False if it ends before."""
        while self._origin.last_end is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._origin_port.number)
            except OSError:
                await asyncio.sleep(LOOK_S)
            else:
                writer.close()
                return True
        print(f"visdom-transport: the server did not start: it ended ({ended(self._origin.last_end)})", file=sys.stderr)
        return False
