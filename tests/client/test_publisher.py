"""The publisher against a real server: what Visdom's methods leave there, and what the network and the end of a process do."""

from __future__ import annotations

import gc
import json
import logging
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import visdom
from visdom import Visdom

from tests.client.publishers import TIMEOUT_S, Connect, append, xs
from tests.support.local import LocalServer
from tests.support.ports import free_port
from tests.support.proxy import FaultProxy
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.server import WITHOUT_PAGE, VisdomServer
from tests.support.wait import until
from visdom_transport.client import Publisher, background
from visdom_transport.client.asking.connection import Connection
from visdom_transport.settings import unknown_variables

# Visdom's own client, at several places.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

Serve = Callable[..., LocalServer]

SETTINGS = {"journal_interval_s": 0.05}


@pytest.fixture
def server(serve: Serve) -> LocalServer:
    """A server that writes to its disk soon."""
    return serve(settings=SETTINGS)


# --- what arrives ---


def test_the_same_windows_as_with_visdoms_own_client(server: LocalServer, connect: Connect) -> None:
    ours = connect(server.port, env="ours")
    own = Visdom(server="http://127.0.0.1", port=server.port, use_incoming_socket=False, env="own", raise_exceptions=True)
    for vis in (own, ours):
        random = np.random.default_rng(0)
        vis.text("hello", win="text")
        vis.text("more", win="text", append=True)
        vis.text("even more", win="text", append=True)
        vis.line(Y=random.random((5, 2)), win="lines", opts={"title": "Lines", "legend": ["a", "b"]})
        for x in range(5, 9):
            vis.line(X=np.full((1, 2), x), Y=random.random((1, 2)), win="lines", update="append", opts={"legend": ["a", "b"]})
        for x in range(4):
            append(vis, x)
        vis.line(X=np.arange(3), Y=np.arange(3), win="loss", name="b", update="append")
        vis.line(X=np.arange(3), Y=np.arange(3) + 1, win="loss", name="b", update="replace")
        vis.scatter(X=random.random((6, 2)), Y=[1, 1, 2, 2, 3, 3], win="scatter")
        vis.update_window_opts("lines", {"title": "New", "legend": ["c", "d"]})
        vis.image(np.zeros((3, 4, 4)), win="image")
        vis.image(np.ones((3, 4, 4)), win="image", opts={"caption": "c"})
        for caption in "xyz":
            vis.image(np.ones((3, 4, 4)), win="history", opts={"caption": caption, "store_history": True})
        vis.heatmap(random.random((2, 2)), win="heat")
        vis.heatmap(random.random((1, 2)), win="heat", update="appendRow")
        vis.bar(X=[1, 2, 3], win="bar")
        vis.histogram(random.random(20), win="histogram")
        vis.properties([{"type": "text", "name": "n", "value": "v"}], win="properties")
        vis.text("gone", win="gone")
        vis.close("gone")
        vis.line(X=np.arange(3), Y=np.arange(3), win="loss", name="b", update="remove")
    own.session.close()
    assert ours.flush(TIMEOUT_S)
    expected, windows = server.windows("own"), server.windows("ours")
    for window in [*expected.values(), *windows.values()]:
        for member in ("contentID", "version"):
            window.pop(member, None)
    assert windows == expected
    assert ours.counters.coalesced > 0
    assert ours.counters.refused == 0


def test_windows_may_be_numbered(server: LocalServer, connect: Connect) -> None:
    vis = connect(server.port)
    for x in range(20):
        assert append(vis, x, win=2) == "2"
    assert vis.win_exists(2)
    assert vis.text("a", win=3) == "3"
    assert vis.flush(TIMEOUT_S)
    assert vis.counters.coalesced > 0
    assert xs(server.windows("main"), "2") == list(range(20))
    vis.close(3)
    assert not vis.win_exists("3")


def test_a_window_without_a_name_gets_one(server: LocalServer, connect: Connect) -> None:
    vis = connect(server.port)
    made = [vis.text("a"), vis.text("b")]
    assert vis.flush(TIMEOUT_S)
    assert sorted(server.windows()) == sorted(made)


def test_answers_know_what_was_published_before(server: LocalServer, connect: Connect) -> None:
    vis = connect(server.port, env="e")
    for x in range(5):
        append(vis, x)
    assert xs({"loss": json.loads(vis.get_window_data("loss"))}) == [0, 1, 2, 3, 4]
    assert vis.win_exists("loss") is True
    vis.close("loss")
    assert vis.win_exists("loss") is False
    vis.text("t", win="t")
    assert "t" in json.loads(vis.get_window_data())
    assert vis.save(["e"])


