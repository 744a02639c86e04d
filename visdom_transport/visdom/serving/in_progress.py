"""Requests that may change something, from when they are complete until they are answered: a server that stops waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class InProgress:
    """The requests of one application."""

    def __init__(self) -> None:
        self._handlers: set[Any] = set()
        self._over: asyncio.Event | None = None

    def begin(self, handler: Any) -> None:
        """Tornado tells the handler when it has answered, also when the client is gone by then."""
        self._handlers.add(handler)
        handler.on_finish = self._ending(handler, handler.on_finish)

    def _ending(self, handler: Any, on_finish: Callable[[], None]) -> Callable[[], None]:
        def finished() -> None:
            del handler.on_finish  # the two would keep each other until the garbage collector comes
            self._handlers.discard(handler)
            if self._over is not None and not self._handlers:
                self._over.set()
            on_finish()

        return finished

    async def ended(self, timeout_s: float) -> bool:
        """Wait until there are none. Returns whether that came true in time."""
        if not self._handlers:
            return True
        self._over = asyncio.Event()
        try:
            async with asyncio.timeout(timeout_s):
                await self._over.wait()
        except TimeoutError:
            return False
        return True
