"""Visdom's client with a stream that finds its way back, over real sockets to real servers."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from visdom import Visdom

from tests.support.flavour import NEW_VISDOM
from tests.support.ports import free_port
from tests.support.proxy import FaultProxy
from tests.support.served import ADA
from tests.support.server import WITHOUT_PAGE, VisdomServer
from tests.support.stock_peers import StockSocket
from tests.support.wait import during, until

FAST = {"heartbeat_s": 1, "dead_after_s": 3, "poll_wait_s": 1.5}
KINDS = ("websocket", "poll")
TARGET = "window"

Connect = Callable[..., "Client"]


def visdom_client(**options: Any) -> Any:
    """Visdom's stub tells only some of its members."""
    return Visdom("http://127.0.0.1", **options)


class Client:
    """A `visdom.Visdom` and the events its handler was given."""

    def __init__(self, port: int, kind: str, *, listen: bool = True, **options: Any) -> None:
        self.numbers: list[int] = []
        self.gaps: list[int | None] = []
        polling = kind == "poll"
        options |= {"port": port, "use_incoming_socket": not polling, "use_polling": polling, "raise_exceptions": False}
        self.vis = visdom_client(**options)
        if not listen:
            return
        self.vis.register_event_handler(lambda event: self.numbers.append(event["number"]), TARGET)
        self.vis.register_event_handler(lambda event: self.gaps.append(event["missed"]), "gap")

    def wait_for(self, numbers: list[int], timeout_s: float = 30.0) -> None:
        until(lambda: len(self.numbers) >= len(numbers), "the events", timeout_s=timeout_s, seen=self._seen)
        assert self.numbers == numbers

    def _seen(self) -> object:
        return self.numbers, self.gaps, self.vis.socket_alive

    def wait_alive(self, alive: bool = True, timeout_s: float = 30.0) -> None:
        until(lambda: self.vis.socket_alive is alive, f"socket_alive is {alive}", timeout_s=timeout_s)

    def close(self) -> None:
        self.vis.event_source.close()
        if self.vis._session is not None:
            self.vis._session.close()


class Page:
    """Sends events as a browser does, straight to the server. It reads nothing, and so never stays long enough to be silent."""

    def __init__(self, server: VisdomServer) -> None:
        self._server = server

    def publish(self, *numbers: int) -> None:
        """Returns when the server has taken the events."""
        socket = StockSocket(self._server)
        for number in numbers:
            event = {"event_type": "Click", "target": TARGET, "eid": "main", "pane_data": False, "number": number}
            socket.send({"cmd": "forward_to_vis", "data": event})
        socket.connection.close(timeout=10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("server"), settings=FAST) as server:
        yield server


@pytest.fixture
def page(server: VisdomServer) -> Page:
    return Page(server)


