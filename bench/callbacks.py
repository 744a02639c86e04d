"""From a key in a page to a Python handler, and the keys that are lost on the way back.

A page that follows the environment presses 25 keys in a text pane. The handler of a Python client, in a process of its own,
appends each to the content that the event brings and writes that back with `vis.text`, as Visdom's demo does. *To the handler* is
the time from sending a key until the handler is called, with keys 100 ms apart. *Lost* are keys that the pane does not show in
the end, because the event of the next one still carried the content before them: the median of the rounds, and the worst one. The
client listens over a WebSocket, or polls; stock's polls work in 0.2.4 only.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from contextlib import ExitStack
from typing import Self

import websocket
from visdom.utils import server_utils

from .support.measure import Bench, Samples, percentile
from .support.program import Program
from .support.result import Bars, Result, Table, Target, ms, number
from .support.servers import BenchError, Kind, Server
from .support.subscriber import OwnSubscriber, StockSubscriber

KINDS: tuple[Kind, ...] = ("ours", "stock")
LINKS = ("websocket", "polling")
GAPS_MS = (10, 20, 50)
KEYS = "abcdefghijklmnopqrstuvwxy"
WIN = "typed"
ANSWER_TIMEOUT_S = 20.0
POLLING_WORKS = not hasattr(server_utils, "notify")
"""Stock's, which only 0.2.4 has."""


class Typist(Program):
    """The Python client. It is gone after the `with` block."""

    def __init__(self, server: Server, link: str) -> None:
        who = f"the client of the {server.kind} server"
        arguments = str(server.port), link
        super().__init__("typist", *arguments, who=who, answer_within_s=ANSWER_TIMEOUT_S, environment=server.environment)

    def __enter__(self) -> Self:
        super().__enter__()
        self.answer()  # it listens
        return self


class Page:
    """A page that follows the environment and presses keys."""

    def __init__(self, server: Server) -> None:
        self._subscriber = OwnSubscriber(server) if server.kind == "ours" else StockSubscriber(server)
        self._subscriber.connect()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(websocket.WebSocketException, OSError):
            while True:
                if isinstance(self._subscriber, OwnSubscriber):
                    self._subscriber.take_batch()
                else:
                    self._subscriber.take_change()

    def type(self, gap_s: float) -> list[float]:
        """Press each of the keys, ``gap_s`` after the one before. Returns when each was sent."""
        sent = []
        began = time.monotonic()
        for index, key in enumerate(KEYS):
            time.sleep(max(0.0, began + index * gap_s - time.monotonic()))
            event = {"event_type": "KeyPress", "target": WIN, "eid": "main", "key": key, "key_code": ord(key), "number": index}
            sent.append(time.monotonic())
            self._subscriber.command({"cmd": "forward_to_vis", "data": event})
        return sent

    def close(self) -> None:
        self._subscriber.cut()
        self._reader.join(5)


def run(bench: Bench) -> Result:
    latencies: dict[tuple[Kind, str], list[float]] = {}
    lost = Samples()
    pairs = [(kind, link) for link in LINKS for kind in KINDS if (kind, link) != ("stock", "polling") or POLLING_WORKS]
    with ExitStack() as stack:
        servers = {pair: stack.enter_context(Server(pair[0])) for pair in pairs}
        typists = {pair: stack.enter_context(Typist(servers[pair], pair[1])) for pair in pairs}
        pages = {}
        for pair in pairs:
            typists[pair].ask('{"clear": null}')
            pages[pair] = Page(servers[pair])
            stack.callback(pages[pair].close)
        for _ in bench.rounds(10, quick=2):
            for pair in pairs:
                latencies.setdefault(pair, []).extend(type_keys(servers[pair], typists[pair], pages[pair], 100)[0])
                for gap_ms in GAPS_MS:
                    lost.add(type_keys(servers[pair], typists[pair], pages[pair], gap_ms)[1], gap_ms, *pair)
    return report(pairs, latencies, lost)


def report(pairs: list[tuple[Kind, str]], latencies: dict[tuple[Kind, str], list[float]], lost: Samples) -> Result:
    rows = []
    for pair in pairs:
        times_s = (percentile(latencies[pair], share) for share in (0.5, 0.95))
        keys = (f"{number(lost.median(gap, *pair))}, {number(lost.most(gap, *pair))}" for gap in GAPS_MS)
        rows.append([" over ".join(pair), *map(ms, times_s), *keys])
    median = {pair: percentile(latencies[pair], 0.5) for pair in pairs}
    columns = ["client and server", "to the handler, median", "95 %", *(f"lost, {gap} ms apart" for gap in GAPS_MS)]
    return Result(
        tables=[Table(columns, rows)],
        targets=[
            Target(
                "key to handler over a WebSocket, median, ours, against stock",
                median["ours", "websocket"] / median["stock", "websocket"],
                1.2,
                "x",
            ),
            Target(
                "keys of 25 lost in any round, at any distance, ours",
                max(lost.most(gap, "ours", link) for gap in GAPS_MS for link in LINKS),
                0,
            ),
        ],
        chart=Bars(
            "Keys of 25 lost, 10 ms apart",
            "in the worst round",
            {" over ".join(pair): lost.most(GAPS_MS[0], *pair) for pair in pairs},
        ),
    )


def type_keys(server: Server, typist: Typist, page: Page, gap_ms: float) -> tuple[list[float], int]:
    """How long each key took to the handler, in seconds, and how many are not in the pane in the end."""
    typist.ask('{"clear": null}')
    sent = page.type(gap_ms / 1000)
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while len(taken := typist.ask('{"taken": null}')) < len(sent):
        if time.monotonic() > deadline:
            raise BenchError(f"{server.kind}: only {len(taken)} of {len(sent)} keys reached the handler")
        time.sleep(0.02)
    shown = json.loads(server.post("/win_data", json.dumps({"win": WIN, "eid": "main"}).encode()))["content"]
    return [called - sent[int(index)] for index, called, _ in taken], len(KEYS) - len(shown)
