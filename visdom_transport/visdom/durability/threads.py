"""Work for a thread, while the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``call`` returns, called in one of the loop's threads.

    Raises:
        asyncio.CancelledError: the loop is ending. It has cancelled all tasks that it had; this one began too late for that.
    """
    try:
        future = asyncio.get_running_loop().run_in_executor(None, lambda: call(*args, **kwargs))
    except RuntimeError as error:
        raise asyncio.CancelledError from error
    return await future
