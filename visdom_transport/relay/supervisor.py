"""Starts processes, starts those again that end, and ends all of them in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from visdom_transport.client.asking.backoff import Backoff
from visdom_transport.links.flusher import clock

logger = logging.getLogger("visdom_transport.relay")

FIRST_PAUSE_S: Final = 0.1
MOST_PAUSE_S: Final = 30.0
STEADY_S: Final = 10.0
"""A process that has run so long was well: the next pause is a short one again."""


class Child:
    """One process, which is started again whenever it ends, after a pause that grows.

    Args:
        name: as the log has it.
        arguments: of `python -m visdom_transport`.
        environment: that it has beside this one's.
        patience_s: how long it may take to end gently.
    """

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], patience_s: float) -> None:
        self.name = name
        self._arguments = arguments
        self._environment = {**os.environ, **environment}
        self._patience_s = patience_s
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.last_end: int | None = None
        """How it has ended, if it has, as Popen's returncode says it."""
        self._backoff = Backoff(FIRST_PAUSE_S, MOST_PAUSE_S, lambda _, most_s: most_s)

    async def run(self, lifeline: int) -> None:
        """Keep it running until it is stopped."""
        while not self._stopping:
            began = clock()
            self.last_end = await (await self._start(lifeline)).wait()
            if self._stopping:
                return
            if clock() - began >= STEADY_S:
                self._backoff.succeeded()
            pause_s = self._backoff.failed()
            logger.warning("%s ended (%s), and is started again in %.1f s", self.name, ended(self.last_end), pause_s)
            await asyncio.sleep(pause_s)

    async def _start(self, lifeline: int) -> asyncio.subprocess.Process:
        """Start it once. A signal to the group of this process, such as Ctrl-C, does not reach it."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "visdom_transport.relay.child", str(lifeline), *self._arguments),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=[lifeline],
            start_new_session=True,
        )
        return self._process

    async def stop(self) -> None:
        """End it, gently if it can."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._patience_s)
        except TimeoutError:
            logger.warning("%s does not end within %.0f s, and is killed", self.name, self._patience_s)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def ended(status: int) -> str:
    """How a process has ended, in words."""
    return f"signal {-status}" if status < 0 else f"status {status}"
