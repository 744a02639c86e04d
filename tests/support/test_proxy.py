"""The proxy's faults are what they are called."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.proxy import BOTH, RESET_ON_CLOSE, Direction, FaultProxy
from tests.support.wait import during, until

UPGRADE = b"GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class EchoServer:
    """Sends back what it receives; answers an upgrade request like a WebSocket server, then echoes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.received = bytearray()
        self.ended = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    self.received += data
                    connection.sendall(SWITCHING if data.startswith(b"GET ") else data)
            except OSError:
                pass
        self.ended += 1

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    server = EchoServer()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: EchoServer) -> Iterator[FaultProxy]:
    with FaultProxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with connect(proxy) as client:
        yield client


def connect(proxy: FaultProxy) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    client.settimeout(5)
    return client


def says(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return receive(client, len(data))


def receive(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (part := client.recv(count - len(data))):
        data += part
    return data


def is_silent(client: socket.socket, seconds: float = 0.2) -> bool:
    client.settimeout(seconds)
    try:
        return client.recv(1) is None
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)


def test_it_forwards_and_counts(proxy: FaultProxy, client: socket.socket) -> None:
    before = proxy.traffic
    data = b"x" * 300_000
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    assert receive(client, len(data)) == data
    sender.join(5)
    passed = proxy.traffic - before
    assert (passed.up_bytes, passed.down_bytes, proxy.traffic.connections) == (len(data), len(data), 1)


def test_an_end_is_passed_on(echo: EchoServer, proxy: FaultProxy, client: socket.socket) -> None:
    assert says(client, b"last") == b"last"
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    until(lambda: echo.ended == 1, "the server sees the end")
    until(lambda: proxy.open_connections == 0, "the proxy forgets the connection")


def test_cut_resets_both_sides_and_serves_the_next(echo: EchoServer, proxy: FaultProxy, client: socket.socket) -> None:
    assert says(client, b"one") == b"one"
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    until(lambda: echo.ended == 1, "the server sees the cut")
    with connect(proxy) as other:
        assert says(other, b"two") == b"two"


def test_refuse_until_accept(proxy: FaultProxy, client: socket.socket) -> None:
    assert says(client, b"one") == b"one"
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    with socket.socket() as somebody, pytest.raises(OSError, match="in use"):
        somebody.bind(("127.0.0.1", proxy.port))
    proxy.accept()
    with connect(proxy) as other:
        assert says(other, b"two") == b"two"


@pytest.mark.parametrize("directions", [(), ("up",), ("down",)])
def test_blackhole_swallows_and_tells_nobody(
    echo: EchoServer, proxy: FaultProxy, client: socket.socket, directions: tuple[Direction, ...]
) -> None:
    assert says(client, b"one") == b"one"
    proxy.blackhole(*directions)
    client.sendall(b"two")
    assert is_silent(client)
    if "up" in (directions or BOTH):
        assert echo.received == b"one"
    else:
        until(lambda: echo.received == b"onetwo", "the way up is open")
    with connect(proxy) as other:  # new connections are accepted, and as dead
        other.sendall(b"three")
        assert is_silent(other)
        assert echo.ended == 0


def test_a_connection_that_lost_bytes_stays_dead_after_heal(proxy: FaultProxy, client: socket.socket) -> None:
    with connect(proxy) as idle:
        assert says(idle, b"one") == b"one"
        proxy.blackhole()
        client.sendall(b"lost")
        assert is_silent(client)
        proxy.heal()
        client.sendall(b"more")
        assert is_silent(client)
        assert says(idle, b"two") == b"two"  # lost nothing, so it lives


def test_throttle_limits_the_rate(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.throttle(20_000)
    began = time.monotonic()
    assert says(client, b"x" * 4_000) == b"x" * 4_000
    assert 0.2 <= time.monotonic() - began < 20


def test_delay_holds_each_chunk(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.delay(0.1)
    began = time.monotonic()
    assert says(client, b"x") == b"x"
    assert time.monotonic() - began >= 0.2  # up and down


def test_small_buffers_make_a_slow_client_felt(echo: EchoServer) -> None:
    """Without reading, no more than the buffers on the way is swallowed."""
    with FaultProxy(echo.port, buffer_bytes=4096) as proxy, connect(proxy) as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.sendall(b"x" * 50_000_000)


def test_the_upstream_can_move(echo: EchoServer, proxy: FaultProxy) -> None:
    other = EchoServer()
    try:
        proxy.upstream_port = other.port
        with connect(proxy) as client:
            assert says(client, b"moved") == b"moved"
        assert other.received == b"moved"
        assert not echo.received
    finally:
        other.close()


def test_nobody_upstream_is_a_reset(proxy: FaultProxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        proxy.upstream_port = nobody.getsockname()[1]
    with pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)


def test_websockets_refused_while_http_passes(proxy: FaultProxy, client: socket.socket) -> None:
    with connect(proxy) as old:
        assert says_upgrade(old) == SWITCHING
        proxy.block_websockets("refuse")
        with pytest.raises(ConnectionResetError):
            old.recv(1)
    assert says(client, b"POST / HTTP/1.1\r\n\r\n") == b"POST / HTTP/1.1\r\n\r\n"
    client.sendall(UPGRADE)
    assert client.recv(100).startswith(b"HTTP/1.1 502")
    proxy.allow_websockets()
    with connect(proxy) as new:
        assert says_upgrade(new) == SWITCHING
        assert says(new, b"frame") == b"frame"
    assert proxy.traffic.websockets == 2


def test_websocket_handshake_swallowed_also_in_pieces(echo: EchoServer, proxy: FaultProxy, client: socket.socket) -> None:
    proxy.block_websockets("swallow")
    client.sendall(UPGRADE[:30])
    assert is_silent(client, 0.1)
    client.sendall(UPGRADE[30:])
    assert is_silent(client)
    assert not echo.received


def test_mute_websockets_open_but_deliver_nothing(echo: EchoServer, proxy: FaultProxy, client: socket.socket) -> None:
    with connect(proxy) as old:
        assert says_upgrade(old) == SWITCHING
        proxy.block_websockets("mute")
        old.sendall(b"frame")
        assert is_silent(old)
    assert says_upgrade(client) == SWITCHING
    client.sendall(b"frame")
    assert is_silent(client)
    assert echo.received == UPGRADE * 2


def says_upgrade(client: socket.socket) -> bytes:
    client.sendall(UPGRADE)
    return receive(client, len(SWITCHING))


def test_truncate_ends_a_connection_in_the_middle_of_what_it_says(proxy: FaultProxy, client: socket.socket) -> None:
    assert says(client, b"whole") == b"whole"
    proxy.truncate(3)
    client.sendall(b"half of it")
    assert receive(client, 3) == b"hal"
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with connect(proxy) as other:
        other.sendall(b"also")
        assert receive(other, 3) == b"als"
    proxy.heal()
    with connect(proxy) as healed:
        assert says(healed, b"whole again") == b"whole again"


def test_reorder_lets_a_later_connection_be_served_first(echo: EchoServer, proxy: FaultProxy) -> None:
    proxy.reorder()
    with connect(proxy) as first:
        first.sendall(b"first")
        assert is_silent(first)
        with connect(proxy) as second:
            assert says(second, b"second") == b"second"
        assert receive(first, 5) == b"first"
    assert bytes(echo.received) == b"secondfirst"


def test_heal_serves_the_connection_that_nobody_overtook(proxy: FaultProxy) -> None:
    proxy.reorder()
    with connect(proxy) as client:
        client.sendall(b"waits")
        assert is_silent(client)
        proxy.heal()
        assert receive(client, 5) == b"waits"


def test_the_end_of_a_client_is_not_told_through_a_black_direction(echo: EchoServer, proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        assert says(client, b"here") == b"here"
        proxy.blackhole("up")
        client.sendall(b"lost")
        assert is_silent(client)
        proxy.heal()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    during(0.3, lambda: echo.ended == 0, "the server is not told")
    proxy.cut()
    until(lambda: echo.ended == 1, "a cut tells it")
