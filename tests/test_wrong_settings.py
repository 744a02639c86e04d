"""Settings that cannot be used, each in a process of its own: no server starts with them, and clients are warned."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.server import VisdomServer
from tests.support.wait import until
from visdom_transport import __version__
from visdom_transport.visdom import flavour

HOOKED = "from visdom_transport import hook; hook.install(); "
SERVE = ("-c", HOOKED + "import runpy, sys; sys.argv[0] = 'visdom'; runpy.run_module('visdom.server', run_name='__main__')")


def python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VISDOM")}
    return subprocess.run([sys.executable, *arguments], env={**inherited, **environ}, capture_output=True, text=True, timeout=60)


WRONG = [
    ("VISDOM_TRANSPORT_READONLY_HTTP", "refused", "VISDOM_TRANSPORT_READONLY_HTTP must be one of allow, refuse, not 'refused'"),
    ("VISDOM_TRANSPORT_KEEP", "all", "VISDOM_TRANSPORT_KEEP must be one of newest, overview, not 'all'"),
    ("VISDOM_TRANSPORT_DETAIL", "all", "VISDOM_TRANSPORT_DETAIL must be one of screen, full, not 'all'"),
    ("VISDOM_TRANSPORT_GRACE_S", "x", "VISDOM_TRANSPORT_GRACE_S must be a number"),
    ("VISDOM_TRANSPORT_READONLY_HTP", "refuse", "the nearest is VISDOM_TRANSPORT_READONLY_HTTP"),
    ("visdom_transport_allowed_hosts", "a", "the nearest is VISDOM_TRANSPORT_ALLOWED_HOSTS"),
    ("VISDOM_TRANSPORT_ALLOWED_ORIGINS", "vis.example", "VISDOM_TRANSPORT_ALLOWED_ORIGINS must be origins"),
    ("VISDOM_TRANSPORT_ALLOWED_HOSTS", "http://vis.example", "VISDOM_TRANSPORT_ALLOWED_HOSTS must be host names"),
    ("VISDOM_TRANSPORT", "disabled", "VISDOM_TRANSPORT must be one of"),
    ("VISDOM_TRANSPORT_BACKGROUND", "maybe", "VISDOM_TRANSPORT_BACKGROUND must be one of"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG, ids=[name for name, _, _ in WRONG])
def test_the_server_does_not_start_and_says_why(tmp_path: Path, name: str, value: str, said: str) -> None:
    options = ("-port", str(free_port()), "-env_path", str(tmp_path))
    result = python(*SERVE, *options, **{name: value})
    assert result.returncode == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_starts_the_server_gets_an_error(tmp_path: Path) -> None:
    code = f"from visdom.server.run_server import start_server; start_server(port={free_port()}, env_path={str(tmp_path)!r})"
    result = python("-c", HOOKED + code, VISDOM_TRANSPORT_READONLY_HTTP="refused", VISDOM_TRANSPORT_JOURNAL_BYTES_PER="1")
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert "SettingsError: " in last
    assert "VISDOM_TRANSPORT_READONLY_HTTP must be one of" in last
    assert "VISDOM_TRANSPORT_JOURNAL_BYTES_PER is not a setting; the nearest is VISDOM_TRANSPORT_JOURNAL_BYTES_PER_S" in last


def test_a_client_warns_once_and_goes_on() -> None:
    code = "import visdom; [visdom.Visdom(send=False, use_incoming_socket=False) for _ in range(2)]; print('trains')"
    result = python("-c", HOOKED + code, VISDOM_TRANSPORT_BACKGROND="1")
    assert (result.returncode, result.stdout) == (0, "trains\n")
    assert result.stderr.count("VISDOM_TRANSPORT_BACKGROND is not a setting; the nearest is VISDOM_TRANSPORT_BACKGROUND") == 1


def test_a_program_that_has_nothing_to_do_with_visdom_hears_nothing() -> None:
    result = python("-c", HOOKED + "print('hello')", VISDOM_TRANSPORT_READONLY_HTTP="refused")
    assert (result.returncode, result.stdout, result.stderr) == (0, "hello\n", "")


def test_a_plain_visdom_does_not_mind() -> None:
    code = "import sys, visdom.server.app; assert 'visdom_transport.settings' not in sys.modules"
    result = python("-c", HOOKED + code, VISDOM_TRANSPORT="0", VISDOM_TRANSPORT_READONLY_HTTP="refused")
    assert (result.returncode, result.stderr) == (0, "")


def test_one_line_says_what_is_on_and_where(tmp_path: Path) -> None:
    with VisdomServer(tmp_path, base_url="/vis", settings={"loop": "asyncio"}) as server:
        expected = re.compile(
            rf"visdom-transport {re.escape(__version__)} is on: Visdom {flavour.recognise()}, WebSocket or polling, "
            rf"journal all in {re.escape(str(server.env_path))}/, http://localhost:{server.port}/vis/$",
            re.MULTILINE,
        )
        until(lambda: len(expected.findall(server.log_path.read_text())) == 1, "the line", seen=server.log_tail)


@pytest.mark.parametrize("given", ["/", "/vis/"])
def test_every_way_to_write_a_base_url_is_served(tmp_path: Path, given: str) -> None:
    code = f"""
import sys
{HOOKED}
from visdom.server.run_server import start_server
start_server(port=int(sys.argv[2]), env_path=sys.argv[4], base_url={given!r})
"""
    server = VisdomServer(tmp_path, program=("-c", code))
    server.base_url = "/vis" if "vis" in given else ""
    with server:
        assert server.get("/").status_code == 200
        assert server.get("/transport/status").status_code == 200


def test_a_slash_is_a_base_url_on_the_command_line(tmp_path: Path) -> None:
    server = VisdomServer(tmp_path, base_url="/")
    server.base_url = ""
    with server:
        assert server.get("/transport/status").status_code == 200
