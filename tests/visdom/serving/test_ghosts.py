"""Clients that freeze or die: they are gone in time, and no publisher ever notices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.own import OwnSocket
from tests.support.process import ServerProcess
from tests.support.wait import during, until

DEAD_AFTER_S = 2.0
GRACE_S = 1.5

CLIENTS = """
import asyncio, json, sys
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

port, count = int(sys.argv[1]), int(sys.argv[2])
own = "visdom-transport.v1"
AsyncHTTPClient.configure(None, max_clients=100)

async def follow(number):
    kind = number % 4
    if kind == 3:
        return await poll()
    socket = await websocket_connect(
        f"ws://127.0.0.1:{port}/{'vis_socket' if kind == 1 else 'socket'}", subprotocols=[own] if kind == 2 else None
    )
    if kind == 2:
        await socket.write_message(json.dumps({"type": "hello", "role": "browser", "feeds": {"env/main": None}}))
    ready()
    batches = 0
    while True:
        message = await socket.read_message()
        if message is None:
            return
        message = json.loads(message)
        if message.get("type") == "ping":
            await socket.write_message(json.dumps({"type": "pong"}))
        elif message.get("type") == "batch":
            batches += 1
            await socket.write_message(json.dumps({"type": "ack", "batches": batches}))

async def poll():
    async def post(body):
        request = HTTPRequest(f"http://127.0.0.1:{port}/transport/poll", method="POST", body=json.dumps(body))
        return json.loads((await AsyncHTTPClient().fetch(request)).body)["messages"]

    hello = {"type": "hello", "role": "browser", "feeds": {"env/main": None}}
    welcome = (await post({"link": None, "secret": None, "wait_s": 0, "feeds": {}, "messages": [hello]}))[0]
    ready()
    while True:
        feeds = {"env/main": None}
        await post({"link": welcome["link"], "secret": welcome["secret"], "wait_s": 5, "feeds": feeds, "messages": []})

def ready():
    print("ready", flush=True)

async def main():
    await asyncio.gather(*(follow(number) for number in range(count)))

asyncio.run(main())
"""


class Clients:
    """Clients of every kind in one process: pages and sources of stock, our protocol over both links."""

    def __init__(self, port: int, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CLIENTS, str(port), str(count)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        for _ in range(count):
            assert self._process.stdout.readline() == b"ready\n"

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServerProcess]:
    settings = {"heartbeat_s": 0.5, "dead_after_s": DEAD_AFTER_S, "poll_wait_s": 1.0, "grace_s": GRACE_S}
    with ServerProcess(tmp_path, settings=settings) as process:
        yield process


def linked(process: ServerProcess) -> int:
    return sum(session["link"] is not None for session in process.status()["sessions"])


def test_thirty_frozen_clients_are_detached_and_forgotten(process: ServerProcess) -> None:
    clients = Clients(process.port, 30)
    try:
        assert linked(process) == 30
        during(DEAD_AFTER_S + 1, lambda: linked(process) == 30, "clients that live stay")
        clients.signal(signal.SIGSTOP)
        frozen_at = time.monotonic()
        until(lambda: linked(process) == 0, "every link is ended", timeout_s=10, seen=process.status)
        assert time.monotonic() - frozen_at < DEAD_AFTER_S + 1.5
        until(lambda: not process.status()["sessions"], "every session is forgotten", timeout_s=10, seen=process.status)
        assert time.monotonic() - frozen_at < DEAD_AFTER_S + GRACE_S + 2.5
        assert set(process.status()["feeds"]) == {"events", "notifications"}
    finally:
        clients.kill()
    assert "ERROR" not in process.log(), process.log()


def test_subscribers_killed_in_a_storm_of_posts_fail_none(process: ServerProcess) -> None:
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
