"""Processes that are kept running, and the ports that are kept for them."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

import pytest

from tests.support.ports import free_port
from visdom_transport.relay.ports import KeptPort
from visdom_transport.relay.supervisor import Child


def test_one_that_does_not_run_is_started_less_and_less_often(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "visdom_transport.relay")

    async def run() -> None:
        lifeline, ours = os.pipe()
        child = Child("it", ["no-such-command"], {}, 10.0)
        running = asyncio.create_task(child.run(lifeline))
        while len(caplog.records) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await child.stop()
        running.cancel()
        os.close(lifeline)
        os.close(ours)

    asyncio.run(asyncio.wait_for(run(), 60))
    said = [record.getMessage() for record in caplog.records]
    assert said[:4] == [f"it ended (status 2), and is started again in {pause} s" for pause in ("0.1", "0.2", "0.4", "0.8")]


def test_a_kept_port_is_for_who_listens_there() -> None:
    kept = KeptPort.any()
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", kept.number), 5)
        for _ in range(2):
            with (
                socket.create_server(("127.0.0.1", kept.number)),
                socket.create_connection(("127.0.0.1", kept.number), 5),
            ):
                pass
    finally:
        kept.close()


def test_a_shared_port_is_not_shared_with_strangers() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port), reuse_port=True), pytest.raises(OSError, match="in use"):
        KeptPort(port, "127.0.0.1", shared=True)
    kept = KeptPort(port, "127.0.0.1", shared=True)
    try:
        with (
            socket.create_server(("127.0.0.1", port), reuse_port=True),
            socket.create_server(("127.0.0.1", port), reuse_port=True),
        ):
            pass
    finally:
        kept.close()
