"""Nothing a client does, or fails to do, makes the server grow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.own import OwnPoll, OwnSocket
from tests.support.server import WITHOUT_PAGE, VisdomServer
from tests.support.stock_peers import StockPoll, StockSocket

MEGABYTE = 1_000_000
WINDOW_BYTES = 50_000
REPLACEMENTS = 2_000


def rss_bytes(process: VisdomServer) -> int:
    """Resident memory, now."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


@pytest.fixture
def process(tmp_path: Path) -> Iterator[VisdomServer]:
    # Who reads nothing answers no heartbeat either, and must be there until the end, however long this takes.
    with VisdomServer(tmp_path, program=WITHOUT_PAGE, settings={"dead_after_s": 300}) as process:
        yield process


def replace(process: VisdomServer, times: int) -> None:
    """Set the same large window again and again, each time to something else."""
    for number in range(times):
        text = f"{number:08d}" + "x" * (WINDOW_BYTES - 8)
        body = {"data": [{"type": "text", "content": text}], "win": "large", "eid": "main", "opts": {}}
        answer = process.post("/events", body)
        assert (answer.status_code, answer.text) == (200, "large")


@pytest.mark.parametrize("dialect", ["own", "stock"])
def test_replacements_that_nobody_reads_cost_nothing(process: VisdomServer, dialect: str) -> None:
    replace(process, 300)  # what the allocator and the modules take once
    if dialect == "own":
        with OwnSocket(process, "env/main", acknowledge=False, small=True):
            OwnPoll(process, "env/main")
            check(process)
    else:
        with StockSocket(process, small=True) as page:
            page.register()
            page.load("main")
            poll = StockPoll(process)
            process.post("/env/main", {"sid": poll.sid})
            poll.query()
            check(process)


def check(process: VisdomServer) -> None:
    assert len(process.status()["sessions"]) == 2
    replace(process, 200)
    before = rss_bytes(process)
    replace(process, REPLACEMENTS)
    growth = rss_bytes(process) - before
    links = [session["link"] for session in process.status()["sessions"]]
    assert links.count("websocket") == 1, "the WebSocket is there until the end"
    assert growth < 5 * MEGABYTE, f"grew by {growth / MEGABYTE:.1f} MB"


def test_closed_windows_and_left_environments_leave_nothing(process: VisdomServer) -> None:
    with OwnSocket(process, "env/main", "shared") as client:
        for round_number in range(3):
            for number in range(300):
                body = {"data": [{"type": "text", "content": "x" * 5_000}], "win": f"{round_number}-{number}", "eid": "main"}
                process.post("/events", body).raise_for_status()
            process.post("/close", {"win": None, "eid": "main"}).raise_for_status()
            client.converge()
            if round_number == 0:
                before = rss_bytes(process)
        # Closed windows can be brought back in 0.3.0, from disk.
        assert rss_bytes(process) - before < (8 if NEW_VISDOM else 5) * MEGABYTE
        assert process.status()["feeds"]["env/main"]["retained_bytes"] < MEGABYTE


def test_comparisons_and_feeds_nobody_follows_any_more_are_forgotten(process: VisdomServer) -> None:
    with OwnSocket(process) as client:
        for number in range(200):
            client.ask({"type": "subscribe", "feed": f"compare/main+{number}", "position": None}, "subscribed")
            client.send({"type": "unsubscribe", "feed": f"compare/main+{number}"})
        client.ask({"type": "ping"}, "pong")
        assert set(process.status()["feeds"]) == {"events", "notifications"}
