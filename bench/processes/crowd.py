"""Clients of every kind that join, leave, stall and come back, at random, until they are told to go.

Usage: crowd.py PORT SEED ENVIRONMENT... Reads one word per line and answers each with one line of JSON:

    count   how often each thing has happened so far, and how many are there
    leave   the same, once everybody has left
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

HOST = f"127.0.0.1:{sys.argv[1]}"
RANDOM = random.Random(int(sys.argv[2]))
ENVIRONMENTS = sys.argv[3:]
SUBPROTOCOL = "visdom-transport.v1"

STAY_S = (5.0, 40.0)
AWAY_S = (0.0, 5.0)
STALL_S = (2.0, 30.0)
"""Longer than `dead_after_s` at times: then the server ends the link."""
HELD_S = 10.0

counts: Counter[str] = Counter()
AsyncHTTPClient.configure(None, max_clients=1_000)


class Ended(Exception):
    """The server ended the connection."""


async def request(path: str, body: Any = None, timeout_s: float = 30.0) -> Any:
    data = None if body is None else json.dumps(body)
    wanted = HTTPRequest(f"http://{HOST}{path}", "GET" if data is None else "POST", body=data, request_timeout=timeout_s)
    answer = await AsyncHTTPClient().fetch(wanted)
    return json.loads(answer.body) if answer.body else None


async def connect(path: str, *subprotocols: str) -> WebSocketClientConnection:
    return await websocket_connect(f"ws://{HOST}{path}", subprotocols=list(subprotocols) or None, connect_timeout=20)


async def read(connection: WebSocketClientConnection) -> Any:
    message = await connection.read_message()
    if message is None:
        raise Ended
    counts["messages"] += 1
    return json.loads(message)


def drop(connection: WebSocketClientConnection) -> None:
    if connection.protocol is not None:
        connection.protocol._abort()


class Client(ABC):
    """Somebody who comes and goes."""

    async def live(self) -> None:
        await asyncio.sleep(RANDOM.uniform(*AWAY_S))
        while True:
            counts["joins"] += 1
            counts["here"] += 1
            try:
                await self.visit(RANDOM.uniform(*STAY_S))
            except (Ended, WebSocketClosedError, HTTPStreamClosedError):
                counts["ended by the server"] += 1
            except HTTPTimeoutError:
                counts["polls dropped"] += 1
            except HTTPError as error:
                counts[f"HTTP {error.code}"] += 1
            finally:
                counts["here"] -= 1
            await asyncio.sleep(RANDOM.uniform(*AWAY_S))

    @abstractmethod
    async def visit(self, stay_s: float) -> None:
        """Come, stay, and go."""

    async def leave(self, connection: WebSocketClientConnection) -> None:
        """Stop reading for a time, or do not; say goodbye, or do not."""
        if RANDOM.random() < 0.3:
            counts["stalls"] += 1
            await asyncio.sleep(RANDOM.uniform(*STALL_S))
        if RANDOM.random() < 0.3:
            connection.close()
            await asyncio.sleep(0.2)


class OwnClient(Client):
    """Speaks our protocol over WebSockets and long polls, and resumes most of the time."""

    def __init__(self, role: str, polls: float) -> None:
        self._role = role
        self._polls = polls
        self._forget()

    def _forget(self) -> None:
        self._session: dict[str, Any] = {"session": None, "secret": None}
        shown = f"env/{RANDOM.choice(ENVIRONMENTS)}" if RANDOM.random() < 0.9 else f"compare/{'+'.join(ENVIRONMENTS[:2])}"
        feeds = ("events",) if self._role == "source" else ("shared", "notifications", shown)
        self._positions: dict[str, Any] = dict.fromkeys(feeds)
        self._command = 0

    async def visit(self, stay_s: float) -> None:
        if RANDOM.random() < 0.2:
            self._forget()
        hello = {"type": "hello", "role": self._role, "window": 4, "feeds": self._positions, **self._session}
        await (self._poll if RANDOM.random() < self._polls else self._use_socket)(hello, stay_s)

    async def _use_socket(self, hello: Any, stay_s: float) -> None:
        connection = await connect("/socket" if self._role == "browser" else "/vis_socket", SUBPROTOCOL)
        try:
            await connection.write_message(json.dumps(hello))
            batches = 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(stay_s):
                    while True:
                        message = await read(connection)
                        self._take(message)
                        answers = self._say()
                        if message["type"] == "batch":
                            batches += 1
                            answers.append({"type": "ack", "batches": batches})
                        elif message["type"] == "ping":
                            answers.append({"type": "pong"})
                        for answer in answers:
                            await connection.write_message(json.dumps(answer))
            await self.leave(connection)
        finally:
            drop(connection)

    async def _poll(self, hello: Any, stay_s: float) -> None:
        link: dict[str, Any] = {"link": None, "secret": None}
        messages, deadline = [hello], asyncio.get_running_loop().time() + stay_s
        while asyncio.get_running_loop().time() < deadline:
            body = {**link, "wait_s": HELD_S, "feeds": self._positions, "messages": messages}
            # Sometimes it does not wait for the answer.
            timeout_s = 0.5 if link["link"] and RANDOM.random() < 0.02 else 30.0
            for message in (await request("/transport/poll", body, timeout_s))["messages"]:
                counts["messages"] += 1
                self._take(message)
                if message["type"] == "welcome":
                    link = {"link": message["link"], "secret": message["secret"]}
                elif message["type"] == "close":
                    raise Ended
            messages = self._say()

    def _say(self) -> list[Any]:
        """Now and then: a command, or another environment."""
        if self._role == "source" or RANDOM.random() > 0.02:
            return []
        self._command += 1
        eid = RANDOM.choice(ENVIRONMENTS)
        command = RANDOM.choice(
            [
                {"cmd": "forward_to_vis", "data": {"target": "text", "eid": eid, "event_type": "KeyPress", "key": "x"}},
                {"cmd": "close", "data": "text", "eid": eid},
                {"cmd": "layout_item_update", "eid": eid, "win": "line-0", "data": {"i": 0, "h": 1, "w": 1, "x": 0, "y": 0}},
                {"cmd": "nonsense"},
            ]
        )
        counts["commands"] += 1
        return [{"type": "command", "id": self._command, "command": command}]

    def _take(self, message: Any) -> None:
        match message["type"]:
            case "welcome":
                counts["resumed sessions"] += message["resumed"]
                self._session = {"session": message["session"], "secret": message["secret"]}
                if not message["resumed"]:
                    self._command = 0
            case "subscribed":
                counts[f"subscriptions {message['reason']}"] += 1
                if not message["recovered"]:
                    offset = message["offset"] if message["feed"] in ("events", "notifications") else -1
                    self._positions[message["feed"]] = {"epoch": message["epoch"], "offset": offset}
            case "batch" if message["complete"]:
                self._positions[message["feed"]] = {"epoch": message["epoch"], "offset": message["to"]}


class StockSocket(Client):
    """A page or a Python client of stock Visdom."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def visit(self, stay_s: float) -> None:
        connection = await connect(self._path)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(stay_s):
                    while True:
                        message = await read(connection)
                        if message.get("command") == "register":
                            shown = "+".join(RANDOM.sample(ENVIRONMENTS, RANDOM.choice([1, 1, 1, 2])))
                            path = f"/compare/{shown}" if "+" in shown else f"/env/{shown}"
                            await AsyncHTTPClient().fetch(
                                f"http://{HOST}{path}", method="POST", body=json.dumps({"sid": message["data"]})
                            )
                        elif message.get("command") == "close":
                            # As Visdom's page does it.
                            echo = {"cmd": "close", "data": message["data"], "eid": ENVIRONMENTS[0]}
                            await connection.write_message(json.dumps(echo))
            await self.leave(connection)
        finally:
            drop(connection)