def test_an_environment_is_made_although_nothing_is_published(server: LocalServer, connect: Connect) -> None:
    vis = connect(server.port, env="empty")
    assert vis.flush(TIMEOUT_S)
    assert "empty" in server.app.state


def test_threads_may_share_one(server: LocalServer, connect: Connect) -> None:
    vis = connect(server.port)

    def work(name: str) -> None:
        for x in range(100):
            append(vis, x, win=name)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vis.flush(TIMEOUT_S)
    windows = server.windows()
    assert len(windows) == 6
    assert all(xs(windows, win) == [*range(100)] for win in windows)


def test_login_and_base_url(serve: Serve, connect: Connect) -> None:
    server = serve(login=ADA, base_url="/base", settings=SETTINGS)
    vis = connect(server.port, base_url="/base", username=ADA.username, password=ADA.password)
    vis.text("hello", win="w")
    assert vis.flush(TIMEOUT_S)
    assert list(server.windows()) == ["w"]


def test_a_refusal_is_logged_once_per_cause(server: LocalServer, connect: Connect, records: Records, caplog: Any) -> None:
    records.expect("refused a message to /events for window 'w' of environment 'main': layout: a plot needs a layout object")
    vis = connect(server.port)
    for _ in range(3):
        vis._send({"data": [{"type": "scatter"}], "win": "w"})
    vis.text("fine", win="v")
    assert vis.flush(TIMEOUT_S)
    assert vis.counters.refused == 3
    assert vis.finish(TIMEOUT_S)
    assert len([record for record in caplog.records if "refused" in record.getMessage()]) == 1
    assert list(server.windows()) == ["v"]


def test_without_sending_and_offline_it_is_visdoms_own(tmp_path: Path, connect: Connect) -> None:
    vis = connect(free_port(), send=False)
    message, endpoint = vis.text("a", win="w")
    assert (message["win"], endpoint) == ("w", "events")
    log = tmp_path / "log"
    vis = connect(free_port(), offline=True, log_to_filename=str(log))
    assert vis.text("a", win="w") == "w"
    assert vis.flush(0)
    assert vis.counters.calls == 0
    assert json.loads(log.read_text())[0] == "events"


def test_what_is_published_is_logged_to_a_file_too(server: LocalServer, connect: Connect, tmp_path: Path) -> None:
    vis = connect(server.port, log_to_filename=str(tmp_path / "log"))
    append(vis, 1)
    append(vis, 2)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line)[0] for line in lines] == ["events", "update"]


# --- appends need no question ---


