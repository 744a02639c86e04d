"""Large environments are read in a thread: whoever asks for one waits, and nobody else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.wait import until
from visdom_transport.visdom.durability import reading

Serve = Callable[..., LocalServer]

TEXT = "x" * 1_000_000


class SlowReading:
    """Holds the parsing of large files until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.threads: list[threading.Thread] = []
        self._decode = reading.decode_stepwise

    def __call__(self, data: bytes) -> Any:
        if len(data) > 500_000:
            self.threads.append(threading.current_thread())
            self.begun.release()
            assert self.go_on.wait(20)
        return self._decode(data)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowReading]:
    slow = SlowReading()
    monkeypatch.setattr(reading, "decode_stepwise", slow)
    yield slow
    slow.go_on.set()


def put(folder: Path, eid: str, content: str = TEXT) -> None:
    window = {"command": "window", "id": "w", "title": "", "type": "text", "content": content, "contentID": "c", "i": 0}
    (folder / f"{eid}.json").write_text(json.dumps({"jsons": {"w": window}, "reload": {}}))


def window_exists(server: LocalServer) -> object:
    return server.post("/win_exists", {"win": "w", "eid": "large"}).text == "true"


def published(server: LocalServer) -> object:
    text = {"data": [{"type": "text", "content": "y"}], "win": "v", "eid": "large"}
    body = {"producer": "p", "first": 1, "messages": [{"endpoint": "events", "body": text}]}
    return server.post("/transport/publish", body).json()["applied"] == 1 and window_exists(server)


def shown(server: LocalServer) -> object:
    return server.http.get(server.url("/env/large"), timeout=20).status_code == 200


def forked(server: LocalServer) -> object:
    server.post("/fork_env", {"prev_eid": "large", "eid": "copy"})
    return server.post("/win_exists", {"win": "w", "eid": "copy"}).text == "true"


def updated(server: LocalServer) -> object:
    text = {"data": [{"type": "text", "content": "y"}], "win": "w", "eid": "large", "append": True}
    return server.post("/update", text).text == "w"


def subscribed(server: LocalServer) -> object:
    with OwnSocket(server, "env/large") as client:
        return client.welcome["type"] == "welcome" and window_exists(server)


def polled(server: LocalServer) -> object:
    return OwnPoll(server, "env/large").welcome["type"] == "welcome"


def compared(server: LocalServer) -> object:
    return OwnPoll(server, "compare/small+large").welcome["type"] == "welcome"


@pytest.mark.parametrize("appears_later", [False, True])
@pytest.mark.parametrize("ask", [window_exists, published, shown, forked, updated, subscribed, polled, compared])
def test_others_are_answered_while_it_is_read(
    serve: Serve, slow: SlowReading, tmp_path: Path, ask: Callable[[LocalServer], object], appears_later: bool
) -> None:
    folder = tmp_path / "envs"
    folder.mkdir()
    put(folder, "small", "x")
    if not appears_later:
        put(folder, "large")
    server = serve(folder)
    put(folder, "large")
    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask, server) for _ in range(2 if ask is window_exists else 1)]
        if not (ask is shown and not appears_later):
            assert slow.begun.acquire(timeout=10)
            assert server.post("/win_exists", {"win": "w", "eid": "small"}).text == "true"
            assert not asking[0].done()
        slow.go_on.set()
        assert all(each.result(20) for each in asking)
    assert len(slow.threads) <= 1, "it is read once"


def test_one_that_is_deleted_while_it_is_read_is_gone(serve: Serve, slow: SlowReading, tmp_path: Path) -> None:
    folder = tmp_path / "envs"
    folder.mkdir()
    server = serve(folder)
    put(folder, "large")
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(window_exists, server)
        assert slow.begun.acquire(timeout=10)
        (folder / "large.json").unlink()
        slow.go_on.set()
        assert asking.result(20) is False
    until(lambda: server.run(lambda: "large" not in server.app.state), "it is not there")