class StockPoll(Client):
    """A page of stock Visdom that polls."""

    async def visit(self, stay_s: float) -> None:
        sid = (await request("/socket_wrap"))["sid"]
        deadline = asyncio.get_running_loop().time() + stay_s
        while asyncio.get_running_loop().time() < deadline:
            answer = await request("/socket_wrap", {"message_type": "query", "sid": sid})
            if not answer["success"]:
                raise Ended
            counts["messages"] += len(answer["messages"])
            await asyncio.sleep(0.5)


CROWD: list[Client] = [
    *(OwnClient("browser", polls=0.1) for _ in range(35)),
    *(OwnClient("browser", polls=0.9) for _ in range(20)),
    *(OwnClient("source", polls=0.3) for _ in range(10)),
    *(StockSocket("/socket") for _ in range(20)),
    *(StockSocket("/vis_socket") for _ in range(5)),
    *(StockPoll() for _ in range(10)),
]


async def main() -> None:
    loop = asyncio.get_running_loop()
    words = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    lives = [asyncio.create_task(client.live()) for client in CROWD]
    while word := (await words.readline()).strip():
        if word == b"leave":
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)
        # Whoever has died of something unexpected is no client any more.
        died = [life.exception() for life in lives if life.done() and not life.cancelled()]
        print(json.dumps({"counts": counts, "died": [repr(error) for error in died]}), flush=True)


asyncio.run(main())
