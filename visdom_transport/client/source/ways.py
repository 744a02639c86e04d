"""Which kind of link a source tries next, and its way back from polls to a WebSocket: the rules of pages (js/src)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from visdom_transport.client.asking.backoff import chance
from visdom_transport.client.source.links import Access, BufferedSocket

MAX_FAILURES: Final = 2
"""WebSockets that do not deliver before polling is tried."""
WELCOME_S: Final = 10.0
"""How soon something has to be heard over a WebSocket that was opened."""
CLIMBED_S: Final = 3.0
"""The same for one that takes over from polls that work."""
PAUSE_FIRST_S: Final = 5.0
PAUSE_GROWTH: Final = 1.7
PAUSE_MAX_S: Final = 50.0


class Choice:
    """A WebSocket is judged by delivery. If two in a row do not deliver, a poll is tried. If that fails, the server is away."""

    def __init__(self, *, always_poll: bool) -> None:
        self._always_poll = always_poll
        self._failures = 0

    @property
    def polls(self) -> bool:
        return self._always_poll or self._failures >= MAX_FAILURES

    @property
    def climbs(self) -> bool:
        """Whether polls look for a WebSocket."""
        return not self._always_poll

    def delivered(self) -> None:
        """A WebSocket did."""
        self._failures = 0

    def failed(self, *, was_opened: bool) -> None:
        """A WebSocket did not deliver. One that was opened and stayed silent was answered by something: that is enough."""
        self._failures = MAX_FAILURES if was_opened else self._failures + 1

    def poll_failed(self, *, was_answered: bool) -> None:
        """Nothing is known about WebSockets any more, unless something answered in the server's place: then they take turns."""
        self._failures = min(self._failures, MAX_FAILURES - 1) if was_answered else 0


class Climb:
    """Opens a WebSocket from time to time, in a thread of its own, while polls go on."""

    def __init__(self, access: Access, now: Callable[[], float]) -> None:
        self._access = access
        self._now = now
        self._pause_s = PAUSE_FIRST_S
        self._due = 0.0
        self._attempt: _Attempt | None = None

    def begin(self) -> None:
        """A poll delivers: try after a pause, longer than the last one."""
        self._due = self._now() + self._pause_s * (1 - chance() / 2)
        self._pause_s = min(PAUSE_MAX_S, self._pause_s * PAUSE_GROWTH)

    def arrived(self) -> None:
        """A WebSocket delivers."""
        self._pause_s = PAUSE_FIRST_S

    def due_in_s(self) -> float:
        """How long a poll may last, so that the next attempt is not late."""
        return max(0.0, self._due - self._now()) if self._attempt is None else PAUSE_MAX_S

    def step(self) -> BufferedSocket | None:
        """Go on with it between two polls. Returns the WebSocket that was opened, if there is one."""
        if self._attempt is None:
            if self._now() >= self._due:
                self._attempt = _Attempt(self._access)
        elif not self._attempt.thread.is_alive():
            opened, self._attempt = self._attempt.opened, None
            if opened is not None:
                return opened
            self.begin()
        return None

    def stop(self) -> None:
        """Polling has ended."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.abandon()


class _Attempt:
    """A WebSocket that is being opened."""

    def __init__(self, access: Access) -> None:
        self.opened: BufferedSocket | None = None
        self._access = access
        self._lock = threading.Lock()
        self._is_abandoned = False
        self.thread = threading.Thread(target=self._run, name="Visdom-Socket-Climb", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            opened = self._access.open_socket()
        except Exception:
            return  # whatever it is, polls go on, and say it when nothing works any more
        with self._lock:
            self.opened = opened
            if self._is_abandoned:
                opened.shutdown()  # type: ignore[no-untyped-call]

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._is_abandoned = True
            if self.opened is not None:
                self.opened.shutdown()  # type: ignore[no-untyped-call]
