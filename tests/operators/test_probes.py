"""What a server answers when it is asked for its health."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.support.local import LocalServer
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.wait import until

Serve = Callable[..., LocalServer]


def ask(server: LocalServer, path: str, method: str = "GET") -> tuple[int, str]:
    """As a prober does: without any cookie."""
    answer = requests.request(method, server.url(f"/transport/{path}"), timeout=20)
    return answer.status_code, answer.text


def until_ready(server: LocalServer) -> None:
    until(lambda: ask(server, "readyz")[0] == 200, "it is ready", seen=lambda: ask(server, "readyz?verbose"))


def until_red(server: LocalServer, check: str) -> str:
    """Wait until a check fails. Returns its line."""

    def line() -> str | None:
        status, text = ask(server, "readyz?verbose")
        found = [line for line in text.splitlines() if line.startswith(f"[-]{check} failed")]
        assert not found or status == 503
        return found[0] if found else None

    return until(line, f"{check} is red", seen=lambda: ask(server, "readyz?verbose"))


@pytest.mark.parametrize("base_url", ["", "/vis"])
def test_who_asks_needs_no_login(serve: Serve, records: Records, base_url: str) -> None:
    records.expect("GET .*/transport/status")
    server = serve(login=ADA, base_url=base_url)
    until_ready(server)
    assert ask(server, "livez") == (200, "alive\n")
    for path in ("readyz", "healthz"):
        assert ask(server, path) == (200, "ready\n")
        assert ask(server, path, "HEAD") == (200, "")
    status, text = ask(server, "readyz?verbose")
    assert (status, text.splitlines()) == (200, ["[+]stopping ok", "[+]loop ok", "[+]journal ok", "ready"])
    assert requests.get(server.url("/transport/status"), timeout=20).status_code in (400, 401), "all else does need one"


def test_a_server_that_keeps_nothing_is_ready(serve: Serve) -> None:
    server = serve(settings={"journal": "off"})
    until(lambda: "[+]journal ok: off" in ask(server, "readyz?verbose")[1], "the journal is off")


def test_a_full_disk_is_seen_and_is_over_by_itself(serve: Serve, records: Records) -> None:
    records.ignore("cannot be written|can be written again")
    server = serve(settings={"journal_interval_s": 0.2})
    until_ready(server)
    files = server.app.transport.journal._files
    write = files._write

    def full(descriptor: int, data: bytes | memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    files._write = full
    server.text("w", "x")
    assert until_red(server, "journal") == "[-]journal failed: No space left on device"
    assert ask(server, "livez")[0] == 200, "to start it again would not help"
    files._write = write
    until_ready(server)


def test_a_directory_that_cannot_be_written_is_seen_though_nothing_changes(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    server = serve(tmp_path / "envs")
    until_ready(server)
    (tmp_path / "envs").rename(tmp_path / "away")
    (tmp_path / "envs").write_text("in its place")
    assert str(tmp_path) not in until_red(server, "journal")
    (tmp_path / "envs").unlink()
    (tmp_path / "away").rename(tmp_path / "envs")
    until_ready(server)


def test_a_loop_that_was_blocked_is_seen(serve: Serve) -> None:
    server = serve()
    until_ready(server)
    server.run(lambda: threading.Event().wait(1.8))
    assert "blocked for" in until_red(server, "loop")
    until_ready(server)


def test_a_server_that_stops_is_not_ready(serve: Serve) -> None:
    server = serve()
    until_ready(server)
    server.run(server.app.transport.operations.health.stop)
    assert ask(server, "readyz") == (503, "not ready: stopping\n")
    assert ask(server, "livez") == (200, "alive\n")
