"""A TCP proxy whose faults are named by their effect.

It stands between a client and a server on 127.0.0.1 and runs in a thread of its own, so blocking tests can steer it.
Directions are seen from the client: "up" is towards the server, "down" is towards the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

from tests.support.ports import free_port

Direction = Literal["up", "down"]
WebSockets = Literal["pass", "refuse", "swallow", "mute"]
T = TypeVar("T")

BOTH: tuple[Direction, ...] = ("up", "down")
HEAD_END = b"\r\n\r\n"
REFUSAL = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
UPGRADE = re.compile(rb"^upgrade:\s*websocket", re.IGNORECASE | re.MULTILINE)
OVERTAKING_S = 0.02
"""How far ahead a connection gets that overtakes another."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Traffic:
    """What went through: bytes that were delivered, connections that were made."""

    up_bytes: int = 0
    down_bytes: int = 0
    connections: int = 0
    websockets: int = 0

    def __sub__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.up_bytes - other.up_bytes,
            self.down_bytes - other.down_bytes,
            self.connections - other.connections,
            self.websockets - other.websockets,
        )


@dataclass(slots=True)
class _Faults:
    black: frozenset[Direction] = frozenset()
    bytes_per_s: float | None = None
    delay_s: float = 0.0
    truncate_bytes: int | None = None
    reorder: bool = False
    websockets: WebSockets = "pass"
    answer: bytes | None = None


@dataclass(slots=True, eq=False)
class _Connection:
    client: socket.socket
    server: socket.socket
    task: asyncio.Task[None] | None = None
    websocket: bool = False
    # A stream that lost bytes can never be whole again, so it stays black after the fault is healed,
    # like a connection whose entry in a NAT table is gone: only a heartbeat can find that out.
    black: set[Direction] = field(default_factory=set)
    left_bytes: int | None = None
    """How much may still go down, if the connection is to be truncated."""


