"""What is measured of writing: how long it takes, how often it fails, and how old what is not on disk has become."""

from __future__ import annotations

import time

from visdom_transport.core.histogram import Histogram

WRITE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class Measured:
    """Of one journal. Times are the monotonic clock's."""

    def __init__(self) -> None:
        self.write_s = Histogram(WRITE_S)
        """How long each attempt to write took."""
        self.errors = 0
        """How many of them failed."""
        self.since: float | None = None
        """Since when something is not on disk."""

    def changed(self) -> None:
        """There is something that is not on disk."""
        if self.since is None:
            self.since = time.monotonic()

    def wrote(self, began: float, *, failed: bool, all_of_it: bool) -> float:
        """An attempt ends that began then. Returns how many seconds it took. What has changed meanwhile is not older than it."""
        took_s = time.monotonic() - began
        self.write_s.observe(took_s)
        self.errors += failed
        if not failed:
            self.since = None if all_of_it else began
        return took_s
