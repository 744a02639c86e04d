"""`python -m visdom_transport check URL`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.relay.readers import until_away
from tests.support.own import OwnSocket
from tests.support.ports import free_port
from tests.support.relayed import RelayServer, origin_and_relay
from tests.support.served import ADA
from tests.support.server import WITHOUT_PAGE, VisdomServer


def check(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "visdom_transport", "check", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_relay_that_reaches_its_origin(origin: VisdomServer, relay_of: Callable[..., RelayServer]) -> None:
    relay = relay_of(origin, dead_after_s=30)  # the reader says nothing for as long as the commands take
    with OwnSocket(relay, "env/main"):
        of_origin, of_relay = check(origin.url("")), check(relay.url(""))
    assert (of_relay.returncode, of_relay.stderr) == (0, "")
    assert f"{relay.url('')}: a relay of {origin.url('')}, " in of_relay.stdout
    assert "with 1 viewers\n" in of_relay.stdout
    assert "it has reached its origin for " in of_relay.stdout
    assert of_relay.stdout.endswith("a viewer is let in\n")
    named = f":{relay.port}/{relay.pid} at 127.0.0.1 is there, with "
    assert named in of_relay.stdout
    assert of_origin.returncode == 0
    assert f"{named}1 viewers\n" in of_origin.stdout


def test_a_relay_without_its_origin(origin: VisdomServer, relay: RelayServer) -> None:
    origin.kill()
    until_away(relay)
    result = check(relay.url(""))
    assert result.returncode == 1
    assert f"problem: it has not reached its origin {origin.url('')} for " in result.stdout
    assert "let in" not in result.stdout


def test_nobody_is_there() -> None:
    result = check(f"http://127.0.0.1:{free_port()}")
    assert result.returncode == 1
    assert "does not answer: " in result.stdout


def test_what_is_no_server_of_this_package(tmp_path: Path) -> None:
    with VisdomServer(tmp_path, stock=True, program=WITHOUT_PAGE) as stock:
        result = check(stock.url(""))
    assert result.returncode == 1
    assert "is without this package" in result.stdout


def test_where_one_has_to_log_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    known = {**os.environ, "VISDOM_USERNAME": ADA.username, "VISDOM_PASSWORD": ADA.password}
    with origin_and_relay(tmp_path_factory, login=ADA) as (origin, relay):
        for server in (origin, relay):
            result = check(server.url(""))
            assert result.returncode == 1
            assert "VISDOM_USERNAME and VISDOM_PASSWORD" in result.stdout
            result = check(server.url(""), environment=known)
            assert (result.returncode, result.stderr) == (0, ""), result.stdout
        wrong = check(relay.url(""), environment=known | {"VISDOM_PASSWORD": "wrong"})
        assert "no login" in wrong.stdout


def test_what_is_no_address() -> None:
    result = check("localhost:8097")
    assert result.returncode == 2
    assert "not the address of a server" in result.stderr
