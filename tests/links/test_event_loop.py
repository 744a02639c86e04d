"""The event loop of a server: uvloop, where it is installed and wanted."""

from __future__ import annotations

import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.own import OwnSocket
from tests.support.server import START_SERVER, VisdomServer
from tests.support.wait import until

HAS_UVLOOP = find_spec("uvloop") is not None
OWN_PROGRAM = ("-c", f"import logging\nlogging.basicConfig(level=logging.INFO)\n{START_SERVER}")
AN_UPDATE = {"data": [{"type": "text", "content": "hello"}], "win": "a"}


@pytest.mark.parametrize(
    ("program", "settings", "expected"),
    [
        (("-m", "visdom.server"), {}, HAS_UVLOOP),
        (("-m", "visdom_transport", "serve"), {}, HAS_UVLOOP),
        (("-m", "visdom.server"), {"loop": "asyncio"}, False),
        (OWN_PROGRAM, {}, False),
    ],
    ids=["server", "serve", "not wanted", "a program's own"],
)
def test_it_is_used_where_it_is_installed(
    tmp_path: Path, program: tuple[str, ...], settings: dict[str, str], expected: bool
) -> None:
    with VisdomServer(tmp_path, program=program, settings=settings) as server:
        with OwnSocket(server, "env/main") as page:
            assert server.post("/events", AN_UPDATE).ok
            page.converge()
            assert list(page.replicas.state("env/main")) == ["a"]
        until(lambda: " is on: " in server.log_path.read_text(), "the server has said what it runs")
        line = next(line for line in server.log_path.read_text().splitlines() if " is on: " in line)
        assert (", uvloop, " in line) is expected
        assert server.end(signal.SIGTERM) == 0
        assert "Traceback" not in server.log_path.read_text()
