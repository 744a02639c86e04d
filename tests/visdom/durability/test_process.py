"""Servers that are killed, told to stop, or cannot write; and what stock Visdom makes of their files."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
from visdom.utils import server_utils

from tests.support.raw import Closed
from tests.support.stock_peers import StockSocket
from tests.support.wait import until
from tests.visdom.durability.process import PublisherOfPoints, ServerProcess, creation, numbers_in, point


@pytest.fixture
def envs(tmp_path: Path) -> Path:
    folder = tmp_path / "envs"
    folder.mkdir()
    return folder


def check(server: ServerProcess, publisher: PublisherOfPoints) -> None:
    """Every number up to the applied one is there once, in order; no other is."""
    for eid in publisher.environments:
        windows = server.windows(eid) if publisher.applied else {}
        for win in windows:
            assert numbers_in(windows, win) == publisher.expected(eid, win), (eid, win)


def kill_often(envs: Path, kills: int, seed: int, **settings: object) -> None:
    rng = random.Random(seed)
    publisher = PublisherOfPoints([f"e{n}" for n in range(4)], rng)
    for life in range(kills + 1):
        with ServerProcess(envs, journal_interval_s=0.02, **settings) as server:
            publisher.resume(server)
            check(server, publisher)
            if life == kills:
                break
            # Now and then it is told to stop, so that the next one begins with a clean directory.
            end = rng.choice([server.process.kill] * 4 + [server.process.terminate])
            killer = threading.Timer(rng.uniform(0.0, 0.6), end)
            killer.start()
            try:
                while True:
                    publisher.make(rng.randrange(1, 40))
                    publisher.send(server)
                    if rng.random() < 0.3:
                        # Visdom's own save, in the middle of it all.
                        server.http.post(server.url("/save"), json={"data": publisher.environments}, timeout=10)
            except requests.RequestException:
                pass
            finally:
                killer.join()
                server.process.wait(30)
        for path in envs.glob("*.json"):
            content = json.loads(path.read_bytes())
            assert isinstance(content["jsons"], dict), "each file is whole at every moment"
    assert publisher.durable > 5 * kills, "the servers lived long enough to do something"
    assert not list(envs.glob("*.corrupt-*"))
    assert "set aside" not in server.log(), server.log()
    assert "was not used" not in server.log(), server.log()


def test_killed_at_random_moments(envs: Path) -> None:
    kill_often(envs, 12, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(4))
def test_killed_two_hundred_times(envs: Path, seed: int) -> None:
    kill_often(envs, 50, seed=seed + 10)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_saves_and_exits(envs: Path, how: signal.Signals) -> None:
    with ServerProcess(envs, journal_interval_s=60) as server:
        body = {"producer": "p", "first": 1, "messages": [creation("w", "fed"), *(point("w", n, "fed") for n in range(2, 30))]}
        assert server.post("/transport/publish", body).json()["durable"] == 0
        text = {"win": "t", "eid": "stock", "data": [{"type": "text", "content": "é \U0001f600 \u2028"}]}
        server.post("/events", text)
        expected = {eid: server.windows(eid) for eid in ("fed", "stock", "main")}
        with StockSocket(server) as viewer:
            assert server.end(how) == 0, server.log()
            with pytest.raises(Closed, match=r"^4001 going_away$"):
                list(iter(viewer.receive, "the close"))
    assert "Traceback" not in server.log()
    with ServerProcess(envs) as server:
        assert {eid: server.windows(eid) for eid in expected} == expected
        body = {"producer": "p", "first": 30, "messages": [point("w", 30, "fed")]}
        assert server.post("/transport/publish", body).json()["applied"] == 30
    with ServerProcess(envs, stock=True) as stock:
        assert stock.windows("stock") == expected["stock"]
        assert stock.windows("fed") == expected["fed"], "as it was saved; the journal is nothing to Visdom"


@pytest.mark.parametrize("stock", [True, False])
def test_switched_off_the_end_saves_what_visdom_saves(envs: Path, stock: bool) -> None:
    with ServerProcess(envs, stock=stock, journal="off") as server:
        if not stock:
            body = {"producer": "p", "first": 1, "messages": [creation("w", "e")]}
            assert server.post("/transport/publish", body).json()["durable"] is None
        server.post("/events", {"win": "t", "eid": "e", "data": [{"type": "text", "content": "a"}]})
        server.end(signal.SIGINT)
    assert (envs / "e.json").exists() == hasattr(server_utils, "notify")
    assert not (envs / ".transport").exists()


def test_what_comes_while_it_stops_is_refused(envs: Path) -> None:
    with ServerProcess(envs) as server:
        big = {"win": "w", "eid": "e", "data": [{"type": "text", "content": "x" * 10_000_000}]}
        for n in range(3):
            message = {"endpoint": "events", "body": {**big, "win": f"w{n}"}}
            server.post("/transport/publish", {"producer": "p", "first": n + 1, "messages": [message]})
        server.process.send_signal(signal.SIGTERM)
        refused = None
        late = {"win": "late", "data": [{"type": "text", "content": ""}]}
        try:
            while refused is None:
                answer = server.http.post(server.url("/events"), json=late, timeout=10)
                if answer.status_code != 200:
                    refused = answer
        except requests.RequestException:
            pass
        assert server.process.wait(30) == 0
        assert refused is not None
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "going_away")


def test_a_body_that_comes_while_it_stops_is_refused(envs: Path) -> None:
    """The headers came before: whatever is said to be applied has to be in what is saved."""
    with ServerProcess(envs) as server:
        for n in range(3):
            server.post("/events", {"win": f"w{n}", "eid": "e", "data": [{"type": "text", "content": "x" * 10_000_000}]})
        server.post("/transport/publish", {"producer": "p", "first": 1, "messages": [creation("fed", "fed")]})
        body = json.dumps({"producer": "p", "first": 2, "messages": [point("fed", 2, "fed")]}).encode()
        late = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        late.putrequest("POST", "/transport/publish")
        late.putheader("Content-Length", str(len(body)))
        late.endheaders()
        server.status()  # the server has read the headers by then
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.http.post(server.url("/close"), json={"win": "none"}, timeout=10).status_code == 503, "it stops")
        late.send(body)
        answer = late.getresponse()
        assert (answer.status, json.loads(answer.read())["error"]["code"]) == (503, "going_away")
        late.close()
        assert server.process.wait(30) == 0
    with ServerProcess(envs) as server:
        assert server.post("/transport/publish", json.loads(body)).json()["applied"] == 2
        assert numbers_in(server.windows("fed"), "fed") == [2]


def test_what_is_done_while_it_stops_is_saved_or_refused(envs: Path) -> None:
    """A large body is parsed in a thread; the signal comes before that, during it, or after it."""
    with ServerProcess(envs) as server:
        server.windows("main")
        body = json.dumps({"win": "w", "eid": "e", "data": [{"type": "text", "content": ["x"] * 1_000_000}]}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/events", body)
        server.status()  # most of the body is read by then
        server.process.send_signal(signal.SIGTERM)
        try:
            status = connection.getresponse().status
        except http.client.RemoteDisconnected:
            status = 0  # it took so long that nothing was said
        connection.close()
        assert server.process.wait(30) == 0
    assert status in (200, 503, 0)
    with ServerProcess(envs) as server:
        assert (status == 200) == ("e" in server.envs() and "w" in server.windows("e"))


def test_stock_visdom_reads_what_was_folded_while_it_ran(envs: Path) -> None:
    with ServerProcess(envs, journal_interval_s=0.05) as server:
        publisher = PublisherOfPoints(["a"], random.Random(3))
        publisher.make(200)
        while publisher.applied < len(publisher.messages):
            publisher.send(server)
        server.post("/save", {"data": ["a"]})
        expected = server.windows("a")
    with ServerProcess(envs, stock=True) as stock:
        assert stock.windows("a") == expected
        stock.post("/save", {"data": ["a"]})
    with ServerProcess(envs) as server:
        assert server.windows("a") == expected
        publisher.resume(server)


def test_a_disk_that_takes_no_larger_files(envs: Path) -> None:
    """The limit of the file size stands in for a full disk: writing fails in the middle of a block."""
    with ServerProcess(envs, journal_interval_s=0.05, file_bytes=60_000) as server:
        publisher = PublisherOfPoints(["a"], random.Random(4))
        publisher.make(20)
        publisher.send(server)
        until(lambda: publisher.resume(server) or publisher.durable == publisher.applied, "it is on disk", seen=server.durability)
        big = {"win": "big", "eid": "a", "data": [{"type": "text", "content": "x" * 100_000}]}
        publisher.messages.append({"endpoint": "events", "body": big})
        publisher.send(server)
        until(lambda: server.durability()["last_error"], "the error shows")
        publisher.make(10)
        publisher.send(server)
        assert publisher.durable < publisher.applied
        assert server.log().count("cannot be written") == 1
        publisher.messages.append({"endpoint": "close", "body": {"win": "big", "eid": "a"}})
        publisher.send(server)
        until(lambda: publisher.resume(server) or publisher.durable == publisher.applied, "it is on disk again", seen=server.log)
        # What was written is told before the journal is folded, the error is forgotten after it.
        until(lambda: server.durability()["last_error"] is None, "no error shows", seen=server.log)
    with ServerProcess(envs) as server:
        publisher.resume(server)
        check(server, publisher)


@pytest.mark.skipif(not hasattr(server_utils, "notify"), reason="0.2.4 has no experiments and comments")
def test_what_visdom_saves_besides_is_kept_with_the_points(envs: Path) -> None:
    """Visdom 0.3.0 reads an environment from disk, adds to it and saves it; or saves a copy, from another thread."""
    with ServerProcess(envs, journal_interval_s=0.05) as server:
        publisher = PublisherOfPoints(["a"], random.Random(6))
        for life in range(3):
            publisher.make(20)
            publisher.send(server)
            server.post("/experiments/log", {"eid": "a", "params": {f"p{life}": life}})
            with StockSocket(server) as viewer:
                viewer.send({"cmd": "update_comment", "eid": "a", "win": "w0", "data": f"comment {life}"})
                until(lambda life=life: server.windows("a")["w0"]["comment"] == f"comment {life}", "the comment is there")
        publisher.make(5)
        publisher.send(server)
        until(lambda: publisher.resume(server) or publisher.durable == publisher.applied, "it is on disk")
        check(server, publisher)
        expected = server.windows("a")
    with ServerProcess(envs) as server:
        publisher.resume(server)
        check(server, publisher)
        assert server.windows("a") == expected
        assert server.end(signal.SIGTERM) == 0
        assert "was not used" not in server.log()
    experiment = json.loads((envs / "a.json").read_bytes())["experiment"]
    assert {param["key"]: param["value"] for param in experiment["params"]} == {"p0": 0, "p1": 1, "p2": 2}, experiment


CORRUPT = ["not json", "null", "{}", "[]", '{"jsons": 7, "reload": {}}', '{"jsons": {"w": {"ty']


@pytest.mark.parametrize("content", CORRUPT)
def test_a_corrupt_file_stays_and_so_does_what_is_published(envs: Path, content: str) -> None:
    (envs / "main.json").write_text(content)
    messages = [creation("w", "main"), point("w", 2, "main")]
    with ServerProcess(envs) as server:
        body = {"producer": "p", "first": 1, "messages": messages}
        assert server.post("/transport/publish", body).json()["refused"] == []
        assert numbers_in(server.windows("main"), "w") == [2]
        assert server.end(signal.SIGTERM) == 0
        assert server.log().count("main.json") <= 2, "once when it was found, and once when the environment began"
    assert (envs / "main.json").read_text() == content
    with ServerProcess(envs) as server:
        assert numbers_in(server.windows("main"), "w") == [2]
        body = {"producer": "p", "first": 3, "messages": [point("w", 3, "main")]}
        assert server.post("/transport/publish", body).json()["applied"] == 3
    assert (envs / "main.json").read_text() == content
    assert sorted(path.name for path in envs.glob("*.*")) == [".transport", "main.json"]


@pytest.mark.parametrize("journal", ["all", "fed"])
def test_a_directory_stays_clean_when_nothing_changes_that_is_kept(envs: Path, journal: str) -> None:
    with ServerProcess(envs, journal=journal, journal_interval_s=0.05) as server:
        if journal == "fed":
            server.post("/events", {"win": "t", "data": [{"type": "text", "content": "a"}]})
        server.windows("main")
        assert server.durability()["on_disk"]
        assert not (envs / ".transport").exists()
        assert server.end(signal.SIGTERM) == 0
    left = [path.stat().st_size for path in envs.glob(".transport/*")]
    assert sum(left) < 200, "nothing is left in the journal, where what was not saved has passed through"
    assert bool(left) == (journal == "fed")
    assert set(json.loads((envs / "main.json").read_bytes())["jsons"]) == ({"t"} if journal == "fed" else set())


GUEST = """
import asyncio, signal, sys
from visdom.server.app import Application

async def notebook():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    Application(port=0, env_path=sys.argv[1])
    await asyncio.sleep(0.05)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before

asyncio.run(notebook())
"""

HOST = """
import signal, sys
from tornado.ioloop import IOLoop
from visdom.server.app import Application

mine = lambda *_: None
signal.signal(signal.SIGTERM, mine)
Application(port=0, env_path=sys.argv[1])
loop = IOLoop.current()
loop.call_later(0.05, loop.stop)
loop.start()
assert signal.getsignal(signal.SIGTERM) is mine
assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
"""


@pytest.mark.parametrize("program", [GUEST, HOST])
def test_signals_of_others_are_left_alone(envs: Path, program: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VISDOM")}
    command = [sys.executable, "-c", program, f"{envs}/"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
