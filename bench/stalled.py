"""A client that stops reading: what it costs the server, and the publishers.

2,000 replacements of a text window of 50 KB are posted while one client is connected that never reads: a WebSocket, or a poller
that polled once. *Growth* is the resident memory of the server process at the end, less that just before the client came (and
after 200 replacements for warming up). *p99* is the wall time within which 99 of 100 posts were answered, which on a busy machine
says more about the machine; so the ratio to a run without such a client is given.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

from .support.measure import Bench, Samples, percentile
from .support.messages import Message, made_by
from .support.result import Bars, Result, Table, Target, mb, ms, times
from .support.servers import Kind, Server

WINDOW_BYTES = 50_000
HELLO = {"type": "hello", "role": "browser", "window": 4, "feeds": {"shared": None, "env/main": None}}

Stalled = Callable[[Server], AbstractContextManager[Any]]


def run(bench: Bench) -> Result:
    replacements = 200 if bench.quick else 2_000
    texts = [made_by("text", chr(97 + number) * WINDOW_BYTES, win="w") for number in range(4)]
    clients: list[tuple[Kind, str, Stalled]] = [
        ("stock", "none", lambda server: nullcontext()),
        ("ours", "none", lambda server: nullcontext()),
        ("stock", "WebSocket", lambda server: silent_socket(server)),
        ("ours", "WebSocket", lambda server: silent_socket(server)),
        ("ours", "WebSocket, own protocol", lambda server: silent_socket(server, own=True)),
        ("stock", "poller", silent_stock_poller),
        ("ours", "poller", silent_stock_poller),
        ("ours", "poller, own protocol", silent_own_poller),
    ]
    samples = Samples()
    for _ in bench.rounds(3):
        for kind, client, connect in clients:
            growth, p99 = stall(kind, connect, texts, replacements)
            samples.add(growth, "growth", kind, client)
            samples.add(p99, "p99", kind, client)
    rows = []
    for kind, client, _ in clients:
        p99 = samples.median("p99", kind, client)
        rows.append(
            [kind, client, mb(samples.median("growth", kind, client)), ms(p99), times(p99 / samples.median("p99", kind, "none"))]
        )
    stalled = [(kind, client) for kind, client, _ in clients if client != "none"]
    return Result(
        tables=[Table(["server", "client that does not read", "growth", "p99 of a post", "/ without a client"], rows)],
        targets=[
            Target(
                f"memory for a stalled {client}, ours, over {replacements:,} replacements",
                samples.median("growth", kind, client) / 1e6,
                5,
                " MB",
            )
            for kind, client in stalled
            if kind == "ours"
        ],
        chart=Bars(
            "Memory that one stalled client costs",
            "growth of the server, MB",
            {f"{kind}: {client}": max(0.0, samples.median("growth", kind, client) / 1e6) for kind, client in stalled},
        ),
    )


def stall(kind: Kind, connect: Stalled, texts: list[Message], replacements: int) -> tuple[float, float]:
    """Bytes that the server grows by, and the 99th percentile of the seconds a post takes."""
    with Server(kind) as server:
        for number in range(200):
            texts[number % len(texts)].post(server)
        before = server.rss_bytes()
        with connect(server):
            took_s = []
            for number in range(replacements):
                began = time.perf_counter()
                texts[number % len(texts)].post(server)
                took_s.append(time.perf_counter() - began)
            return server.rss_bytes() - before, percentile(took_s, 0.99)


def silent_socket(server: Server, own: bool = False) -> AbstractContextManager[socket.socket]:
    """A WebSocket that is opened, says hello if it speaks our protocol, and is never read again."""
    connection = socket.socket()
    # So that the kernel buffers little of what is not read.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.connect(("127.0.0.1", server.port))
    protocol = "Sec-WebSocket-Protocol: visdom-transport.v1\r\n" if own else ""
    connection.sendall(
        f"GET /socket HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n".encode()
    )
    while not connection.recv(1_024, socket.MSG_PEEK).startswith(b"HTTP/1.1 101"):
        pass
    if own:
        hello = json.dumps(HELLO).encode()
        connection.sendall(b"\x81" + bytes([0x80 | len(hello)]) + b"\0\0\0\0" + hello)
    return closing(connection)


def silent_stock_poller(server: Server) -> AbstractContextManager[Any]:
    """A client of Visdom's own polls that has polled once."""
    sid = json.loads(server.get("/socket_wrap"))["sid"]
    server.post("/socket_wrap", json.dumps({"message_type": "query", "sid": sid}).encode())
    return nullcontext()


def silent_own_poller(server: Server) -> AbstractContextManager[Any]:
    """A client of our long poll that has a poll open and never reads the answer."""
    opened = json.loads(server.post("/transport/poll", json.dumps({"link": None, "messages": [HELLO]}).encode()))
    welcome = opened["messages"][0]
    feeds = {m["feed"]: {"epoch": m["epoch"], "offset": m["to"]} for m in opened["messages"] if m["type"] == "batch"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    body = {"link": welcome["link"], "secret": welcome["secret"], "wait_s": 10, "feeds": feeds, "messages": []}
    connection.request("POST", "/transport/poll", json.dumps(body))
    return closing(connection)
