"""What a publisher asks of its server beside its messages: environments to be made before them, and saved after them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from visdom_transport.client.asking.connection import Connection
from visdom_transport.client.asking.exchange import REPLY_TIMEOUT_S


class Errands:
    """What is still to be done.

    Args:
        changed: guards it, and is told when something is done.
    """

    def __init__(self, connection: Connection, changed: threading.Condition) -> None:
        self._connection = connection
        self._changed = changed
        self._environments: dict[str, None] = {}
        self._made: dict[str, None] = {}
        self._saves: dict[str, int] = {}
        """Environments, and the mark of what has to be in them."""

    def __bool__(self) -> bool:
        return bool(self._environments or self._saves)

    @property
    def has_saves(self) -> bool:
        return bool(self._saves)

    # --- under the lock ---

    def make(self, eid: str) -> None:
        """Make an environment."""
        self._environments[eid] = None

    def make_again(self) -> None:
        """The server has lost what it had."""
        self._environments |= self._made

    def save(self, eids: Iterable[str], mark: int) -> None:
        """Save environments when everything up to the mark has arrived."""
        self._saves |= dict.fromkeys(eids, mark)

    # --- without it ---

    def make_environments(self) -> None:
        """Raises `Away`: some may not be there."""
        with self._changed:
            environments = list(self._environments)
        for eid in environments:
            self._connection.make_environment(eid)
            with self._changed:
                self._environments.pop(eid, None)
                self._made[eid] = None
                self._changed.notify_all()

    def save_what_arrived(self, settled: Callable[[int], bool]) -> None:
        """Raises `Away`: some may not be saved."""
        with self._changed:
            due = {eid: mark for eid, mark in self._saves.items() if settled(mark)}
        if due:
            self._connection.save(list(due), REPLY_TIMEOUT_S)
            with self._changed:
                self._saves = {eid: mark for eid, mark in self._saves.items() if due.get(eid) != mark}
                self._changed.notify_all()
