"""Accepting connections while the process has no descriptor left."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from typing import Any

import pytest

from visdom_transport.visdom.serving import accepting


class Short:
    """A listening socket; accepting fails while there is a shortage."""

    def __init__(self, error: int) -> None:
        self.real = socket.create_server(("127.0.0.1", 0))
        self.real.setblocking(False)
        self.error = error
        self.tries = 0
        self.tried = asyncio.Event()
        """Several times."""

    def fileno(self) -> int:
        return self.real.fileno()

    def accept(self) -> Any:
        self.tries += 1
        if self.tries == 3:
            self.tried.set()
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return self.real.accept()


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS])
def test_a_shortage_is_said_once_and_those_who_wait_are_accepted_after_it(
    error: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accepting, "PAUSE_S", 0.02)

    async def run() -> None:
        short, accepted = Short(error), asyncio.Event()
        end = accepting.add_accept_handler(short, lambda connection, address: (connection.close(), accepted.set()))  # type: ignore[arg-type, func-returns-value]
        with socket.create_connection(short.real.getsockname()):
            await asyncio.wait_for(short.tried.wait(), 5)
            assert not accepted.is_set()
            short.error = 0
            await asyncio.wait_for(accepted.wait(), 5)
        end()
        short.real.close()

    asyncio.run(run())
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1
    assert os.strerror(error) in said[0]
    assert "ulimit -n" in said[0]


def test_a_paused_listener_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "PAUSE_S", 0.02)

    async def run() -> int:
        short = Short(errno.EMFILE)
        end = accepting.add_accept_handler(short, lambda connection, address: None)  # type: ignore[arg-type]
        with socket.create_connection(short.real.getsockname()):
            await asyncio.wait_for(short.tried.wait(), 5)
            end()
            tries = short.tries
            await asyncio.sleep(10 * accepting.PAUSE_S)
        short.real.close()
        return short.tries - tries

    assert asyncio.run(run()) == 0
