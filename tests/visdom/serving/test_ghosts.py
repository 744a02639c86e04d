"""Clients that freeze or die: they are gone in time, and no publisher ever notices."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.own import OwnPoll, OwnSocket
from tests.support.raw import Closed
from tests.support.served import Served
from tests.support.server import WITHOUT_PAGE, VisdomServer
from tests.support.stock_peers import StockSocket
from tests.support.wait import during, until

DEAD_AFTER_S = 4.0
GRACE_S = 1.5
FOREVER_S = 60.0


def follow(server: Served, number: int, ready: Any) -> None:
    """A client of one kind: a page or a source of stock, or of our protocol over either link. It ends with its process."""
    if number % 4 == 3:
        poll = OwnPoll(server, "env/main")
        ready.release()
        while True:
            poll.poll(5)
    client = OwnSocket(server, "env/main") if number % 4 == 2 else StockSocket(server, "source" if number % 4 else "browser")
    ready.release()
    with contextlib.suppress(Closed, OSError):
        while True:
            if client.receive(FOREVER_S).get("type") == "ping":
                client.send({"type": "pong"})


def follow_all(port: int, count: int, ready: Any) -> None:
    for number in range(count):
        threading.Thread(target=follow, args=(Served(port), number, ready)).start()


class Clients:
    """Clients of every kind in one process."""

    def __init__(self, port: int, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        ready = context.Semaphore(0)
        self._process = context.Process(target=follow_all, args=(port, count, ready))
        self._process.start()
        for _ in range(count):
            assert ready.acquire(timeout=FOREVER_S)

    def signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[VisdomServer]:
    settings = {"heartbeat_s": 1.0, "dead_after_s": DEAD_AFTER_S, "poll_wait_s": 1.0, "grace_s": GRACE_S}
    with VisdomServer(tmp_path, program=WITHOUT_PAGE, settings=settings) as process:
        yield process


def linked(process: VisdomServer) -> int:
    return sum(session["link"] is not None for session in process.status()["sessions"])


def test_a_server_that_was_stopped_ends_nobody_for_it(process: VisdomServer) -> None:
    """What came meanwhile is not read yet when it goes on, and who only answers was not asked."""
    with OwnSocket(process, "env/main") as client, StockSocket(process) as page:
        page.register()
        os.kill(process.pid, signal.SIGSTOP)
        try:
            during(DEAD_AFTER_S + 1, lambda: client.send({"type": "ping"}) is None, "it says that it is there")
        finally:
            os.kill(process.pid, signal.SIGCONT)
        client.receive_type("pong")
        process.text("a", "hello")
        assert page.receive_command("window")["content"] == "hello"
        client.converge()
        assert process.status()["totals"]["closed_silent"] == 0
        assert linked(process) == 2


def test_thirty_frozen_clients_are_detached_and_forgotten(process: VisdomServer) -> None:
    clients = Clients(process.port, 30)
    try:
        assert linked(process) == 30
        during(DEAD_AFTER_S + 1, lambda: linked(process) == 30, "clients that live stay")
        clients.signal(signal.SIGSTOP)
        until(lambda: linked(process) == 0, "every link is ended", timeout_s=DEAD_AFTER_S + 10, seen=process.status)
        until(lambda: not process.status()["sessions"], "every session is forgotten", timeout_s=GRACE_S + 10, seen=process.status)
        assert set(process.status()["feeds"]) == {"events", "notifications"}
    finally:
        clients.kill()
    assert "ERROR" not in process.log(), process.log()


def test_subscribers_killed_in_a_storm_of_posts_fail_none(process: VisdomServer) -> None:
    stop = threading.Event()
    failures: list[str] = []
    posted = [0, 0, 0]

    def storm(lane: int) -> None:
        with requests.Session() as session:
            while not stop.is_set():
                win = f"w{lane}-{posted[lane] % 5}"
                body = {"data": [{"type": "text", "content": "x" * 20_000 + str(posted[lane])}], "win": win, "eid": "main"}
                answer = session.post(process.url("/events"), json=body, timeout=20)
                if (answer.status_code, answer.text) != (200, win):
                    failures.append(f"{answer.status_code} {answer.text[:100]}")
                if posted[lane] % 50 == 49:
                    answer = session.post(process.url("/close"), json={"win": None, "eid": "main"}, timeout=20)
                    if answer.status_code != 200:
                        failures.append(f"close {answer.status_code}")
                posted[lane] += 1

    threads = [threading.Thread(target=storm, args=(lane,)) for lane in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            clients = Clients(process.port, 12)
            seen = sum(posted)
            until(lambda seen=seen: sum(posted) > seen + 50, "the storm goes on")  # type: ignore[misc]
            clients.kill()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert sum(posted) > 200
    until(lambda: linked(process) == 0, "no link is left", timeout_s=10, seen=process.status)
    with OwnSocket(process, "env/main") as client:
        client.converge()
    log = process.log()
    assert "never retrieved" not in log
    assert "Traceback" not in log, log[-3000:]
    assert "ERROR" not in log, log[-3000:]
