"""Warns about settings of ours that cannot be used. A server does not start with them; a training goes on."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from visdom_transport.settings import problems

logger = logging.getLogger("visdom_transport.client")


@functools.cache
def _warn_once() -> None:
    for problem in problems():
        logger.warning("%s", problem)


def warning(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap Visdom.__init__: the first client of a process says what is wrong with the environment."""

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **arguments: Any) -> None:
        _warn_once()
        init(self, *args, **arguments)

    return __init__
