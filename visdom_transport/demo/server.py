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


class Server:
    """`python -m visdom.server` on 127.0.0.1. What it prints goes where the demo's own output goes."""

    def __init__(self, port: int | None, env_path: Path) -> None:
        self.port = port or _listen(0)
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


def _listen(port: int) -> int:
    """Listen for a moment, on any free port for 0, and return the port. Raises OSError if it cannot be had."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        return int(listener.getsockname()[1])