def test_an_append_asks_at_most_once(server: LocalServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []
    ask = Connection.exists

    def exists(self: Connection, window: tuple[str, str | None], *more: Any) -> bool:
        asked.append(window[1])
        return ask(self, window, *more)

    monkeypatch.setattr(Connection, "exists", exists)
    server.plot("old", [1, 2], eid="e")
    vis = connect(server.port, env="e")
    for x in range(3):
        append(vis, x, win="old")
        append(vis, x, win="new")
    vis.line(Y=np.arange(2), win="made")
    append(vis, 5, win="made")
    assert asked == ["old", "new"]
    vis.close("made")
    append(vis, 6, win="made")
    assert asked == ["old", "new"]
    vis.delete_env("e")
    append(vis, 7, win="made")
    assert asked == ["old", "new", "made"]
    assert vis.flush(TIMEOUT_S)
    windows = server.windows("e")
    assert (xs(windows, "made"), windows["made"]["title"], list(windows)) == ([7], "Loss", ["made"])


def test_after_closing_all_an_append_makes_a_new_window(server: LocalServer, connect: Connect) -> None:
    server.plot("old", [1, 2])
    vis = connect(server.port)
    append(vis, 1)
    vis.close()
    append(vis, 2)
    append(vis, 3, win="old")
    assert vis.flush(TIMEOUT_S)
    windows = server.windows()
    assert {win: (xs(windows, win), windows[win]["title"]) for win in windows} == {"loss": ([2], "Loss"), "old": ([3], "Loss")}


# --- the network ---


def test_calls_return_at_once_while_the_server_is_away(
    server: LocalServer, proxy: FaultProxy, connect: Connect, records: Records, caplog: Any
) -> None:
    records.expect("cannot be reached")
    records.expect("is back after")
    proxy.refuse()
    vis = connect(proxy.port, env="e")
    began = time.monotonic()
    vis.line(Y=np.array([0.0]), X=np.array([0.0]), win="loss", name="a", opts={"title": "Loss"})
    for x in range(1, 200):
        append(vis, x)
    assert time.monotonic() - began < 15
    until(lambda: caplog.records, "a warning")
    assert not vis.flush(0.01)
    counters = vis.counters
    assert (counters.calls, counters.sent) == (200, 0)
    assert 0 < counters.queued_bytes < 20_000
    proxy.accept()
    assert vis.flush(TIMEOUT_S)
    assert xs(server.windows("e")) == [*range(200)]
    assert len(caplog.records) == 2, [record.getMessage() for record in caplog.records]


def test_what_is_saved_while_the_server_is_away_is_saved_when_it_is_back(
    server: LocalServer, proxy: FaultProxy, connect: Connect, records: Records, caplog: Any
) -> None:
    records.expect("cannot be reached")
    records.expect("is back after")
    vis = connect(proxy.port, env="e", raise_exceptions=True)
    append(vis, 0)
    assert json.loads(vis.save(["e"])) == ["e"]
    proxy.refuse()
    proxy.cut()
    append(vis, 1)
    until(lambda: caplog.records, "a warning")
    assert json.loads(vis.save(["e"])) == ["e"]
    append(vis, 2)
    assert server.env_path is not None
    saved = server.env_path / "e.json"
    assert xs(json.loads(saved.read_bytes())["jsons"]) == [0]
    proxy.accept()
    assert vis.flush(TIMEOUT_S)
    assert xs(json.loads(saved.read_bytes())["jsons"])[:2] == [0, 1]


def test_cuts_neither_lose_nor_double(server: LocalServer, proxy: FaultProxy, connect: Connect) -> None:
    logging.getLogger("visdom_transport.client").setLevel(logging.ERROR)
    try:
        vis = connect(proxy.port)
        for x in range(600):
            append(vis, x)
            vis._send({"type": "embedding", "x": x, "y": 0, "win": "points"}, endpoint="embedding")
            if x % 30 == 29:
                until(lambda: vis.counters.sent, "something is sent")
                proxy.cut()
        assert vis.flush(TIMEOUT_S)
    finally:
        logging.getLogger("visdom_transport.client").setLevel(logging.NOTSET)
    windows = server.windows()
    assert xs(windows) == [*range(600)]
    assert xs(windows, "points") == [*range(600)]


def test_a_reply_lost_after_the_request_arrived(server: LocalServer, proxy: FaultProxy, connect: Connect) -> None:
    vis = connect(proxy.port)
    append(vis, 0)
    assert vis.flush(TIMEOUT_S)
    proxy.blackhole("down")
    append(vis, 1)
    until(lambda: xs(server.windows()) == [0, 1], "the request has arrived")
    append(vis, 2)
    proxy.heal()
    proxy.cut()
    assert vis.flush(TIMEOUT_S)
    assert xs(server.windows()) == [0, 1, 2]
    assert vis.counters.resent > 0


@pytest.mark.parametrize("option", [{"on_full": "wait"}, {"when_full": "block"}])
def test_a_full_outbox_waits_until_there_is_room(
    server: LocalServer, proxy: FaultProxy, connect: Connect, records: Records, option: dict[str, str]
) -> None:
    records.expect("so calls wait")
    records.expect("cannot be reached")
    records.expect("is back")
    proxy.refuse()
    vis = connect(proxy.port, max_bytes=3_000, **option)
    done = publishing(vis, 50)
    until(lambda: records.has("so calls wait") and records.has("cannot be reached"), "a full outbox, and no server")
    assert not done.is_set()
    proxy.accept()
    assert done.wait(TIMEOUT_S)
    assert vis.flush(TIMEOUT_S)
    assert len(server.windows()) == 50


def publishing(vis: Publisher, count: int) -> threading.Event:
    """Makes windows in a thread; the event is set when all calls have returned."""
    done = threading.Event()

    def work() -> None:
        for number in range(count):
            vis.text("x" * 200, win=f"w{number}")
        done.set()

    threading.Thread(target=work, daemon=True).start()
    return done


def test_a_server_that_takes_what_it_is_sent_is_waited_for(server: LocalServer, connect: Connect, records: Records) -> None:
    records.expect("so calls wait")
    vis = connect(server.port, max_bytes=3_000)
    assert publishing(vis, 100).wait(TIMEOUT_S)
    assert vis.flush(TIMEOUT_S)
    assert (len(server.windows()), vis.counters.dropped) == (100, 0)


def test_a_silent_server_is_waited_for_once(
    server: LocalServer, proxy: FaultProxy, connect: Connect, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    for expected in ("so calls wait", "oldest calls are lost", "are lost: there was no room"):
        records.expect(expected)
    monkeypatch.setattr("visdom_transport.client.sender.ANSWER_TIMEOUT_S", 2.0)
    proxy.blackhole()
    vis = connect(proxy.port, max_bytes=3_000)
    assert publishing(vis, 100).wait(TIMEOUT_S)
    dropped = vis.counters.dropped
    assert dropped > 50
    proxy.heal()
    proxy.cut()
    assert vis.flush(TIMEOUT_S)
    assert vis.counters.dropped == dropped
    # Then there is room again, and nothing is lost.
    assert publishing(vis, 50).wait(TIMEOUT_S)
    assert vis.flush(TIMEOUT_S)
    assert vis.counters.dropped == dropped


def test_a_server_that_writes_nothing_is_not_waited_for_for_ever(
    server: LocalServer, connect: Connect, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.expect("so calls wait")
    monkeypatch.setattr("visdom_transport.client.sender.DURABLE_TIMEOUT_S", 0.5)
    publish = Connection.publish

    def undurable(self: Connection, request: Any) -> dict[str, Any]:
        return publish(self, request) | {"durable": 0}

    # For no longer than it is looked at: who is told nothing goes on asking, and would miss the server that this test ends.
    with monkeypatch.context() as patched:
        patched.setattr(Connection, "publish", undurable)
        vis = connect(server.port, max_bytes=3_000)
        assert publishing(vis, 100).wait(TIMEOUT_S)
        assert vis.flush(TIMEOUT_S)
        assert (len(server.windows()), vis.counters.dropped) == (100, 0)
        assert vis.counters.queued_bytes <= 3_000


@pytest.mark.parametrize("name", ["on_full", "when_full"])
def test_a_full_outbox_drops_and_says_so(
    server: LocalServer, proxy: FaultProxy, connect: Connect, records: Records, name: str
) -> None:
    for expected in ("oldest calls are lost", "cannot be reached", "is back", "are lost: there was no room"):
        records.expect(expected)
    proxy.refuse()
    vis = connect(proxy.port, max_bytes=3_000, **{name: "drop"})
    for number in range(50):
        vis.text("x" * 200, win=f"w{number}")
    until(lambda: vis._sender is not None and vis._sender._outage.failures >= 2, "the server is missed")
    proxy.accept()
    assert vis.flush(TIMEOUT_S)
    windows = list(server.windows())
    assert windows == [f"w{number}" for number in range(50 - len(windows), 50)]
    assert vis.counters.dropped == 50 - len(windows) > 0


def test_a_full_outbox_spills(server: LocalServer, proxy: FaultProxy, connect: Connect, records: Records, tmp_path: Path) -> None:
    records.expect("cannot be reached")
    records.expect("is back")
    proxy.refuse()
    directory = tmp_path / "spill"
    directory.mkdir()
    vis = connect(proxy.port, max_bytes=3_000, on_full="spill", spill_dir=directory)
    for number in range(200):
        vis.text("x" * 200, win=f"w{number}")
    counters = vis.counters
    assert counters.queued_bytes <= 3_000
    assert counters.spilled_bytes > 30_000
    assert not list(directory.iterdir()), "the file has no name"
    until(lambda: vis._sender is not None and vis._sender._outage.failures >= 2, "the server is missed")
    proxy.accept()
    assert vis.flush(TIMEOUT_S)
    assert list(server.windows()) == [f"w{number}" for number in range(200)]


def test_a_server_without_the_package_gets_visdoms_own_requests(tmp_path: Path, connect: Connect, records: Records) -> None:
    records.expect("refused a message to /events for window 'bad'")
    records.expect("has no visdom-transport")
    with VisdomServer(tmp_path, stock=True, program=WITHOUT_PAGE) as stock:
        vis = connect(stock.port, env="e")
        for x in range(5):
            append(vis, x)
        vis._send({"data": [], "win": "bad"})
        vis.text("t", win="t")
        assert vis.flush(TIMEOUT_S)
        windows = json.loads(vis.get_window_data())
        assert (xs(windows), windows["t"]["content"]) == ([0, 1, 2, 3, 4], "t")
        assert vis.counters.refused == 1
        assert vis.finish(TIMEOUT_S)


# --- its life ---


def test_finish_ends_the_thread_and_publishing_again_begins_another(server: LocalServer, connect: Connect) -> None:
    before = publisher_threads()
    with connect(server.port) as vis:
        vis.text("a", win="a")
    assert list(server.windows()) == ["a"]
    until(lambda: publisher_threads() == before, "the thread ends; what is left of the exit's time is not waited for")
    vis.text("b", win="b")
    assert vis.finish(TIMEOUT_S)
    assert list(server.windows()) == ["a", "b"]
    assert publisher_threads() == before


def test_a_forgotten_publisher_ends_when_all_is_sent(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("visdom"), "disabled", True)
    # Visdom 0.3.0 keeps a thread that refers to its client for ever.
    monkeypatch.setattr(Publisher, "_start_session_reaper", lambda self: None, raising=False)
    before = publisher_threads()
    Publisher(server="http://127.0.0.1", port=server.port, use_incoming_socket=False).text("a", win="a")
    gc.collect()
    until(lambda: publisher_threads() == before, "the thread ends")
    assert list(server.windows()) == ["a"]


def publisher_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "visdom-publisher"]


def test_options_are_checked() -> None:
    both = {"when_full": "drop", "on_full": "drop"}
    for options in (
        {"when_full": "explode"},
        {"on_full": "block up"},
        both,
        {"max_bytes": 0},
        {"max_bytes": 1.5},
        {"exit_timeout_s": -1},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            Publisher(port=free_port(), use_incoming_socket=False, **options)


# --- processes ---


def run_script(tmp_path: Path, script: str, port: int, **environ: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(script))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VISDOM")}
    return subprocess.run(
        [sys.executable, str(path), str(port)], env=kept | environ, capture_output=True, text=True, timeout=90, cwd=tmp_path
    )


GOES_ON = """
    import sys
    from visdom_transport.client import Publisher

    vis = Publisher(
        server="http://127.0.0.1", port=int(sys.argv[1]), use_incoming_socket=False, max_bytes=3_000, exit_timeout_s=1, **{login}
    )
    for number in range(200):
        vis.text("x" * 200, win=f"w{{number}}")
    print(vis.counters.dropped, vis.counters.queued_bytes)
"""


@pytest.mark.parametrize("login", [{}, {"username": ADA.username, "password": "wrong"}])
def test_without_a_server_or_its_password_the_program_goes_on(
    serve: Serve, records: Records, tmp_path: Path, login: dict[str, str]
) -> None:
    records.ignore("400 POST /")
    port = serve(login=ADA, settings=SETTINGS).port if login else free_port()
    began = time.monotonic()
    result = run_script(tmp_path, GOES_ON.format(login=login), port)
    assert result.returncode == 0, result.stderr
    assert time.monotonic() - began < 3 * TIMEOUT_S
    dropped, queued_bytes = map(int, result.stdout.split())
    assert dropped > 150
    assert queued_bytes <= 3_000
    assert "so the oldest calls are lost: the program goes on" in result.stderr
    assert ("does not accept the user name and password" if login else "Connection refused") in result.stderr
    assert f"the process ends, and {200 - dropped} calls (or more) have not reached" in result.stderr


PLAIN = """
    {first_line}
    import sys, time
    import numpy as np
    from visdom import Visdom

    vis = Visdom(server="http://127.0.0.1", port=int(sys.argv[1]), use_incoming_socket=False)
    for x in range(50):
        vis.line(X=np.array([x]), Y=np.array([x]), win="loss", name="a", update="append")
    print(type(vis).__name__)
"""


def test_an_existing_script_with_one_line(server: LocalServer, tmp_path: Path) -> None:
    script = textwrap.dedent(PLAIN).format(first_line="import visdom_transport.client.auto")
    result = run_script(tmp_path, script, server.port)
    assert (result.returncode, result.stdout) == (0, "Publisher\n"), result.stderr
    assert xs(server.windows()) == [*range(50)]


def test_an_existing_script_with_a_variable(server: LocalServer, tmp_path: Path) -> None:
    script = textwrap.dedent(PLAIN).format(first_line="")
    result = run_script(tmp_path, script, server.port, VISDOM_TRANSPORT_BACKGROUND="1")
    assert (result.returncode, result.stdout) == (0, "Publisher\n"), result.stderr
    assert xs(server.windows()) == [*range(50)]
    assert run_script(tmp_path, script, server.port).stdout == "Visdom\n"


def test_the_variable_is_known() -> None:
    assert unknown_variables({"VISDOM_TRANSPORT_BACKGROUND": "1"}) == {}


def test_background_options_are_defaults_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visdom.Visdom", Visdom)
    monkeypatch.setattr(Publisher, "defaults", {})
    background(when_full="drop", max_bytes=1_000)
    made = visdom.Visdom(send=False, max_bytes=2_000)
    assert type(made) is Publisher
    assert (made._options.on_full, made._options.max_bytes) == ("drop", 2_000)
    assert visdom.Visdom(send=False, on_full="wait")._options.on_full == "wait"
    assert visdom.Visdom(send=False, when_full="block")._options.on_full == "wait"
    for options in ({"when_full": "explode"}, {"colour": "red"}):
        with pytest.raises(ValueError, match=r"when_full|colour"):
            background(**options)


def test_the_variable_and_an_explicit_import_go_together(server: LocalServer, tmp_path: Path) -> None:
    script = textwrap.dedent(PLAIN).format(first_line="from visdom_transport.client import Publisher")
    result = run_script(tmp_path, script, server.port, VISDOM_TRANSPORT_BACKGROUND="1")
    assert (result.returncode, result.stdout) == (0, "Publisher\n"), result.stderr
    assert "stays off" not in result.stderr


def test_what_cannot_be_sent_before_the_end_is_counted(tmp_path: Path) -> None:
    script = """
        import sys
        from visdom_transport.client import Publisher

        vis = Publisher(server="http://127.0.0.1", port=int(sys.argv[1]), use_incoming_socket=False, exit_timeout_s=0.5)
        vis.text("a")
        vis.text("b")
    """
    result = run_script(tmp_path, script, free_port())
    assert result.returncode == 0
    assert "2 calls (or more) have not reached the Visdom server" in result.stderr


class Subclass(Publisher):
    """As loggers are that derive from Visdom's client: with a constructor and members of its own."""

    def __init__(self, port: int) -> None:
        self.prefix = "log of "
        super().__init__("http://127.0.0.1", port=port, env="e", use_incoming_socket=False)
        self.counts = {"lines": 0}

    def log(self, line: str) -> None:
        self.counts["lines"] += 1
        self.text(self.prefix + line, win="log")


@pytest.mark.usefixtures("connect")
def test_a_copy_of_a_subclass_is_one_too(server: LocalServer) -> None:
    vis = Subclass(server.port)
    vis.log("a")
    assert vis.finish(TIMEOUT_S)
    copy = pickle.loads(pickle.dumps(vis))
    assert isinstance(copy, Subclass)
    copy.log("b")
    assert copy.finish(TIMEOUT_S)
    assert (vis.counts, copy.counts) == ({"lines": 1}, {"lines": 2})
    assert server.windows("e")["log"]["content"] == "log of b"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_publish_for_themselves(server: LocalServer, tmp_path: Path, method: str) -> None:
    script = """
        import multiprocessing, sys
        import numpy as np
        from visdom_transport.client import Publisher

        def work(vis, number):
            for x in range(20):
                vis.line(X=np.array([x]), Y=np.array([x]), win=f"worker-{number}", name="a", update="append")
            vis.text(f"from {number}", win="shared", append=True)

        if __name__ == "__main__":
            vis = Publisher(server="http://127.0.0.1", port=int(sys.argv[1]), use_incoming_socket=False)
            vis.text("shared", win="shared")
            vis.flush()
            for x in range(20):
                vis.line(X=np.array([x]), Y=np.array([x]), win="parent", name="a", update="append")
            context = multiprocessing.get_context(sys.argv[2] if len(sys.argv) > 2 else METHOD)
            workers = [context.Process(target=work, args=(vis, number)) for number in range(3)]
            for worker in workers:
                worker.start()
            for x in range(20, 40):
                vis.line(X=np.array([x]), Y=np.array([x]), win="parent", name="a", update="append")
            for worker in workers:
                worker.join()
            print([worker.exitcode for worker in workers])
    """
    result = run_script(tmp_path, f'METHOD = "{method}"\n' + textwrap.dedent(script), server.port)
    assert (result.returncode, result.stdout) == (0, "[0, 0, 0]\n"), result.stderr
    windows = server.windows()
    assert xs(windows, "parent") == [*range(40)]
    assert all(xs(windows, f"worker-{number}") == [*range(20)] for number in range(3))
    assert sorted(windows["shared"]["content"].split("<br>")) == ["from 0", "from 1", "from 2", "shared"]
