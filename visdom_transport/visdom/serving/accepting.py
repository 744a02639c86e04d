"""Accepting connections. Tornado's own function fails again for each try while the process has no descriptor left."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from typing import Any

from tornado.ioloop import IOLoop

logger = logging.getLogger("visdom_transport")

AT_ONCE = 128
"""Connections accepted before others have their turn, as Tornado does."""

PAUSE_S = 0.5
QUIET_S = 60.0
"""It is said once until this time has passed without another failure."""

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def add_accept_handler(sock: socket.socket, callback: Callable[[socket.socket, Any], None]) -> Callable[[], None]:
    """Call ``callback`` for each connection of a listening socket. Returns what ends that."""
    listener = _Listener(sock, callback)
    listener.resume()
    return listener.end


class _Listener:
    def __init__(self, sock: socket.socket, callback: Callable[[socket.socket, Any], None]) -> None:
        self._sock = sock
        self._callback = callback
        self._loop = IOLoop.current()
        self._has_ended = False
        self._is_paused = True
        self._failed_at = float("-inf")

    def resume(self) -> None:
        if not self._has_ended:
            self._is_paused = False
            self._loop.add_handler(self._sock, self._accept, IOLoop.READ)

    def end(self) -> None:
        self._has_ended = True
        if not self._is_paused:
            self._loop.remove_handler(self._sock)

    def _accept(self, fd: Any, events: int) -> None:
        for _ in range(AT_ONCE):
            if self._has_ended:  # while several were pending
                return
            try:
                connection, address = self._sock.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:  # gone before it was accepted
                continue
            except OSError as error:
                if error.errno not in SHORTAGES:
                    raise
                self._pause(error)
                return
            self._callback(connection, address)

    def _pause(self, error: OSError) -> None:
        """Those who are connected are served; the others wait until somebody leaves."""
        now = self._loop.time()
        if now - self._failed_at > QUIET_S:
            text = "no more connections can be accepted (%s): others wait until some end; raise `ulimit -n` for more at a time"
            logger.error(text, error.strerror)
        self._failed_at = now
        self._is_paused = True
        self._loop.remove_handler(self._sock)
        self._loop.call_later(PAUSE_S, self.resume)
