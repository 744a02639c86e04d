"""Servers as a program starts them: in a thread, several at once, in a process of their own."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop
from visdom.server.run_server import start_server

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.ports import free_port
from tests.support.records import Records
from tests.support.served import Served
from tests.support.server import WITHOUT_PAGE, VisdomServer
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
        notebook = Served(port)
        with OwnSocket(notebook, "env/main") as client, StockSocket(notebook) as page:
            page.register()
            body = {"data": [{"type": "text", "content": "hello"}], "win": "a", "eid": "main"}
            assert notebook.post("/events", body).text == "a"
            client.converge()
            assert page.receive_command("window")["content"] == "hello"
        notebook.disconnect()
    finally:
        if loops:
            loops[0].add_callback(loops[0].stop)
        thread.join(10)
    assert not thread.is_alive()


def test_start_server_called_from_a_program(tmp_path: Path) -> None:
    with VisdomServer(tmp_path, program=WITHOUT_PAGE) as process:
        with OwnSocket(process, "env/main") as client:
            process.post("/events", {"data": [{"type": "text", "content": "hello"}], "win": "a", "eid": "main"})
            client.converge()
        assert process.status()["sessions"][0]["resumes"] == 0
        assert "Traceback" not in process.log()


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 saves nothing at its end")
def test_the_observed_state_is_saved_at_exit(tmp_path: Path) -> None:
    with VisdomServer(tmp_path, program=WITHOUT_PAGE) as process:
        process.post("/events", {"data": [{"type": "text", "content": "kept"}], "win": "a", "eid": "main"})
        assert process.end(signal.SIGINT) == 0
    saved = json.loads((tmp_path / "envs" / "main.json").read_text())
    assert saved["jsons"]["a"]["content"] == "kept"


@pytest.mark.parametrize(
    ("given", "base"), [("/", ""), ("/vis", "/vis"), ("/vis/", "/vis"), ("vis", "/vis"), ("//vis//", "/vis"), ("/a/b/", "/a/b")]
)
def test_a_base_url_may_end_with_a_slash_or_begin_without_one(serve: Serve, given: str, base: str) -> None:
    server = serve(base_url=given)
    server.base_url = base
    server.text("a", "hello")
    with OwnSocket(server, "env/main") as client:
        client.converge()
    assert server.get("/").status_code == server.get("/transport/status").status_code == 200


def test_the_option_base_url_may_end_with_a_slash(tmp_path: Path) -> None:
    process = VisdomServer(tmp_path, base_url="/vis/")
    with process:
        process.base_url = "/vis"
        process.text("a", "hello")
        with OwnSocket(process, "env/main") as client:
            client.converge()
        page = process.get("/env/main")
        assert page.status_code == 200
        script = re.search(r'src="?([^" >]*main\.js[^" >]*)', page.text)
        assert script is not None
        assert process.http.get(f"http://127.0.0.1:{process.port}{script[1]}", timeout=20).status_code == 200
        assert f":{process.port}/vis/\n" in process.log()


def test_a_client_that_comes_back_to_a_new_process_is_brought_up_to_date(tmp_path: Path) -> None:
    with VisdomServer(tmp_path, program=WITHOUT_PAGE) as process:
        for win in "abc":
            process.post("/events", {"data": [{"type": "text", "content": win}], "win": win, "eid": "main"})
        process.post("/save", {"data": ["main"]})
        with OwnSocket(process, "env/main") as client:
            client.converge()
        server_id = client.welcome["server"]
    with VisdomServer(tmp_path, program=WITHOUT_PAGE) as process:
        process.post("/events", {"data": [{"type": "text", "content": "changed"}], "win": "b", "eid": "main"})
        with OwnSocket(process, replicas=client.replicas, session=client.welcome) as again:
            assert again.welcome["resumed"] is False
            assert again.welcome["server"] != server_id
            messages = again.converge()
        sent = [entry["key"] for message in messages if message["type"] == "batch" for entry in message["entries"]]
        assert sent == ["b"], "what the client holds is true"
