"""`python -m visdom_transport send`: brings what publishers left on disk to their server."""

from __future__ import annotations

import argparse
import getpass
import hashlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from visdom_transport.client.disk.folders import folders, unusable
from visdom_transport.client.disk.sending import Sending
from visdom_transport.client.disk.terminal import Terminal
from visdom_transport.writing.unwritable import cause

DONE: Final = 0
LEFT: Final = 1
UNUSABLE: Final = 2

_DESCRIPTION: Final = """\
Sends what programs left in an outbox: the directory that was their VISDOM_TRANSPORT_OUTBOX_DIR, or outbox_dir.
Each message arrives once and in order, whoever has sent a part of it before. What has arrived is removed."""

_EPILOG: Final = """\
exit status:
  0  nothing is left
  1  something is left: the server cannot be reached, a program that still runs is not through (see --watch), or what is
     there cannot be read
  2  the directory is not there, or an argument cannot be used

A program that still runs sends for itself if it can reach the server: what it writes is sent when it has ended.
The outboxes of a job's ranks are one below the other in the directory, the oldest goes first."""


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.server is not None and not _is_url(options.server):
        parser.error(f"--server must be a URL such as http://localhost:8097, not {options.server!r}")
    if not options.path.is_dir():
        print(f"problem: {options.path} is not a directory", file=sys.stderr)
        return UNUSABLE
    if not os.access(options.path, os.W_OK | os.X_OK):
        print(f"problem: {options.path} cannot be written, and what has arrived has to be removed there", file=sys.stderr)
        return UNUSABLE
    try:
        there, others = folders(options.path), unusable(options.path)
    except OSError as error:
        print(f"problem: {options.path} cannot be read ({cause(error)})", file=sys.stderr)
        return UNUSABLE
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    password = _password(options.username) if options.username else None
    terminal = Terminal(sys.stdout)
    for path, why in others.items():
        terminal.line(f"problem: {path} cannot be sent ({why}); it stays there")
    if not there and not options.watch:
        terminal.line(f"nothing {'else ' if others else ''}is left in {options.path}")
        return LEFT if others else DONE
    sending = Sending(options.path, terminal, server=options.server, username=options.username, password=password)
    try:
        is_done = sending.watch() if options.watch else sending.run(options.wait)
    except KeyboardInterrupt:
        is_done = not folders(options.path)
        terminal.line("interrupted: what has not arrived is still there")
    terminal.line(sending.summary())
    return DONE if is_done and not others else LEFT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m visdom_transport send",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="the outbox directory")
    parser.add_argument("--server", metavar="URL", help="where to, base URL included (default: where each program published)")
    parser.add_argument("--username", metavar="NAME", help="log in; the password is asked for, or read from standard input")
    parser.add_argument("--watch", action="store_true", help="go on and send what comes, until interrupted (Ctrl-C)")
    parser.add_argument(
        "--wait",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how long to wait for a server that cannot be reached (default: 30)",
    )
    return parser


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _password(username: str) -> str:
    """As Visdom's client sends it."""
    secret = getpass.getpass(f"password of {username}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    return hashlib.sha256(secret.encode()).hexdigest()
