"""500 viewers behind two relays, and one of the relays is killed.

The viewers follow 50 lines of 1,000 points, one of which grows by a point ten times a second. Those of the relay
that is killed connect again as a page does, after anything up to half a second, at the same port. *Back*: from SIGKILL until the
verdict on what they follow. *Sent*: what comes with it until they are current, against the environment as a whole.

The viewers are in one process, on the same cores as all else.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import signal
import time
from typing import Any

from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClientConnection, WebSocketError, websocket_connect

from .support import messages
from .support.measure import Bench, percentile
from .support.relays import Cluster
from .support.result import Result, Table, Target, ms
from .support.servers import BenchError

LINES = 50
POINTS = 1_000
PACE_S = 0.1
BEFORE_S, AFTER_S = 2.0, 8.0
PATIENCE_S = 120.0
FIRST_PAUSE_S, MOST_PAUSE_S = 0.5, 10.0
FEED = "env/main"
SUBPROTOCOL = "visdom-transport.v1"


def run(bench: Bench) -> Result:
    count = 50 if bench.quick else 500
    back_s: list[float] = []
    sent: list[int] = []
    whole = 0
    for _ in bench.rounds(3, quick=1):
        with Cluster() as cluster:
            for number in range(LINES):
                messages.line(f"line{number}", POINTS).post(cluster)
            viewers = asyncio.run(watch(cluster, count))
            returned = [viewer for viewer in viewers if viewer.lost_at]
            if any(not viewer.back_at for viewer in returned):
                raise BenchError("somebody is not back")
            back_s += [viewer.back_at - viewer.lost_at for viewer in returned]
            sent += [viewer.sent_bytes for viewer in returned]
            whole = max(whole, *(viewer.first_bytes for viewer in viewers))
    return Result(
        tables=[
            Table(
                ["viewers that were back", "p50", "p95", "all", "bytes sent, p50", "most", "a first load"],
                [
                    [
                        f"{len(back_s):,}",
                        *(ms(percentile(back_s, share)) for share in (0.5, 0.95, 1.0)),
                        *(f"{percentile([float(size) for size in sent], share):,.0f}" for share in (0.5, 1.0)),
                        f"{whole:,}",
                    ]
                ],
            )
        ],
        targets=[
            Target("back after a relay was killed, p95", percentile(back_s, 0.95) * 1000, 2_000, " ms"),
            Target("sent to who is back, most, against a first load", max(sent) / whole, 0.1, "x"),
        ],
        chart=None,
    )


async def watch(cluster: Cluster, count: int) -> list[Viewer]:
    """The viewers, some time after one of the relays was killed."""
    viewers = [Viewer(cluster.port) for _ in range(count)]
    tasks = [asyncio.create_task(viewer.run()) for viewer in viewers]
    try:
        for viewer in viewers:
            await asyncio.wait_for(viewer.is_current.wait(), PATIENCE_S)
        growing = asyncio.create_task(asyncio.to_thread(grow, cluster))
        await asyncio.sleep(BEFORE_S)
        os.kill((await asyncio.to_thread(cluster.relays))[0], signal.SIGKILL)
        await growing
        for viewer in viewers:
            await asyncio.wait_for(viewer.is_current.wait(), PATIENCE_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return viewers


def grow(cluster: Cluster) -> None:
    """Append a point ten times a second."""
    for number in range(round((BEFORE_S + AFTER_S) / PACE_S)):
        append = messages.point("line0", POINTS + number)
        try:
            append.post(cluster)
        except (OSError, http.client.HTTPException):  # it went through the relay that was killed
            cluster.forget_connection()
            append.post(cluster)
        time.sleep(PACE_S)


class Viewer:
    """Follows the environment, and connects again when its link is lost."""

    def __init__(self, port: int) -> None:
        self.is_current = asyncio.Event()
        """It has been sent all that there was when it came."""
        self.lost_at = self.back_at = 0.0
        self.first_bytes = self.sent_bytes = 0
        self._url = f"ws://127.0.0.1:{port}/socket"
        self._identity: dict[str, Any] = {"session": None, "secret": None}
        self._position: dict[str, Any] | None = None
        self._have: dict[str, str] = {}
        self._wanted = 0
        self._failures = 0

    async def run(self) -> None:
        while True:
            try:
                socket = await websocket_connect(self._url, subprotocols=[SUBPROTOCOL])
                await self._follow(socket)
            except (OSError, HTTPClientError, WebSocketError):
                pass
            self.lost_at = self.lost_at or time.perf_counter()
            self.is_current.clear()
            await asyncio.sleep(random.uniform(0, min(MOST_PAUSE_S, FIRST_PAUSE_S * 2**self._failures)))
            self._failures += 1

    async def _follow(self, socket: WebSocketClientConnection) -> None:
        """Until the link is lost."""
        hello = {"type": "hello", "role": "browser", "window": 16, "feeds": {FEED: self._presented()}, **self._identity}
        await socket.write_message(json.dumps(hello))
        batches = 0
        while (text := await socket.read_message()) is not None:
            message = json.loads(text)
            if message["type"] == "welcome":
                self._identity = {name: message[name] for name in ("session", "secret")}
            elif message["type"] == "subscribed":
                self._wanted = message["offset"]
                if self.lost_at and not self.back_at:
                    self.back_at = time.perf_counter()
                if not message["recovered"]:
                    self._position = {"epoch": message["epoch"], "offset": -1}
                self._look()
            elif message["type"] == "batch":
                batches += 1
                await socket.write_message(json.dumps({"type": "ack", "batches": batches}))
                self._take(message, len(text))
            elif message["type"] == "ping":
                await socket.write_message('{"type":"pong"}')

    def _presented(self) -> dict[str, Any] | None:
        return self._position and {**self._position, "have": self._have}

    def _take(self, batch: Any, size: int) -> None:
        if not self.is_current.is_set():
            if self.lost_at:
                self.sent_bytes += size
            else:
                self.first_bytes += size
        for entry in batch["entries"]:
            self._note(entry)
        assert self._position is not None
        if batch["complete"]:
            self._position = {"epoch": batch["epoch"], "offset": batch["to"]}
            self._look()

    def _note(self, entry: Any) -> None:
        """Remember which content of a window this viewer has."""
        if "value" in entry:
            self._have[entry["key"]] = entry["value"]["contentID"]
        for kind, path, *value in entry.get("delta", []):
            if (kind, path) == ("set", ["contentID"]):
                self._have[entry["key"]] = value[0]

    def _look(self) -> None:
        if self._position is not None and self._position["offset"] >= self._wanted:
            self.is_current.set()
