"""A process of `serve --relays`: runs this package's command line, and ends when the supervisor does, however that ends.

Its first argument is a pipe that the supervisor has the other end of.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def end_with(pipe: int) -> None:
    """End this process, gently, when nobody has the other end of ``pipe`` any more."""
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the command."""
    pipe = int(sys.argv[1])
    threading.Thread(target=end_with, args=(pipe,), name="visdom-transport-lifeline", daemon=True).start()
    sys.argv = ["python -m visdom_transport", *sys.argv[2:]]
    runpy.run_module("visdom_transport", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
