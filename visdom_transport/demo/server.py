"""Visdom's server as a process of the demo."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

STOP_TIMEOUT_S = 5.0
LAST_PORT = 65_535
PORTS_TRIED = 100


class Server:
    """`python -m visdom.server` on 127.0.0.1. What it warns of goes where the demo's own output goes."""

    def __init__(self, port: int, env_path: Path) -> None:
        self.port = port
        self._env_path = env_path
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it can be reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def exit_code(self) -> int | None:
        """What the process ended with; None while it runs."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start the process; it answers some time later. A former one must have ended.

        Raises:
            OSError: somebody else listens on the port.
        """
        _listen(self.port)  # some Visdoms would take another port and not say which
        options = ["-port", str(self.port), "-env_path", f"{self._env_path}/", "-bind_local", "-logging_level", "WARNING"]
        # Otherwise it prints a URL with that name, which is none of 127.0.0.1.
        environment = {name: value for name, value in os.environ.items() if name != "HOSTNAME"}
        # In a session of its own, a Ctrl-C reaches the demo alone, which then stops the server in order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "visdom.server", *options],
            stdin=subprocess.DEVNULL,
            # Of its own it prints another URL. Warnings and errors are not printed there.
            stdout=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )

    def stop(self) -> None:
        """End the process, with everything it has started. Nothing happens if it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        self._signal(process, signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
            process.wait()

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: int) -> None:
        if not hasattr(os, "killpg"):
            process.terminate()
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def free_port(first: int) -> int:
    """The first port that can be had, from ``first`` on. Raises OSError if there is none nearby."""
    last = min(first + PORTS_TRIED, LAST_PORT)
    for port in range(first, last):
        with contextlib.suppress(OSError):
            _listen(port)
            return port
    _listen(last)
    return last


def _listen(port: int) -> None:
    """Listen for a moment. Raises OSError if the port cannot be had."""
    with socket.create_server(("127.0.0.1", port)):
        pass
