"""What a page says over a WebSocket, while some of it has to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

from visdom_transport.core.encoding import decode
from visdom_transport.links.longpoll import Turn

MAX_WAITING_BYTES = 65_536
"""Bytes of one page that may wait before nothing more is read of it."""


class Line:
    """Acts on the messages of one page: on commands in order, each when it is its turn, and on all else at once.

    What a page has drawn, and that it is there, must not wait behind a command that does.

    Args:
        before: returns what to wait for before a message is acted on, if anything.
        act: deals with a message.
        stock: the page speaks stock's dialect, in which everything is a command.
    """

    __slots__ = ("_act", "_before", "_moving", "_stock", "_waiting")

    def __init__(self, before: Callable[[Any], Turn | None], act: Callable[[str | bytes], None], *, stock: bool) -> None:
        self._before = before
        self._act = act
        self._stock = stock
        self._waiting: list[str | bytes] = []
        self._moving: asyncio.Task[None] | None = None

    def take(self, message: str | bytes) -> Awaitable[None] | None:
        """Act on ``message``, now or when it is its turn. Return what to wait for before reading more, if anything."""
        if self._moving is None:
            turn = self._before(message)
            if turn is None:
                self._act(message)
                return None
            self._moving = asyncio.get_running_loop().create_task(self._move(turn))
        elif not self._stock and not is_command(message):
            self._act(message)
            return None
        self._waiting.append(message)
        return self._moving if sum(map(len, self._waiting)) > MAX_WAITING_BYTES else None

    def end(self, gone: Callable[[], None]) -> None:
        """The page says no more. ``gone`` is called when all that it has said is dealt with."""
        if self._moving is None:
            gone()
        else:
            self._moving.add_done_callback(lambda moving: gone())

    async def _move(self, turn: Turn | None) -> None:
        try:
            while self._waiting:
                context = await turn if turn is not None else None
                with context or nullcontext():
                    self._act(self._waiting.pop(0))
                turn = self._before(self._waiting[0]) if self._waiting else None
        finally:
            self._moving = None


def is_command(message: str | bytes) -> bool:
    """Whether a message of our protocol is a command."""
    try:
        parsed: Any = decode(message)
    except ValueError:
        return False
    return isinstance(parsed, dict) and parsed.get("type") == "command"
