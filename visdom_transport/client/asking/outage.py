"""How long a server has been away, what was said of it, and how long to wait before it is asked again. No clock of its own."""

from __future__ import annotations

from visdom_transport.client.asking.backoff import Backoff
from visdom_transport.client.asking.errors import Away, Kind

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
LEAST_WAIT_S = 0.01


class Outage:
    """The outage of one server, if there is one."""

    def __init__(self) -> None:
        self.wait_s = 0.0
        """How long to wait before the next attempt: as long as the answer asks for, or any time up to a bound that doubles."""
        self._backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        self._since: float | None = None
        self._told: set[Kind] = set()

    @property
    def failures(self) -> int:
        """Requests in succession that nothing was learned from."""
        return self._backoff.failures

    def failed(self, away: Away, now: float) -> bool:
        """Note a failure. Returns whether it is to be told: what goes wrong in an outage is told once for each kind of cause."""
        self.wait_s = max(LEAST_WAIT_S, self._backoff.failed(), away.retry_after_s or 0.0)
        if self._since is None:
            self._since = now
        # The first retry comes at once: most often it is only the connection that is gone.
        if self.failures < 2 or away.kind in self._told:
            return False
        self._told.add(away.kind)
        return True

    def over(self, now: float) -> float | None:
        """The server answers. Returns how many seconds it did not, if anything was said about that."""
        lasted = now - self._since if self._since is not None and self._told else None
        self._backoff.succeeded()
        self._since = None
        self._told.clear()
        return lasted
