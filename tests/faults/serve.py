"""The server of the fault suite: `python serve.py [--plant NAME] OPTIONS OF VISDOM`.

It is `python -m visdom.server`, with what a test cannot do from outside: SIGUSR1 moves its wall clock by what the file
`clock` in its directory says, SIGUSR2 takes from it what a file system may not do (files.py), its log goes through a pipe
so that a full disk does not silence it, a stock Visdom answers how many clients it believes to have, and a mistake can be
planted in it before it starts.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

CLOCK = "clock"


def log_through_a_pipe() -> None:
    """The limit for files that stands for a full disk does not hold for the process at the other end."""
    writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert writer.stdin is not None
    for stream in (1, 2):
        os.dup2(writer.stdin.fileno(), stream)


def end_with_the_parent() -> None:
    """A test that is killed must not leave its server behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)  # between two looks: nothing tells a process that its parent has ended
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def let_the_clock_jump() -> None:
    real, offset = time.time, 0.0

    def jump(*_: Any) -> None:
        nonlocal offset
        offset += float(Path(CLOCK).read_text())

    time.time = lambda: real() + offset
    signal.signal(signal.SIGUSR1, jump)


def count_stock_clients() -> None:
    """What /transport/status is to us."""
    from tornado.web import RequestHandler
    from visdom.server.app import Application

    class Clients(RequestHandler):
        def get(self) -> None:
            self.write({"sessions": len(self.application.subs) + len(self.application.sources)})  # type: ignore[attr-defined]

    made = Application.__init__

    def make(self: Any, *args: Any, **named: Any) -> None:
        made(self, *args, **named)
        self.add_handlers(r".*", [(r"/faults/clients", Clients)])

    Application.__init__ = make


def download_nothing() -> None:
    """A stock Visdom would not start without the files of its page, and here is no page."""
    from visdom.server import run_server

    run_server.download_scripts = lambda *args, **named: None


if __name__ == "__main__":
    log_through_a_pipe()
    end_with_the_parent()
    let_the_clock_jump()
    from files import OddFiles

    OddFiles()
    if "--plant" in sys.argv:
        from plants import SERVER_PLANTS

        at = sys.argv.index("--plant")
        SERVER_PLANTS[sys.argv[at + 1]]()
        del sys.argv[at : at + 2]
    if os.environ.get("VISDOM_TRANSPORT") == "0":
        count_stock_clients()
        download_nothing()
    runpy.run_module("visdom.server", run_name="__main__", alter_sys=True)
