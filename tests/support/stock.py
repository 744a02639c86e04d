"""Visdom's application without this package, in a process of its own. Its command line would want the network first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port

PROGRAM = """
import asyncio, sys
import visdom.server.app
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

async def serve():
    server = HTTPServer(visdom.server.app.Application(port=0, env_path=sys.argv[2]))
    server.add_sockets(bind_sockets(int(sys.argv[1]), "127.0.0.1"))
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""


@contextmanager
def stock_server(directory: Path) -> Iterator[int]:
    """Run one, and give its port."""
    port = free_port()
    arguments = [sys.executable, "-c", PROGRAM, str(port), f"{directory}/envs/"]
    environ = {**os.environ, "VISDOM_TRANSPORT": "0", "HOME": str(directory)}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield port
        finally:
            process.kill()