@pytest.fixture
def connect() -> Iterator[Connect]:
    clients: list[Client] = []

    def make(port: int, kind: str, **options: Any) -> Client:
        clients.append(Client(port, kind, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


# --- outages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_of_1000_events_once_in_order_while_the_link_is_cut_20_times(
    kind: str, proxy: FaultProxy, page: Page, connect: Connect
) -> None:
    client = connect(proxy.port, kind)
    for cut in range(20):
        page.publish(*range(cut * 50, cut * 50 + 25))
        connections = proxy.traffic.connections
        proxy.cut()
        page.publish(*range(cut * 50 + 25, cut * 50 + 50))
        come_back(client, proxy, connections)
    client.wait_for(list(range(1000)))
    assert client.gaps == []


def come_back(client: Client, proxy: FaultProxy, connections: int) -> None:
    """Wait until the client is there again, by another connection than the first so many."""
    until(lambda: proxy.traffic.connections > connections and client.vis.socket_alive, "the client comes back")


@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_shows_and_is_caught_up(
    kind: str, proxy: FaultProxy, page: Page, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(proxy.port, kind)
    assert client.vis.socket_alive
    proxy.refuse()
    client.wait_alive(False)
    page.publish(1, 2, 3)
    during(0.5, lambda: not client.numbers and not client.vis.socket_alive, "nothing arrives")
    proxy.accept()
    client.wait_for([1, 2, 3])
    assert client.vis.socket_alive
    said = [record.message for record in caplog.records if record.name == "visdom_transport.source"]
    assert ["for now" in text for text in said] == [True, False], said
    assert "arrive again" in said[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_link_is_noticed(kind: str, proxy: FaultProxy, page: Page, connect: Connect) -> None:
    client = connect(proxy.port, kind)
    proxy.blackhole()
    page.publish(1, 2)
    # A poll is given its time beyond what it asked for.
    client.wait_alive(False, timeout_s=25.0)
    proxy.heal()
    client.wait_for([1, 2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_is_announced_and_events_go_on(kind: str, tmp_path: Path, connect: Connect) -> None:
    with VisdomServer(tmp_path, settings=FAST) as server:
        client = connect(server.port, kind)
        page = Page(server)
        page.publish(1)
        client.wait_for([1])
        server.kill()
        client.wait_alive(False)
        server.start()
        page = Page(server)
        page.publish(2, 3)  # whether the client is there yet or not
        client.wait_for([1, 2, 3])
        assert client.gaps == [None]


def test_events_that_are_lost_are_counted(tmp_path: Path, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    with VisdomServer(tmp_path, settings=FAST | {"event_count": 10}) as server, FaultProxy(server.port) as proxy:
        client = connect(proxy.port, "websocket")
        page = Page(server)
        proxy.refuse()
        page.publish(*range(50))
        proxy.accept()
        client.wait_for(list(range(40, 50)))
        assert client.gaps == [40]
        assert "40 events of" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_started_before_its_server(
    kind: str, tmp_path: Path, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = VisdomServer(tmp_path, settings=FAST)
    client = connect(server.port, kind)
    assert "failed to establish socket" not in caplog.text, "the constructor waited for a server that is not there"
    assert not client.vis.socket_alive
    assert client.vis.check_connection() is False
    with server:
        client.wait_alive()
        assert client.vis.check_connection()
        assert client.vis.use_socket
        page = Page(server)
        page.publish(1)
        client.wait_for([1])


# --- what stays as it was ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_handler_is_reported_and_the_next_event_comes(
    kind: str, server: VisdomServer, page: Page, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(server.port, kind)
    client.vis.register_event_handler(lambda event: 1 / 0, TARGET)
    page.publish(1, 2)
    client.wait_for([1, 2])
    until(lambda: "handler" in caplog.text, "the failure is logged", seen=lambda: caplog.text)
    assert client.vis.socket_thread.is_alive()
    client.vis.clear_event_handlers(TARGET)
    client.vis.register_event_handler(lambda event: client.numbers.append(-event["number"]), TARGET)
    page.publish(3)
    client.wait_for([1, 2, -3])


@pytest.mark.skipif(not NEW_VISDOM, reason="handlers of one environment are new in 0.3.0")
def test_handlers_of_one_environment(server: VisdomServer, page: Page, connect: Connect) -> None:
    client = connect(server.port, "websocket")
    client.vis.register_event_handler(lambda event: client.numbers.append(100 + event["number"]), TARGET, env="main")
    client.vis.register_event_handler(lambda event: client.numbers.append(200 + event["number"]), TARGET, env="other")
    page.publish(1)
    client.wait_for([101, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_attributes_of_visdoms_client(kind: str, server: VisdomServer, connect: Connect) -> None:
    client = connect(server.port, kind)
    vis = client.vis
    assert vis.socket_alive
    assert vis.socket_connection_achieved
    assert vis.use_socket
    assert vis.check_connection()
    assert vis.socket_thread.name == "Visdom-Socket-Thread"
    assert vis.socket_thread.daemon
    assert (kind == "poll") == isinstance(getattr(vis, "vis_sid", None), str)


@pytest.mark.parametrize("kind", KINDS)
def test_close_ends_the_thread(kind: str, server: VisdomServer, connect: Connect) -> None:
    vis = connect(server.port, kind).vis
    vis.event_source.close()
    assert not vis.socket_thread.is_alive()
    assert not vis.socket_alive
    assert not vis.use_socket


@pytest.mark.parametrize("kind", KINDS)
def test_use_socket_ends_the_thread(kind: str, server: VisdomServer, connect: Connect) -> None:
    vis = connect(server.port, kind).vis
    vis.use_socket = False
    until(lambda: not vis.socket_thread.is_alive(), "the thread ends")
    assert not vis.socket_alive


def test_a_handler_may_close_and_gets_nothing_more(server: VisdomServer, page: Page, connect: Connect) -> None:
    client = connect(server.port, "websocket")
    client.vis.register_event_handler(lambda event: client.vis.event_source.close(), TARGET)
    page.publish(1, 2, 3)
    until(lambda: not client.vis.socket_thread.is_alive(), "the thread ends")
    assert client.numbers == [1]


def test_what_does_not_listen_is_as_before(server: VisdomServer) -> None:
    before = threading.active_count()
    vis = Visdom(port=server.port, send=False, use_incoming_socket=False)
    assert "event_source" not in vars(vis)
    assert threading.active_count() == before
    # Visdom of 0.3.0 has a lock, which no client of it can be pickled with.
    if not NEW_VISDOM:
        assert pickle.loads(pickle.dumps(vis)).port == server.port


def test_a_client_that_listens_cannot_be_pickled_as_before(server: VisdomServer, connect: Connect) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(connect(server.port, "websocket", listen=False).vis)


# --- ways in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_login_and_base_url(kind: str, tmp_path: Path, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    with VisdomServer(tmp_path, settings=FAST, login=ADA, base_url="/x") as server, FaultProxy(server.port) as proxy:
        options = {"base_url": "/x", "username": ADA.username, "password": ADA.password}
        client = connect(proxy.port, kind, **options)
        assert client.vis.socket_alive
        page = Page(server)
        page.publish(1)
        client.wait_for([1])
        # What a server does that was restarted with another cookie secret: the login counts no more.
        proxy.refuse()
        client.wait_alive(False)
        client.vis.session.cookies.clear()
        proxy.accept()
        page.publish(2)
        client.wait_for([1, 2])
        assert client.vis.session.cookies

        stranger = connect(server.port, kind, listen=False, base_url="/x")
        until(lambda: not stranger.vis.socket_thread.is_alive(), "the stranger gives up")
        assert "asks for a login" in caplog.text
        assert "failed to establish socket" not in caplog.text, "Visdom's constructor waited for what cannot come"


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_without_the_package(kind: str, tmp_path: Path, connect: Connect) -> None:
    if NEW_VISDOM and kind == "poll":
        pytest.skip("0.3.0 answers every poll of a source with an error")
    with VisdomServer(tmp_path, stock=True, program=WITHOUT_PAGE) as stock, FaultProxy(stock.port) as proxy:
        client = connect(proxy.port, kind)
        assert client.vis.socket_alive
        browser = StockSocket(stock)
        event = {"target": TARGET, "eid": "main", "pane_data": False}
        for number in (1, 2):
            browser.send({"cmd": "forward_to_vis", "data": event | {"number": number}})
            client.wait_for(list(range(1, number + 1)))
            if number == 1:
                proxy.refuse()
                client.wait_alive(False)
                proxy.accept()
                client.wait_alive()
        browser.close()


# --- processes -----------------------------------------------------------------------------------------------------


def run(code: str, *arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=40,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("present", [True, False])
def test_a_process_exits_by_itself(kind: str, present: bool, server: VisdomServer) -> None:
    code = """
        import sys, visdom
        socket = sys.argv[2] != "poll"
        vis = visdom.Visdom(port=int(sys.argv[1]), use_incoming_socket=socket, use_polling=True, raise_exceptions=False)
        print(vis.socket_alive)
    """
    result = run(code, server.port if present else free_port(), kind)
    assert result.returncode == 0, result.stderr
    assert str(present) in result.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_has_a_stream_of_its_own(server: VisdomServer, page: Page) -> None:
    code = """
        import os, sys, time, visdom

        def wait(condition, what):
            deadline = time.monotonic() + 15
            while not condition():
                assert time.monotonic() < deadline, what
                time.sleep(0.02)  # between two looks: this program is its own, without the helpers of the tests

        def listen(vis):
            wait(lambda: vis.socket_alive, "the stream")
            events = []
            vis.register_event_handler(events.append, "window")
            return events

        first = visdom.Visdom(port=int(sys.argv[1]))
        events = listen(first)
        child = os.fork()
        if not child:
            first.event_source.close()      # must not end the parent's
            assert not events
            own = listen(visdom.Visdom(port=int(sys.argv[1])))
            print("ready", flush=True)
            wait(lambda: own, "the event of the child")
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        wait(lambda: events, "the event of the parent")
        assert first.socket_alive
        sys.exit(os.waitstatus_to_exitcode(status))
    """
    arguments = [sys.executable, "-c", textwrap.dedent(code), str(server.port)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "ready\n", process.stderr.read()
            page.publish(1)
            assert process.wait(40) == 0, process.stderr.read()
        finally:
            process.kill()


# --- what is replaced ----------------------------------------------------------------------------------------------


def test_nothing_is_replaced_when_it_is_off() -> None:
    code = "import sys, visdom; print(visdom.Visdom.setup_socket.__module__, 'visdom_transport.client' in sys.modules)"
    assert run(code, VISDOM_TRANSPORT="0").stdout.split() == ["visdom", "False"]
    assert run(code).stdout.split() == ["visdom_transport.client.source.events", "True"]


def test_an_unknown_client_is_left_alone() -> None:
    code = """
        import visdom
        from visdom_transport.client.seams import PATCHES, recognise
        PATCHES.withdraw()
        recognise.cache_clear()
        functions = {name: each for name, each in vars(visdom.Visdom).items() if callable(each)}
        ours = [name for name, each in functions.items() if each.__module__ != "visdom"]
        assert ours == [], ours
        setup = visdom.Visdom.setup_socket
        del visdom.Visdom.setup_polling
        try:
            PATCHES.apply()
        except Exception as error:
            print(error)
        assert visdom.Visdom.setup_socket is setup
        assert PATCHES.active == []
    """
    result = run(code)
    assert result.returncode == 0, result.stderr
    assert "neither the parts of 0.2.4 nor those of 0.3.0" in result.stdout


def test_a_reloaded_client_is_replaced_again() -> None:
    code = """
        import importlib, visdom
        old = visdom.Visdom
        importlib.reload(visdom)
        assert visdom.Visdom is not old
        print(visdom.Visdom.setup_socket.__module__)
    """
    result = run(code)
    assert result.stdout == "visdom_transport.client.source.events\n", result.stderr


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