class FaultProxy:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`upstream_port` until told otherwise.

    Every control returns after its effect. `buffer_bytes` bounds the socket buffers of the proxy, so that a
    throttled client is felt by the server early. Use as a context manager or call `close`.
    """

    def __init__(self, upstream_port: int, *, buffer_bytes: int | None = None) -> None:
        self.upstream_port = upstream_port
        self._buffer_bytes = buffer_bytes
        self._faults = _Faults()
        self._traffic = Traffic()
        self._connections: set[_Connection] = set()
        self._held: asyncio.Future[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._listener: socket.socket | None = None
        self._accepts = False
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._thread.start()
        self.port = 0
        self._do(self._listen)
        assert self._listener is not None
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- what can go wrong ---------------------------------------------------------------------------------

    def cut(self) -> None:
        """Reset every open connection now. New ones are served."""
        self._do(lambda: self._cut(lambda connection: True))

    def refuse(self) -> None:
        """Reset every open connection and refuse new ones (nobody listens) until `accept`."""

        def refuse() -> None:
            self._stop_listening()
            self._cut(lambda connection: True)

        self._do(refuse)

    def accept(self) -> None:
        """Take connections again after `refuse`."""
        self._do(self._listen)

    def answer(self, reply: bytes) -> None:
        """Reset every open connection, and answer every request with `reply` in the server's place until `heal`."""
        self._change(answer=reply)
        self.cut()

    def blackhole(self, *directions: Direction) -> None:
        """Swallow all bytes of the directions (both without arguments), open connections and new ones.

        Nobody is told, not even of the end of the other side. A connection that lost bytes stays dead after `heal`.
        """
        self._change(black=frozenset(directions or BOTH))

    def throttle(self, bytes_per_s: float) -> None:
        """Forward at most this many bytes per second, for each connection and direction."""
        self._change(bytes_per_s=bytes_per_s)

    def delay(self, seconds: float) -> None:
        """Hold every chunk that long before it is forwarded."""
        self._change(delay_s=seconds)

    def truncate(self, down_bytes: int) -> None:
        """Let every connection, open or new, carry so many bytes more down; then reset it, in the middle of what it says."""

        def truncate() -> None:
            self._faults = replace(self._faults, truncate_bytes=down_bytes)
            for connection in self._connections:
                connection.left_bytes = down_bytes

        self._do(truncate)

    def reorder(self) -> None:
        """Have every second new connection overtake the one before it, which waits for that (or for `heal`)."""
        self._change(reorder=True)

    def block_websockets(self, how: Literal["refuse", "swallow", "mute"] = "refuse") -> None:
        """Let plain HTTP pass but no WebSocket: `refuse` answers 502, `swallow` never answers the handshake, `mute`
        lets the handshake pass and swallows the frames. Open WebSockets are cut by `refuse`, black otherwise."""

        def block() -> None:
            self._faults = replace(self._faults, websockets=how)
            if how == "refuse":
                self._cut(lambda connection: connection.websocket)
            for connection in self._connections:
                if connection.websocket:
                    connection.black.update(BOTH)

        self._do(block)

    def allow_websockets(self) -> None:
        """Undo `block_websockets` for new connections."""
        self._change(websockets="pass")

    def heal(self) -> None:
        """Take back every fault. What was cut or lost stays lost."""

        def heal() -> None:
            self._faults = _Faults()
            for connection in self._connections:
                connection.left_bytes = None
            self._release()
            self._listen()

        self._do(heal)

    # --- what can be seen ----------------------------------------------------------------------------------

    @property
    def traffic(self) -> Traffic:
        """A copy of the counters."""
        return self._do(lambda: replace(self._traffic))

    @property
    def open_connections(self) -> int:
        """Connections open at this moment."""
        return self._do(lambda: len(self._connections))

    def save_evidence(self, directory: Path) -> None:
        """Write the state of the proxy for the report of a failed test."""
        state = f"{self._faults}\n{self.traffic}\nopen: {self.open_connections}\n"
        (directory / f"proxy-{self.port}.txt").write_text(state)

    def close(self) -> None:
        """Reset everything and end the thread."""
        if not self._thread.is_alive():
            return
        self.refuse()
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    # --- in the proxy's thread -----------------------------------------------------------------------------

    def _do(self, action: Callable[[], T]) -> T:
        async def run() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(5)

    def _change(self, **faults: object) -> None:
        def change() -> None:
            self._faults = replace(self._faults, **faults)  # type: ignore[arg-type]

        self._do(change)

    def _listen(self) -> None:
        if self._accepts:
            return
        if self._listener is None:
            # A port that was asked for by its number stays with the socket when that stops listening.
            self._listener = socket.create_server(("127.0.0.1", free_port()))
            self._listener.setblocking(False)
        self._listener.listen(128)
        # Not a task that waits for a connection: one that is cancelled with a connection in its hands would lose it, unclosed.
        self._loop.add_reader(self._listener, self._accept, self._listener)
        self._accepts = True

    def _stop_listening(self) -> None:
        if self._accepts and self._listener is not None:
            self._accepts = False
            self._loop.remove_reader(self._listener)
            # It refuses from now on, and keeps the port: somebody else would soon take it.
            self._listener.shutdown(socket.SHUT_RDWR)

    async def _finish(self) -> None:
        """Give back the port, and wait for the end of what `refuse` cancelled."""
        if self._listener is not None:
            self._listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    def _cut(self, which: Callable[[_Connection], bool]) -> None:
        for connection in [c for c in self._connections if which(c)]:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        """Reset both sides."""
        self._connections.discard(connection)
        if connection.task is not None:
            connection.task.cancel()
        self._close(connection.client)
        self._close(connection.server)

    def _close(self, side: socket.socket) -> None:
        if side.fileno() < 0:
            return
        self._loop.remove_reader(side)
        self._loop.remove_writer(side)
        with contextlib.suppress(OSError):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        side.close()

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:  # who wanted to connect is gone
            return
        server = socket.socket()
        for side in (client, server):
            side.setblocking(False)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._buffer_bytes is not None:
                side.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer_bytes)
                side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer_bytes)
        connection = _Connection(client, server, left_bytes=self._faults.truncate_bytes)
        self._traffic.connections += 1
        self._connections.add(connection)
        connection.task = self._loop.create_task(self._forward(connection))

    async def _forward(self, connection: _Connection) -> None:
        try:
            await self._turn()
            if self._faults.answer is not None:
                await self._answer(connection, self._faults.answer)
                return
            await self._loop.sock_connect(connection.server, ("127.0.0.1", self.upstream_port))
            up = self._pump(connection, connection.client, connection.server, "up")
            down = self._pump(connection, connection.server, connection.client, "down")
            with contextlib.suppress(ExceptionGroup):  # one side is gone: the other learns it by the reset below
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(up)
                    pumps.create_task(down)
            await self._keep_from(connection)
        except OSError:
            pass
        finally:
            if connection in self._connections:
                connection.task = None
                self._drop(connection)

    async def _keep_from(self, connection: _Connection) -> None:
        """Where a direction is black, the end of one side is not told to the other either, which stays open until it gives up."""
        untold = [side for way, side in (("up", connection.server), ("down", connection.client)) if way in connection.black]
        if untold and len(untold) < 2:
            self._close(connection.client if connection.server in untold else connection.server)
        await asyncio.gather(*map(self._swallow, untold))

    async def _swallow(self, side: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while await self._loop.sock_recv(side, 65536):
                pass

    async def _turn(self) -> None:
        """Wait for a later connection, if this one is to be overtaken."""
        if not self._faults.reorder:
            return
        if self._held is None:
            self._held = self._loop.create_future()
            await self._held
        else:
            self._loop.call_later(OVERTAKING_S, self._release)

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None and not held.done():
            held.set_result(None)

    async def _pump(self, connection: _Connection, source: socket.socket, sink: socket.socket, direction: Direction) -> None:
        pending = b""
        while chunk := await self._loop.sock_recv(source, 65536):
            pending += chunk
            if self._awaits_head(connection, direction, pending):
                continue
            if direction == "up" and not connection.websocket and self._is_upgrade(pending):
                await self._upgrade(connection)
            if direction == "down" and self._muted(connection):
                await self._deliver(connection, sink, direction, pending[: pending.index(HEAD_END) + len(HEAD_END)])
                connection.black.update(BOTH)
            else:
                await self._deliver(connection, sink, direction, pending)
            pending = b""
        if direction not in connection.black:
            sink.shutdown(socket.SHUT_WR)

    def _awaits_head(self, connection: _Connection, direction: Direction, pending: bytes) -> bool:
        """A head that decides something is read whole before it is forwarded."""
        decides = self._muted(connection) if direction == "down" else pending.startswith(b"GET ")
        return decides and HEAD_END not in pending and not connection.black

    @staticmethod
    def _is_upgrade(request: bytes) -> bool:
        return request.startswith(b"GET ") and UPGRADE.search(request.split(HEAD_END)[0]) is not None

    def _muted(self, connection: _Connection) -> bool:
        return connection.websocket and self._faults.websockets == "mute" and not connection.black

    async def _upgrade(self, connection: _Connection) -> None:
        """The connection wants to become a WebSocket."""
        connection.websocket = True
        if self._faults.websockets == "refuse":
            await self._answer(connection, REFUSAL)
            raise ConnectionResetError
        if self._faults.websockets == "swallow":
            connection.black.update(BOTH)
        else:
            self._traffic.websockets += 1

    async def _answer(self, connection: _Connection, reply: bytes) -> None:
        """The last word to a client, whatever it asks."""
        await self._loop.sock_sendall(connection.client, reply)
        connection.client.shutdown(socket.SHUT_WR)
        while await self._loop.sock_recv(connection.client, 65536):
            pass  # a reset before the client has read the answer would take it away again

    async def _deliver(self, connection: _Connection, sink: socket.socket, direction: Direction, data: bytes) -> None:
        while data:
            if self._faults.delay_s:
                await asyncio.sleep(self._faults.delay_s)
            part = data
            rate = self._faults.bytes_per_s
            if rate is not None:
                part = data[: max(1, int(rate / 20))]
                await asyncio.sleep(len(part) / rate)
            if direction in self._faults.black:
                connection.black.add(direction)
            if direction in connection.black:
                return
            if direction == "down" and connection.left_bytes is not None:
                part = part[: connection.left_bytes]
                connection.left_bytes -= len(part)
            await self._loop.sock_sendall(sink, part)
            if direction == "up":
                self._traffic.up_bytes += len(part)
            else:
                self._traffic.down_bytes += len(part)
            data = data[len(part) :]
            if direction == "down" and connection.left_bytes == 0:
                raise ConnectionResetError
