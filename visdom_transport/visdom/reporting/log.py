"""The log of a server: what it writes never keeps the loop waiting, and requests that went well are not in it."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import select
import stat
import threading
from collections import deque
from typing import Any, TextIO

from tornado.log import access_log
from tornado.web import RequestHandler

from visdom_transport.operators.log_format import STANDARD_OUTPUTS, JsonFormatter, every_handler

MAX_WAITING_BYTES = 1_000_000
"""Bytes that wait for a reader of the log. What comes then is dropped, and counted."""

LAST_WORDS_S = 1.0
"""How long the end of the process waits for what is not written yet."""

_streams: dict[int, BackgroundStream] = {}
"""By descriptor."""


def log_request(handler: RequestHandler) -> None:
    """Tornado's log of requests. Those that went well only at the level DEBUG: dashboards make hundreds each second."""
    status = handler.get_status()
    level = logging.DEBUG if status < 400 else logging.WARNING if status < 500 else logging.ERROR
    if access_log.isEnabledFor(level):
        # As Tornado writes it.
        access_log.log(level, "%d %s %.2fms", status, handler._request_summary(), 1000.0 * handler.request.request_time())


def dropped_lines() -> int:
    """How many lines of the log nobody read in time."""
    return sum(stream.dropped for stream in _streams.values())


def write_in_background() -> None:
    """From now on handlers that write to standard output or error leave that to a thread: a pipe that nobody reads fills up."""
    for handler in every_handler():
        if isinstance(handler, logging.StreamHandler) and (descriptor := _may_block(handler.stream)) is not None:
            if descriptor not in _streams:
                _streams[descriptor] = BackgroundStream(handler.stream, descriptor)
            _streams[descriptor].as_json = isinstance(handler.formatter, JsonFormatter)
            handler.setStream(_streams[descriptor])


def _may_block(stream: Any) -> int | None:
    """The descriptor of a standard output that is no file."""
    try:
        descriptor: int = stream.fileno()
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
    except (AttributeError, OSError, ValueError):
        return None
    return descriptor if descriptor in STANDARD_OUTPUTS and not is_file else None


class BackgroundStream:
    """In the place of a standard output for handlers of `logging`. Writing to it never waits.

    Its thread writes to the descriptor itself: inside of Python's own stream it could hold a lock that the end of the process
    needs, for as long as nobody reads.
    """

    def __init__(self, stream: TextIO, descriptor: int) -> None:
        self.dropped = 0
        self.as_json = False
        self._descriptor = descriptor
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._untold = 0
        self._is_writing = False
        threading.Thread(target=self._run, name="visdom-transport-log", daemon=True).start()
        atexit.register(self.drain, LAST_WORDS_S)

    def write(self, text: str) -> int:
        """Take a line."""
        data = text.encode(self._encoding, "backslashreplace")
        with self._changed:
            if self._waiting_bytes + len(data) > MAX_WAITING_BYTES:
                self.dropped += 1
                self._untold += 1
            else:
                self._waiting.append(data)
                self._waiting_bytes += len(data)
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Nothing: handlers call it after each line."""

    def fileno(self) -> int:
        return self._descriptor

    def drain(self, timeout_s: float) -> None:
        """Wait until everything is written, if somebody reads."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._is_writing, timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                data = b"".join(self._waiting) + self._news_of_drops()
                self._waiting.clear()
                self._waiting_bytes = 0
                self._is_writing = True
            # Nobody will ever read it: the other end is gone.
            with contextlib.suppress(OSError):
                _write(self._descriptor, data)
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()

    def _news_of_drops(self) -> bytes:
        untold, self._untold = self._untold, 0
        if not untold:
            return b""
        text = f"{untold} lines of this log were dropped: nobody read it"
        record = logging.LogRecord("visdom_transport", logging.WARNING, "", 0, text, None, None)
        formatter = JsonFormatter() if self.as_json else logging.Formatter(logging.BASIC_FORMAT)
        return f"{formatter.format(record)}\n".encode()


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # somebody who shares it has made it non-blocking
            select.select([], [descriptor], [], 1.0)
