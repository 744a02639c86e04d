"""`python -m visdom_transport serve --relays N`: one port, several processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.relay.readers import command, opened, verdicts
from tests.support.clustered import Cluster, command_of
from tests.support.own import OwnPoll, OwnSocket
from tests.support.relayed import FAST
from tests.support.served import ADA
from tests.support.wait import until

PATIENT = FAST | {"dead_after_s": 30}
"""Readers say nothing while processes start."""


class HoppingPoll(OwnPoll):
    """Each of its requests comes on a connection of its own, so that any relay may get it."""

    def __init__(self, *arguments: Any, cookies: dict[str, str] | None = None, **options: Any) -> None:
        self._cookies = cookies or {}
        super().__init__(*arguments, **options)

    def request(self, path: str, body: Any) -> list[dict[str, Any]]:
        answer = requests.post(self.server.url(path), json=body, cookies=self._cookies, timeout=20)
        answer.raise_for_status()
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return messages


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path, settings=PATIENT) as cluster:
        yield cluster


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VISDOM")}
    return subprocess.run(
        [sys.executable, "-m", "visdom_transport", "serve", *arguments],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


# --- one port ---


def test_polls_find_their_link_at_any_relay(cluster: Cluster) -> None:
    readers = [HoppingPoll(cluster, "env/main") for _ in range(4)]
    seen: list[Any] = []
    for number in range(10):
        cluster.text("note", f"{number}")
        for reader in readers:
            seen += reader.converge()
    assert {each["type"] for each in seen} <= {"source", "subscribed", "batch"}, "nobody had to say hello again"
    for number, reader in enumerate(readers):
        cluster.text(f"note{number}", "x")
        assert command(reader, 1, cmd="close", data=f"note{number}", eid="main")["error"] is None
    assert cluster.windows().keys() == {"note"}


def test_connections_are_dealt_out(cluster: Cluster) -> None:
    readers = [OwnSocket(cluster, "env/main") for _ in range(40)]
    viewers = [each["viewers"] for each in cluster.relays().values()]
    assert sum(viewers) == 40
    assert min(viewers) >= 5
    for reader in readers:
        reader.close()


def test_a_viewer_is_served_with_a_login_and_below_a_path(tmp_path: Path) -> None:
    with Cluster(tmp_path, base_url="/vis", login=ADA, settings=PATIENT) as cluster:
        assert requests.get(cluster.url("/transport/status"), timeout=20).status_code in (400, 401)
        with OwnSocket(cluster, "env/main") as reader:
            cluster.text("note", "x")
            reader.converge()
        HoppingPoll(cluster, "env/main", cookies=cluster.http.cookies.get_dict()).converge()


# --- something dies ---


def test_a_relay_that_dies_is_started_again(cluster: Cluster) -> None:
    cluster.text("note", "x")
    reader: Any = HoppingPoll(cluster, "env/main")
    reader.converge()
    for pid in list(cluster.relays()):
        before = cluster.relays().keys()
        cluster.kill_relay(pid)
        until(lambda before=before: len(cluster.relays().keys() - before) == 1, "another one", seen=cluster.log_tail)
        until(lambda: len(cluster.relays()) == 2, "both are there", seen=cluster.log_tail)
    assert "ended (signal 9), and is started again in 0.1 s" in cluster.log()
    messages = until(lambda: [each for each in reader.poll(0.5) if each["type"] == "close"], "it is told to say hello again")
    assert messages[0]["code"] == 4003
    again = HoppingPoll(cluster, "env/main", replicas=reader.replicas, session=reader.welcome)
    assert again.welcome["session"] == reader.welcome["session"]
    cluster.text("note", "y")
    assert verdicts(opened(again) + again.converge())["env/main"] in ("resumed", "trimmed"), "the same life goes on"


def test_the_origin_is_started_again(cluster: Cluster) -> None:
    cluster.text("note", "x")
    until(lambda: cluster.origin_status()["durability"]["on_disk"], "all is on disk")
    before = cluster.origin_pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: len(cluster.relays()) == 2 and cluster.origin_pid() != before, "all are there", seen=cluster.log_tail)
    assert cluster.windows().keys() == {"note"}
    with OwnSocket(cluster, "env/main") as reader:
        reader.converge()


# --- its end ---


def test_sigterm_ends_all_of_them_the_origin_last(cluster: Cluster) -> None:
    pids = cluster.processes()
    with OwnSocket(cluster, "env/main") as reader:
        assert len(pids) == 3
        cluster.process.terminate()
        assert reader.expect_close() == 4001
    assert cluster.process.wait(60) == 0
    assert not any(map(command_of, pids))
    assert "started again" not in cluster.log()
    assert "the server saves and stops" in cluster.log()


def test_they_end_with_a_supervisor_that_is_killed(cluster: Cluster) -> None:
    assert len(cluster.processes()) == 3
    cluster.kill()  # which waits for all


# --- what cannot be ---


def test_a_port_that_is_taken(cluster: Cluster) -> None:
    result = run("--relays", "2", "-port", str(cluster.port))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"visdom-transport: cannot listen on port {cluster.port}: Address already in use\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--relays", "0"], "not a number of relays from 1 to 1000: '0'"),
        (["--relays=few"], "not a number of relays"),
        (["--relays", "2", "-ssl_certfile", "x"], "--relays serves no TLS"),
        (["--relays", "2", "-enable_login"], "-enable_login with --relays needs VISDOM_USE_ENV_CREDENTIALS=1"),
    ],
)
def test_what_it_cannot_do_is_said(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert said in result.stderr


def test_a_server_that_does_not_start_ends_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = run("--relays", "2", "-port", str(port), "-no_such_option")
    assert result.returncode == 1
    assert "no_such_option" in result.stderr
    assert "the server did not start: it ended (status 2)\n" in result.stderr


def test_help_tells_of_visdoms_options() -> None:
    result = run("--relays", "2", "--help")
    assert result.returncode == 0
    assert "--relays N" in result.stdout
    assert "serve -h" in result.stdout


def test_a_setting_that_cannot_be_used() -> None:
    result = run("--relays", "2", VISDOM_TRANSPORT_GRACE_S="x")
    assert result.returncode == 1
    assert "VISDOM_TRANSPORT_GRACE_S must be a number" in result.stderr
