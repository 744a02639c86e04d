"""Where a publisher holds what was not sent yet: in memory, or on disk too."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from visdom_transport.client.asking.connection import Connection
from visdom_transport.client.disk.inheritance import Inheritance
from visdom_transport.client.disk.outbox import DiskOutbox
from visdom_transport.client.disk.policy import Policy
from visdom_transport.client.disk.store import Store
from visdom_transport.client.messages.outbox import Outbox, new_publisher_id
from visdom_transport.client.messages.spill import Spill
from visdom_transport.client.options import Options


class Holding(Protocol):
    """What holds more than the memory does. What stands before `earlier` is called under the lock of the sender."""

    @property
    def path(self) -> Path | None: ...

    @property
    def is_due(self) -> bool: ...

    @property
    def is_behind(self) -> bool: ...

    def wake(self) -> None: ...

    def note(self, environments: Mapping[str, object], saves: Mapping[str, object]) -> None: ...

    def look(self) -> None: ...

    def wait_until_written(self, timeout_s: float) -> bool: ...

    def earlier(self) -> float | None: ...

    def prepare(self) -> None: ...

    def settle(self) -> None: ...

    def finish(self) -> None: ...

    def forked(self) -> None: ...


class MemoryOnly:
    """Nothing is on disk."""

    path = None
    is_due = is_behind = False

    def wake(self) -> None: ...

    def note(self, environments: Mapping[str, object], saves: Mapping[str, object]) -> None: ...

    def look(self) -> None: ...

    def wait_until_written(self, timeout_s: float) -> bool:
        return True

    def earlier(self) -> float | None:
        return None

    def prepare(self) -> None: ...

    def settle(self) -> None: ...

    def finish(self) -> None: ...

    def forked(self) -> None: ...


def hold(options: Options, connection: Connection, changed: threading.Condition) -> tuple[Outbox | DiskOutbox, Holding]:
    """An outbox as the options have it, and what is behind it."""
    if options.outbox_dir is None:
        spill = Spill(options.spill_dir)
        return Outbox(max_bytes=options.max_bytes, on_full=options.on_full, spill=spill), MemoryOnly()
    log_id = new_publisher_id()
    outbox = DiskOutbox(log_id, max_bytes=options.max_bytes, on_full=options.on_full)
    policy = Policy(options.outbox_dir, options.outbox_max_bytes, options.outbox_max_age_s, options.outbox_full == "drop_oldest")
    server = connection.address.shown
    inheritance = Inheritance(policy.directory, server, connection, policy.max_age_s)
    return outbox, Store(outbox, log_id, changed, policy, server, inheritance)
