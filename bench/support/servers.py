"""Server processes: stock Visdom, Visdom with our transport, a bare tornado, and Bokeh."""

from __future__ import annotations

import http.client
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

Kind = Literal["stock", "ours", "bare", "bokeh"]

PROCESSES = Path(__file__).parents[1] / "processes"
START_TIMEOUT_S = 60.0
REQUEST_TIMEOUT_S = 120.0


class BenchError(Exception):
    """Something without which nothing can be measured."""


class Written(NamedTuple):
    """Bytes handed to `write`, and bytes of the pages that have to reach the disk for them."""

    given: int
    to_disk: int


class Connection:
    """One HTTP connection that stays open."""

    def __init__(self, kind: Kind, port: int) -> None:
        self._kind = kind
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_TIMEOUT_S)

    def post(self, path: str, body: bytes) -> bytes:
        """POST, and return the reply. Raises BenchError when it is not 200."""
        return self.request("POST", path, body)

    def request(self, method: str, path: str, body: bytes | None) -> bytes:
        """Raises as `post` does."""
        self._http.request(method, path, body)
        with self._http.getresponse() as response:
            answer = response.read()
        if response.status != 200:
            raise BenchError(f"{self._kind}: {method} {path} was answered {response.status}: {answer[:200]!r}")
        return answer

    def close(self) -> None:
        self._http.close()


class Server:
    """One server in a process of its own, with a temporary home. A context manager: it runs inside the `with` block.

    ``settings`` become `VISDOM_TRANSPORT_<NAME>` of its environment. ``page_files`` is where stock finds what its page needs.
    ``home`` is a directory that outlives the server, for the next one to start on.
    """

    def __init__(
        self,
        kind: Kind,
        settings: Mapping[str, object] | None = None,
        *,
        page_files: Path | None = None,
        home: Path | None = None,
    ) -> None:
        self.kind = kind
        self._home = home
        self._options = [] if page_files is None else ["--page-files", str(page_files)]
        self.port = 0
        self.pid = 0
        self.environment: dict[str, str] = {}
        """That of the process, and of clients of the same kind."""
        self._settings = settings or {}
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="visdom-bench-")
        home = self._home or Path(self._directory.name)
        self.environment = self._environment(home)
        self._log = home / "log"
        self._process = self._start(home)
        self.pid = self._process.pid
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _start(self, home: Path) -> subprocess.Popen[bytes]:
        script = f"{self.kind if self.kind in ('bare', 'bokeh') else 'visdom'}_server.py"
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, str(PROCESSES / script), f"{home / 'envs'}/", *self._options],
                cwd=home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def _environment(self, home: Path) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("VISDOM", "XDG_"))}
        environment |= {"HOME": str(home)}
        if self.kind == "stock":
            environment["VISDOM_TRANSPORT"] = "0"
        return environment | {f"VISDOM_TRANSPORT_{name.upper()}": str(value) for name, value in self._settings.items()}

    def _await_ready(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        line = b""
        if select.select([stdout], [], [], START_TIMEOUT_S)[0]:
            line = stdout.readline()
        if not line:
            raise BenchError(f"the {self.kind} server does not start:\n{self._log.read_text(errors='replace')[-2000:]}")
        ready = json.loads(line)
        if ready["kind"] != self.kind:
            raise BenchError(
                f"asked for {self.kind}, but {sys.executable} runs {ready['kind']} Visdom: "
                "install this package (with its .pth) into that environment"
            )
        self.port = ready["port"]

    def stop(self) -> None:
        """End the process, by its id, and remove what it wrote."""
        if self._connection is not None:
            self._connection.close()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._directory.cleanup()

    def kill(self) -> None:
        """End the process at once (SIGKILL), whatever it is doing."""
        self._process.kill()
        self._process.wait()

    # --- what it costs ---

    def cpu_s(self) -> float:
        """CPU time, user and system, that the process has used so far, in seconds."""
        # The id of another process's CPU clock, as clock_getcpuclockid(3) makes it. /proc counts only in ticks of 10 ms.
        return time.clock_gettime((~self.pid << 3) | 2)

    def rss_bytes(self) -> int:
        """Resident memory of the process, in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def written(self) -> Written:
        """What the process has written to files so far. Sockets do not count."""
        counts = dict(line.split(": ") for line in Path(f"/proc/{self.pid}/io").read_text().splitlines())
        return Written(int(counts["wchar"]), int(counts["write_bytes"]))

    # --- what it is told ---

    def post(self, path: str, body: bytes) -> bytes:
        """POST over one connection that stays open, and return the reply.

        Raises:
            BenchError: the reply is not 200.
        """
        return self._request("POST", path, body)

    def get(self, path: str) -> bytes:
        """GET over the same connection. Raises as `post` does."""
        return self._request("GET", path, None)

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        if self._connection is None:
            self._connection = self.another_connection()
        return self._connection.request(method, path, body)

    def forget_connection(self) -> None:
        """Make another one with the next request."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def another_connection(self) -> Connection:
        """For another client, in a thread of its own."""
        return Connection(self.kind, self.port)

    def status(self) -> dict[str, Any]:
        """Our transport's own report."""
        status: dict[str, Any] = json.loads(self.get("/transport/status"))
        return status
