"""Connections of the clients of the fault suite: they are dropped without a word, and tell nobody but their owner."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import Callable
from typing import Any

import orjson
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketError, websocket_connect

from visdom_transport.core.signature import SERVER_HEADER

CONNECT_TIMEOUT_S = 2.0
REPLY_TIMEOUT_S = 3.0
MAX_MESSAGE_BYTES = 50_000_000


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task, again if something in it swallows that, and wait for its end."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)


class LinkLost(Exception):
    """The connection is gone, or nothing comes through it."""


class NotTheServer(LinkLost):
    """Something else answers in the server's place. It is not known what became of the request."""


class Refused(Exception):
    """The server answers, and does not do what was asked."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status} {body[:200]!r}")
        self.status = status


class Http:
    """One connection that stays open from request to request, as browsers and `requests` keep theirs.

    An answer that is not signed is not the server's, unless that is stock Visdom, which signs nothing. No redirect is followed.
    """

    def __init__(self, port: int, *, stock: bool = False, reply_timeout_s: float = REPLY_TIMEOUT_S) -> None:
        self._port = port
        self._stock = stock
        self._reply_timeout_s = reply_timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def post(self, path: str, body: object) -> Any:
        """The parsed reply, or its text. Raises `LinkLost` when it is not known what became of the request, and `Refused`."""
        return await self._request("POST", path, orjson.dumps(body))

    async def get(self, path: str) -> Any:
        return await self._request("GET", path, b"")

    async def _request(self, method: str, path: str, body: bytes) -> Any:
        async with self._turn:
            try:
                async with asyncio.timeout(self._reply_timeout_s):
                    status, content = await self._exchange(method, path, body)
            except (OSError, EOFError, TimeoutError, ValueError, zlib.error) as error:
                self.drop()
                raise LinkLost(f"{type(error).__name__}: {error}") from error
            except BaseException:
                self.drop()
                raise
        if status != 200:
            raise Refused(status, content)
        try:
            return orjson.loads(content)
        except ValueError:
            return content.decode(errors="replace")

    async def _exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=MAX_MESSAGE_BYTES)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in answer[1:])}
        content = await reader.readexactly(int(fields["content-length"]))
        if fields.get("connection", "").lower() == "close":
            self.drop()
        if not self._stock and SERVER_HEADER.lower() not in fields:
            raise NotTheServer(f"{answer[0]}: {content[:200]!r}")
        if fields.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        return int(answer[0].split()[1]), content

    def drop(self) -> None:
        """Leave without a word. The next request makes another connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


class WebSocket:
    """A WebSocket that hands each message to `take` when it arrives. `ended` is set when it is over."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self.ended = asyncio.Event()

    @classmethod
    async def open(
        cls, port: int, path: str, take: Callable[[str | bytes], None], *, subprotocol: str | None = None
    ) -> WebSocket:
        """Raises `LinkLost`."""
        opened: list[WebSocket] = []
        early: list[str | bytes | None] = []

        def received(message: str | bytes | None) -> None:
            if not opened:
                early.append(message)
            elif message is None:
                opened[0].ended.set()
            elif not opened[0].ended.is_set():
                take(message)

        request = HTTPRequest(
            f"ws://127.0.0.1:{port}{path}",
            connect_timeout=CONNECT_TIMEOUT_S,
            request_timeout=CONNECT_TIMEOUT_S,
            follow_redirects=False,
        )
        connecting = asyncio.ensure_future(
            websocket_connect(
                request,
                on_message_callback=received,
                subprotocols=[subprotocol] if subprotocol else None,
                max_message_size=MAX_MESSAGE_BYTES,
            )
        )
        try:
            connection = await asyncio.shield(connecting)
        except (OSError, HTTPClientError, WebSocketError) as error:
            raise LinkLost(f"{type(error).__name__}: {error}") from error
        except asyncio.CancelledError:
            connecting.add_done_callback(lambda made: made.exception() or cls(made.result()).drop())
            raise
        link = cls(connection)
        opened.append(link)
        for message in early:
            received(message)
        return link

    @property
    def close_code(self) -> int | None:
        return self._connection.close_code

    def send(self, message: object) -> None:
        """Send if there is still somebody to send to."""
        if self.ended.is_set():
            return
        with contextlib.suppress(WebSocketClosedError):
            sent = self._connection.write_message(orjson.dumps(message).decode())
            sent.add_done_callback(lambda future: future.cancelled() or future.exception())

    def drop(self) -> None:
        """Leave without a word."""
        self.ended.set()
        protocol, self._connection.protocol = self._connection.protocol, None
        if protocol is not None:
            protocol._abort()
