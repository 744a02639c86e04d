"""What callers ask the server and wait for, beside what is sent in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from visdom_transport.client.asking.address import Address
from visdom_transport.client.asking.connection import Connection
from visdom_transport.client.asking.errors import Away
from visdom_transport.client.asking.exchange import QUESTION_TIMEOUT_S
from visdom_transport.client.messages.calls import Window

T = TypeVar("T")

SAVED_WITHIN_S = 15.0
"""How long somebody waits for environments to be saved."""


class Questions:
    """Asks one server, over a connection of its own, for one caller at a time."""

    def __init__(self, address: Address) -> None:
        self._connection = Connection(address)
        self._asking = threading.Lock()

    def exists(self, window: Window) -> bool | None:
        """Whether a window is there. None if the server does not answer."""
        return self._answer(QUESTION_TIMEOUT_S, lambda within_s: self._connection.exists(window, within_s))

    def save(self, eids: list[str]) -> str | None:
        """Have environments saved, and return what the server answers. None if it does not."""
        return self._answer(SAVED_WITHIN_S, lambda within_s: self._connection.save(eids, within_s))

    def close(self) -> None:
        """Close the connection; the next question opens one."""
        with self._asking:
            self._connection.close()

    def forget(self) -> None:
        """This is a forked process: the connection is the other one's."""
        self._connection.forget()

    def _answer(self, within_s: float, ask: Callable[[float], T]) -> T | None:
        until = time.monotonic() + within_s
        if not self._asking.acquire(timeout=within_s):
            return None
        try:
            return ask(max(0.1, until - time.monotonic()))
        except Away:
            return None
        finally:
            self._asking.release()
