"""Servers as a program starts them: in a thread, several at once, in a process of their own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from tornado.ioloop import IOLoop
from visdom.server.run_server import start_server

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.ports import free_port
from tests.support.process import ServerProcess
from tests.support.records import Records
from tests.support.stock_peers import StockSocket

Serve = Callable[..., LocalServer]


def test_two_servers_in_one_process_know_nothing_of_each_other(serve: Serve) -> None:
    one, two = serve(), serve(base_url="/two", readonly=True)
    with OwnSocket(one, "shared", "env/main") as first, OwnSocket(two, "shared", "env/main") as second:
        assert (first.welcome["readonly"], second.welcome["readonly"]) == (False, True)
        assert first.welcome["server"] == second.welcome["server"], "it names the process"
        one.text("a", "one")
        two.text("b", "two")
        first.converge()
        second.converge()
        assert (list(first.replicas.state("env/main")), list(second.replicas.state("env/main"))) == (["a"], ["b"])
        one.text("x", "x", eid="new")
        first.until(lambda: "new" in first.replicas.state("shared").get("envs", []), "it is listed")
        second.until(lambda: bool(second.replicas.state("shared")), "shared arrives")
        assert second.replicas.state("shared")["envs"] == ["main"]
        assert len(one.sessions()) == len(two.sessions()) == 1
    # A session of one is nobody to the other.
    stranger = OwnPoll(two, session=first.welcome)
    assert stranger.welcome["resumed"] is False


def test_settings_belong_to_each_application(serve: Serve) -> None:
    one, two = serve(settings={"grace_s": 1}), serve(settings={"grace_s": 2})
    assert OwnPoll(one).welcome["grace_s"] == 1
    assert OwnPoll(two).welcome["grace_s"] == 2


def test_start_server_in_a_thread_of_a_notebook(tmp_path: Path, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    # 0.3.0 would save into a directory that is gone by then.
    monkeypatch.setattr("atexit.register", lambda *arguments: None)
    port = free_port()
    started = threading.Event()
    loops: list[IOLoop] = []

    def serve() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loops.append(IOLoop.current())
        loop.call_soon(started.set)
        start_server(port=port, env_path=f"{tmp_path}/", base_url="", bind_local=True, print_func=lambda port: None)
        loop.run_until_complete(loop.shutdown_default_executor())
        loops[0].close(all_fds=True)  # Visdom keeps no server that could be closed: its listening socket is left

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert started.wait(10)
        notebook = Address(port)
        with OwnSocket(notebook, "env/main") as client, StockSocket(notebook) as page:
            page.register()
            body = {"data": [{"type": "text", "content": "hello"}], "win": "a", "eid": "main"}
            assert notebook.post("/events", body).text == "a"
            client.converge()
            assert page.receive_command("window")["content"] == "hello"
        notebook.http.close()
    finally:
        if loops:
            loops[0].add_callback(loops[0].stop)
        thread.join(10)
    assert not thread.is_alive()


class Address:
    """A server that is known by its port only."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.http = requests.Session()

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def post(self, path: str, body: Any) -> requests.Response:
        return self.http.post(self.url(path), data=json.dumps(body), timeout=10)

    def get(self, path: str) -> requests.Response:
        return self.http.get(self.url(path), timeout=10)

    def windows(self, eid: str = "main") -> dict[str, Any]:
        windows: dict[str, Any] = self.post("/win_data", {"win": None, "eid": eid}).json()
        return windows


def test_start_server_called_from_a_program(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as process:
        with OwnSocket(process, "env/main") as client:
            process.post("/events", {"data": [{"type": "text", "content": "hello"}], "win": "a", "eid": "main"})
            client.converge()
        assert process.status()["sessions"][0]["resumes"] == 0
        assert "Traceback" not in process.log()


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 saves nothing at its end")
def test_the_observed_state_is_saved_at_exit(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as process:
        process.post("/events", {"data": [{"type": "text", "content": "kept"}], "win": "a", "eid": "main"})
        process.interrupt()
    saved = json.loads((tmp_path / "envs" / "main.json").read_text())
    assert saved["jsons"]["a"]["content"] == "kept"


def test_a_client_that_comes_back_to_a_new_process_is_brought_up_to_date(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as process:
        for win in "abc":
            process.post("/events", {"data": [{"type": "text", "content": win}], "win": win, "eid": "main"})
        process.post("/save", {"data": ["main"]})
        with OwnSocket(process, "env/main") as client:
            client.converge()
        server_id = client.welcome["server"]
    with ServerProcess(tmp_path) as process:
        process.post("/events", {"data": [{"type": "text", "content": "changed"}], "win": "b", "eid": "main"})
        with OwnSocket(process, replicas=client.replicas, session=client.welcome) as again:
            assert again.welcome["resumed"] is False
            assert again.welcome["server"] != server_id
            messages = again.converge()
        sent = [entry["key"] for message in messages if message["type"] == "batch" for entry in message["entries"]]
        assert sent == ["b"], "what the client holds is true"
