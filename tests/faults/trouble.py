"""What goes wrong: networks and the server are broken, and mended at the end."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import time
from collections.abc import Coroutine
from typing import Any

from tests.faults import files, serve
from tests.faults.fronts import FaultyFront
from tests.faults.schedule import NETWORKS
from tests.faults.stage import Stage
from tests.support.proxy import FaultProxy
from tests.support.server import VisdomServer

FAULTS = frozenset(
    {
        *("cut", "refuse", "blackhole", "delay", "throttle", "truncate", "reorder", "websockets", "front"),
        *("pause", "kill", "clock", "disk", "files"),
    }
)
RECOVERY_S = 3.0
"""So long after a disturbance of the server nothing is said about its punctuality."""
UNLIMITED = resource.RLIM_INFINITY


class Trouble:
    """Breaks one server and the networks before it. What takes time goes on beside the schedule."""

    stage: Stage
    """The schedule under way."""

    def __init__(self, server: VisdomServer) -> None:
        self._server = server
        self._proxies: list[FaultProxy] = []
        self._fronts: dict[int, FaultyFront] = {}
        """By network."""
        self._failing = False
        """Whether the server's file system does not do everything."""
        self._lasting = False
        self._beside: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._disturbed_at = 0.0

    def open(self) -> None:
        """Put the networks before the server, which runs."""
        self._proxies = [FaultProxy(self._server.port) for _ in range(NETWORKS)]

    async def close(self) -> None:
        for task in list(self._beside):
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        for network, proxy in enumerate(self._proxies):
            self._remove_front(network)
            proxy.close()

    @property
    def ports(self) -> list[int]:
        """Where each network begins."""
        return [proxy.port for proxy in self._proxies]

    @property
    def is_quiet(self) -> bool:
        """Whether the server has been left in peace for some time."""
        return not self._turn.locked() and self._disturbed_at + RECOVERY_S < time.monotonic()

    def begin(self, what: str, args: dict[str, Any]) -> None:
        """Begin a fault, or take one back."""
        if "network" in args:
            self._disturb_network(what, **args)
        else:
            self.beside(getattr(self, f"_{what}")(**args))

    def beside(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something beside the steps of the schedule."""
        task = asyncio.create_task(self.stage.watched(doing, "a step"))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def heal(self) -> None:
        """Take back everything but a file system that is always as it is."""
        for network in range(NETWORKS):
            self._disturb_network("heal", network)
        await asyncio.gather(*self._beside)
        await self._disk(full=False)
        if not self._lasting:
            await self.mend_files()

    async def mend_files(self) -> None:
        """Let the server's file system do everything again."""
        if self._failing:
            await self._files({})

    # --- networks ---

    def _disturb_network(self, what: str, network: int, **args: Any) -> None:
        proxy = self._proxies[network]
        match what:
            case "blackhole":
                self._spoil(network)
                proxy.blackhole(*args["directions"])
            case "websockets":
                self._spoil(network)
                proxy.block_websockets(args["how"])
            case "heal":
                # Whatever was opened while the fault lasted may have lost bytes.
                if self.stage.spoiled_at[network]:
                    self._spoil(network)
                proxy.heal()
                self._remove_front(network)
            case "front":
                self._remove_front(network)
                self._put_front(network, **args)
            case _:
                getattr(proxy, what)(**args)

    def _put_front(self, network: int, kind: str, late: bool) -> None:
        elsewhere = self._proxies[(network + 1) % NETWORKS].port
        front = self._fronts[network] = FaultyFront(self._server.port, kind, elsewhere=elsewhere, late=late)
        front.__enter__()
        self._lead(network, front.port)

    def _remove_front(self, network: int) -> None:
        front = self._fronts.pop(network, None)
        if front is not None:
            self._lead(network, self._server.port)
            front.__exit__(None, None, None)
            self.stage.counts["answers of fronts"] += len(front.seen)
            self.stage.counts["answers of fronts to publishers"] += sum("publish" in request.path for request in front.seen)

    def _lead(self, network: int, port: int) -> None:
        self._proxies[network].upstream_port = port
        self._proxies[network].cut()

    def _spoil(self, network: int) -> None:
        self.stage.spoiled_at[network] = time.monotonic()

    # --- the server ---

    async def _pause(self, seconds: float) -> None:
        """A SIGSTOP: to the server, its monotonic clock jumps."""
        async with self._turn:
            os.kill(self._server.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                os.kill(self._server.pid, signal.SIGCONT)
            self._disturbed_at = time.monotonic()

    async def _clock(self, seconds: float) -> None:
        async with self._turn:
            (self._server.directory / serve.CLOCK).write_text(str(seconds))
            os.kill(self._server.pid, signal.SIGUSR1)

    async def _kill(self, state: str) -> None:
        async with self._turn:
            self.stage.killed(lost_state=state == "lost")
            await asyncio.to_thread(self._server.restart, keep_state=state == "kept")
            self._disturbed_at = time.monotonic()

    async def _disk(self, full: bool) -> None:
        """The limit of the size of files stands for a full disk: every write fails."""
        async with self._turn:
            limit = 0 if full else UNLIMITED
            resource.prlimit(self._server.pid, resource.RLIMIT_FSIZE, (limit, UNLIMITED))

    async def _files(self, failing: dict[str, int], lasting: bool = False) -> None:
        """A file system that does less than others: see files.py."""
        async with self._turn:
            # At once: the server may be reading it for the signal before.
            written = self._server.directory / f"{files.FAILING}.new"
            written.write_text(json.dumps(failing))
            written.replace(self._server.directory / files.FAILING)
            os.kill(self._server.pid, signal.SIGUSR2)
            self._failing, self._lasting = bool(failing), lasting
