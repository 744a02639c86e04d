"""Many WebSocket clients in one process, as cheap as they can be, so that they leave the CPU to the server.

Usage: swarm.py PORT DIALECT, with DIALECT "ours", "deflate" (ours, compressed) or "stock". Reads one command per line (JSON) and
answers each with one line:

    {"connect": n}        open n more connections; answered when every one of them has been greeted
    {"current": {mark}}   how many clients have received every mark, and what all received: {"current", "messages", "bytes"}

A mark is "mark-<window>-<number>" somewhere in a message; a client is current when it has seen at least the given number of each.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import zlib
from typing import Any

from acknowledging import Acknowledging

PORT, DIALECT = int(sys.argv[1]), sys.argv[2]
CREDIT = 2
"""What a page grants that is near its server and draws quickly (`js/src/drawing/credit.js`)."""
FEEDS = ("shared", "notifications", "env/main")
MARK = re.compile(rb"mark-(\d+)-(\d+)")


def frame(text: bytes, opcode: int = 1) -> bytes:
    """A client's frame. Its mask is zero, which is allowed and costs nothing."""
    size = len(text)
    head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + text


OWN, DEFLATE = DIALECT != "stock", DIALECT == "deflate"
GREETING = {
    "type": "hello",
    "role": "browser",
    "window": CREDIT,
    "feeds": dict.fromkeys(FEEDS),
    "compression": ["deflate"] * DEFLATE,
}
HELLO = frame(json.dumps(GREETING).encode())
UPGRADE = (
    f"GET /socket HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    + ("Sec-WebSocket-Protocol: visdom-transport.v1\r\n" if OWN else "")
    + ("Sec-WebSocket-Extensions: permessage-deflate\r\n" if DEFLATE else "")
    + "\r\n"
).encode()


class Client(asyncio.Protocol):
    """Takes frames apart, remembers marks, and acknowledges batches as a page does that draws them at once."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[None] = loop.create_future()
        self.messages = 0
        self.bytes = 0
        self.marks: dict[bytes, int] = {}
        self._buffer = bytearray()
        self._upgraded = False
        self._verdicts = 0
        self._acknowledging = Acknowledging(CREDIT, loop.time, loop.call_later, self._say)
        self._undrawn = 0

    def _say(self, message: Any) -> None:
        self.transport.write(frame(json.dumps(message).encode()))

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(UPGRADE)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.greeted.done():
            self.greeted.set_exception(error or ConnectionError("closed before the greeting"))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._upgraded:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(buffer[:100].decode())
            del buffer[: end + 4]
            self._upgraded = True
            if OWN:
                self.transport.write(HELLO)
        position = 0
        while len(buffer) >= position + 2:
            start, size = position + 2, buffer[position + 1]
            if size >= 126:
                width = 2 if size == 126 else 8
                size = int.from_bytes(buffer[start : start + width], "big")
                start += width
            if len(buffer) < start + size:
                break
            payload = bytes(buffer[start : start + size])
            self.bytes += size
            if buffer[position] & 0x40:
                payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
            self._take(buffer[position] & 0x0F, payload)
            position = start + size
        del buffer[:position]
        if self._undrawn:
            self._acknowledging.drew(self._undrawn)
            self._undrawn = 0

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.transport.write(frame(payload, opcode=10))
        if opcode != 1:
            return
        self.messages += 1
        for window, number in MARK.findall(payload):
            self.marks[window] = int(number)
        if OWN:
            if payload.startswith(b'{"type":"batch"'):
                self._acknowledging.received(len(payload))
                self._undrawn += 1
            elif payload.startswith(b'{"type":"subscribed"'):
                self._verdicts += 1
            elif payload.startswith(b'{"type":"ping"'):
                self.transport.write(frame(b'{"type":"pong"}'))
        if not self.greeted.done() and (DIALECT == "stock" or self._verdicts == len(FEEDS)):
            self.greeted.set_result(None)


async def main() -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    clients: list[Client] = []
    while line := await commands.readline():
        command = json.loads(line)
        if "connect" in command:
            for _ in range(command["connect"]):
                _, client = await loop.create_connection(Client, "127.0.0.1", PORT)
                clients.append(client)
            await asyncio.gather(*(client.greeted for client in clients))
            answer = {"clients": len(clients)}
        else:
            wanted = {window.encode(): number for window, number in command["current"].items()}
            current = sum(all(client.marks.get(w, -1) >= n for w, n in wanted.items()) for client in clients)
            total = [sum(client.messages for client in clients), sum(client.bytes for client in clients)]
            answer = {"current": current, "messages": total[0], "bytes": total[1]}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
