"""The log of a server whose output nobody reads, and what is in it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.ports import free_port
from tests.support.server import VisdomServer
from tests.support.wait import until
from visdom_transport.visdom.reporting import log

HOOKED = "from visdom_transport import hook; hook.install(); import logging, visdom.server.app; "
RUN = "import runpy; runpy.run_module('visdom.server', run_name='__main__')"


def answers(url: str) -> bool:
    try:
        return requests.get(url + "/transport/status", timeout=1).ok
    except requests.RequestException:
        return False


def test_a_server_whose_output_nobody_reads_answers_and_ends(tmp_path: Path) -> None:
    port = free_port()
    program = [sys.executable, "-c", HOOKED + RUN, "-port", str(port), "-env_path", str(tmp_path), "-bind_local"]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url), "the server answers", timeout_s=40)
        session = requests.Session()
        for n in range(1500):  # each is a line of warning
            assert session.get(f"{url}/static/{n}/{'x' * 1000}", timeout=20).status_code == 404
        assert session.get(f"{url}/transport/status", timeout=20).json()["dropped_log_lines"] > 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_requests_that_went_well_are_not_logged_and_others_are(tmp_path: Path) -> None:
    with VisdomServer(tmp_path) as server:
        assert server.get("/transport/status").ok
        assert server.get("/static/nothing").status_code == 404
        until(lambda: "404 GET /static/nothing" in server.log_path.read_text(), "the line", seen=server.log_tail)
        assert "200 GET" not in server.log_path.read_text()


@pytest.fixture
def pipe() -> Iterator[tuple[int, log.BackgroundStream]]:
    reader, writer = os.pipe()
    yield reader, log.BackgroundStream(sys.stderr, writer)
    os.close(reader)


def test_what_is_read_is_complete(pipe: tuple[int, log.BackgroundStream]) -> None:
    reader, stream = pipe
    handler = logging.StreamHandler(stream)
    for n in range(100):
        handler.emit(logging.makeLogRecord({"msg": f"line {n} \u20ac"}))
    stream.drain(5)
    assert os.read(reader, 65536).decode() == "".join(f"line {n} \u20ac\n" for n in range(100))
    assert stream.dropped == 0


def test_what_is_too_much_is_dropped_and_said_once_somebody_reads(pipe: tuple[int, log.BackgroundStream]) -> None:
    reader, stream = pipe
    for _ in range(log.MAX_WAITING_BYTES // 1000 * 3):
        stream.write("x" * 999 + "\n")
    assert stream.dropped > 0
    stream.drain(0.01)  # does not wait for ever
    stream.write("the end\n")
    got = b""
    while b"lines of this log were dropped" not in got:
        got += os.read(reader, 65536)
