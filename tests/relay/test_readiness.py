"""A relay is ready while it reads what its origin says."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.own import OwnSocket
from tests.support.relayed import RelayServer
from tests.support.server import VisdomServer
from tests.support.wait import until

DEAD_READER = """
import asyncio, signal, sys
from visdom_transport.relay import command, link

read = link.OriginLink.read
is_dead = False

async def read_or_hang(self):
    message = await read(self)
    while is_dead:
        await asyncio.sleep(0.05)
    return message

def planted(*_):
    global is_dead
    is_dead = not is_dead

link.OriginLink.read = read_or_hang
signal.signal(signal.SIGUSR1, planted)
sys.exit(command.main(sys.argv[1:]))
"""
"""A relay whose readers stop at the next message after SIGUSR1, and go on after another one."""


class PlantedRelay(RelayServer):
    def _command(self) -> list[str]:
        return ["-c", DEAD_READER, *super()._command()[3:]]


@pytest.fixture
def planted(origin: VisdomServer, tmp_path: Path) -> Iterator[PlantedRelay]:
    (tmp_path / "planted").mkdir()
    with PlantedRelay(tmp_path / "planted", origin) as relay:
        yield relay


def ask(server: VisdomServer, path: str = "readyz?verbose") -> tuple[int, str]:
    answer = requests.get(server.url(f"/transport/{path}"), timeout=20)
    return answer.status_code, answer.text


def until_ready(server: VisdomServer) -> None:
    until(lambda: ask(server)[0] == 200, "it is ready", seen=lambda: ask(server))


def until_red(server: VisdomServer, why: str) -> None:
    until(lambda: why in ask(server)[1] and ask(server)[0] == 503, f"it is red: {why}", seen=lambda: ask(server))


def test_it_is_ready_without_any_viewer(relay: RelayServer) -> None:
    until_ready(relay)
    assert ask(relay)[1].splitlines() == ["[+]stopping ok", "[+]loop ok", "[+]origin ok", "ready"]
    assert ask(relay, "livez") == (200, "alive\n")
    assert ask(relay, "healthz") == (200, "ready\n")


def test_without_its_origin_it_lives_and_is_not_ready(origin: VisdomServer, relay: RelayServer) -> None:
    until_ready(relay)
    origin.kill()
    until_red(relay, "[-]origin failed: the origin does not answer")
    assert ask(relay, "livez")[0] == 200
    origin.start()
    until_ready(relay)


def test_an_origin_that_says_nothing_is_noticed(origin: VisdomServer, relay: RelayServer) -> None:
    until_ready(relay)
    origin.process.send_signal(signal.SIGSTOP)
    until_red(relay, "[-]origin failed")
    origin.process.send_signal(signal.SIGCONT)
    until_ready(relay)


def test_a_reader_that_is_dead_is_noticed_though_its_sockets_are_open(origin: VisdomServer, planted: PlantedRelay) -> None:
    until_ready(planted)
    with OwnSocket(planted, "env/main"):
        planted.process.send_signal(signal.SIGUSR1)
        origin.text("w", "what the dead reader stops at")
        until_red(planted, "[-]origin failed: nothing was read from the origin for")
        assert planted.status()["origin"]["state"] == "here", "by its sockets all is well"
        planted.process.send_signal(signal.SIGUSR1)
        until_ready(planted)
