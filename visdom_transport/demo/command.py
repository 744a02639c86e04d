"""The demo's command line and its loop."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from visdom_transport.demo.server import LAST_PORT, Server, free_port

if TYPE_CHECKING:
    from visdom_transport.demo.dashboard import Dashboard
    from visdom_transport.demo.training import Run

DEFAULT_PORT = 8097
"""Visdom's own."""
POLL_S = 0.2
RETRY_S = 1.0
REFRESH_S = 1.0
"""How often the large windows are drawn."""

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

_DESCRIPTION = """\
Starts a Visdom server and a live demo, and prints the URL to open. The demo trains small networks on scikit-learn's
handwritten digits, one after the other for as long as it runs, and shows how they do. Ctrl-C stops both."""

_EPILOG = """\
Things to try while it runs: reload the page, open it in two tabs, put the machine to sleep, or kill the server
(the demo starts it again): the page goes on by itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo until it is told to stop, and return its exit status: 1 if it could not start."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        _handle_signals(stop, stack)
        with contextlib.suppress(KeyboardInterrupt):
            return _run(options, stop, stack)
        return 0


def _run(options: argparse.Namespace, stop: threading.Event, stack: contextlib.ExitStack) -> int:
    try:
        from visdom_transport.demo.dashboard import Dashboard
    except ImportError as error:
        return _fail(f"the demo needs {error.name}, which is not installed: pip install 'visdom-transport[demo]'")
    server = None
    if options.server is None:
        env_path = options.env_path or stack.enter_context(tempfile.TemporaryDirectory(prefix="visdom-demo-"))
        try:
            server = Server(free_port(options.port), Path(env_path))
            stack.callback(server.stop)
            taken = f" on port {server.port}, because {options.port} is taken" if server.port != options.port else ""
            _say(f"Starting a Visdom server{taken} ...")
            server.start()
        except OSError as error:
            return _fail(f"no port can be used from {options.port} on ({error.strerror}); choose another with --port")
    # Nothing interrupts the cleaning up, however often somebody presses Ctrl-C.
    stack.callback(_ignore_signals)
    dashboard = Dashboard(server.url if server else options.server, options.env, max(1, round(REFRESH_S * options.rate)))
    if not _wait_until_it_answers(dashboard, server, stop):
        return 0 if stop.is_set() else _fail("the server has ended before it answered")
    _say(f"\n    Open {dashboard.url}\n\nCtrl-C stops the demo{' and the server' if server else ''}.\n")
    _stream(dashboard, server, options, stop)
    if options.env_path:
        with contextlib.suppress(ConnectionError):
            dashboard.save()
    _say("Stopped.")
    return 0


def _wait_until_it_answers(dashboard: Dashboard, server: Server | None, stop: threading.Event) -> bool:
    """False if there is nothing to wait for any more."""
    waiting = False
    while not stop.is_set():
        try:
            dashboard.connect()
            return True
        except ConnectionError:
            if server is not None and server.exit_code is not None:
                return False
            if server is None and not waiting:
                waiting = True
                _say(f"{dashboard.url} does not answer yet; trying again and again.")
        stop.wait(POLL_S)
    return False


def _stream(dashboard: Dashboard, server: Server | None, options: argparse.Namespace, stop: threading.Event) -> None:
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    from visdom_transport.demo.training import runs

    threadpool_limits(1)  # the networks are small, and the machine has better to do than to spin
    begin = due = time.monotonic()
    for run in runs():
        _show(dashboard, run, server, stop)
        now = time.monotonic()
        if stop.is_set() or (options.seconds is not None and now - begin >= options.seconds):
            return
        due = max(due + 1 / options.rate, now)
        stop.wait(due - now)


def _show(dashboard: Dashboard, run: Run, server: Server | None, stop: threading.Event) -> None:
    """Show a step, however long that takes."""
    away = False
    while not stop.is_set():
        try:
            dashboard.show(run)
        except ConnectionError as error:
            if not away:
                away = True
                _say(f"The server does not answer ({error}). Trying again every {RETRY_S:g} s; Ctrl-C stops.")
            if server is not None:
                _revive(server)
            stop.wait(RETRY_S)
        else:
            if away:
                _say(f"The server answers again; going on with step {run.steps} of run {run.number}.")
            return


def _revive(server: Server) -> None:
    if server.exit_code is not None:
        # Somebody else may have started one there, and that one is as good.
        with contextlib.suppress(OSError):
            server.start()
            _say("The server had ended and is started again.")


def _handle_signals(stop: threading.Event, stack: contextlib.ExitStack) -> None:
    """The first Ctrl-C (or SIGTERM, SIGHUP) asks to stop; another one interrupts whatever is waited for."""

    def handle(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in _SIGNALS:
        stack.callback(signal.signal, number, signal.signal(number, handle))


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


_PORT_HELP = "port of the server that is started; if it is taken, the next one that is free (default: %(default)s)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m visdom_transport demo",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", type=_port, default=DEFAULT_PORT, help=_PORT_HELP)
    where.add_argument("--server", type=_url, metavar="URL", help="start no server, use this running one")
    parser.add_argument("--env", type=_env, default="demo", help="the environment to show the windows in (default: %(default)s)")
    parser.add_argument(
        "--env-path", type=Path, metavar="DIR", help="where the server that is started keeps its environments (default: nowhere)"
    )
    parser.add_argument("--rate", type=_positive, default=5.0, help="training steps a second (default: %(default)g)")
    parser.add_argument("--seconds", type=_positive, help="stop after this time (default: never)")
    return parser


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < port <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {LAST_PORT}, not {text}")
    return port


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, not {text}")
    return value


def _url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise argparse.ArgumentTypeError(f"must be like http://127.0.0.1:8097, not {text}")
    return text


def _env(text: str) -> str:
    if not text or set(text) & set("/\\\r\n"):
        raise argparse.ArgumentTypeError("must be a name without slashes")
    return text


def _say(text: str) -> None:
    print(text, flush=True)


def _fail(text: str) -> int:
    print(f"visdom-transport: {text}", file=sys.stderr, flush=True)
    return 1
