"""Ports that stay free for whoever was given one."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 11_000
"""Browsers refuse some that are lower."""

_given: set[int] = set()
_chance = random.SystemRandom()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses, or is likely to use before it is bound, or while a server is down.

    The system gives those of its ephemeral range to anybody who listens anywhere or connects to something, in any process.
    Hence one below, and by chance: other processes of these tests look for theirs there too.
    """
    ports = range(LOWEST, _first_ephemeral())
    while True:
        port = _chance.choice(ports)
        if port not in _given:
            _given.add(port)
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
                return port


def _first_ephemeral() -> int:
    try:
        first = int(EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError):
        return 32_768
    return first if first > 2 * LOWEST else 65_536
