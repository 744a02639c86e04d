"""Threads, processes and tasks that begin the same windows at once: every point and every image is there, once and in order."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import at_once
from tests.support.server import VisdomServer

TIMEOUT_S = 540
"""The clients that wait for each answer take 20 s for 8,000 points on a quiet machine, and much more on a busy one."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("server")) as server:
        yield server


def begin_at_once(server: VisdomServer, method: str, client: str, workers: int, count: int, **environ: str) -> dict[str, Any]:
    server.post("/delete_env", {"eid": at_once.ENV})
    text = {"win": "text", "eid": at_once.ENV, "data": [{"type": "text", "content": "0 -1"}], "opts": {"max_lines": 999}}
    server.post("/events", text).raise_for_status()
    program = [sys.executable, "-W", "ignore", at_once.__file__, method, client, str(server.port), str(workers), str(count)]
    result = subprocess.run(program, timeout=TIMEOUT_S, capture_output=True, text=True, env=os.environ | environ)
    assert result.returncode == 0, result.stderr[-3000:]
    return server.windows(at_once.ENV)


def by_worker(values: list[tuple[int, int]]) -> dict[int, list[int]]:
    seen = defaultdict(list)
    for worker, value in values:
        seen[worker].append(value)
    return seen


LARGE = [pytest.mark.slow, pytest.mark.timeout(600)]
SIZES = [
    ("plain", 4, 50),
    pytest.param("plain", 8, 200, marks=LARGE),
    # Each of its calls waits for two answers: minutes where two cores do more than this.
    pytest.param("plain", 8, 1_000, marks=[pytest.mark.long, *LARGE]),
    ("Publisher", 4, 50),
    pytest.param("Publisher", 8, 1_000, marks=LARGE),
]


@pytest.mark.parametrize(("client", "workers", "count"), SIZES)
@pytest.mark.parametrize("method", ["thread", "fork", "spawn", "task"])
def test_everything_is_there_once(server: VisdomServer, method: str, client: str, workers: int, count: int) -> None:
    windows = begin_at_once(server, method, client, workers, count)
    plot = windows["plot"]
    assert (plot["title"], plot["content"]["layout"]["xaxis"]["title"]) == ("Plot", "step")
    traces = plot["content"]["data"]
    assert sorted(trace["name"] for trace in traces) == [f"t{n}" for n in range(at_once.TRACES)]
    for trace in traces:
        assert trace["y"] == trace["x"]
        assert {x // count % at_once.TRACES for x in trace["x"]} == {int(trace["name"][1:])}
    points = by_worker([(x // count, x) for trace in traces for x in trace["x"]])
    assert points == {n: [*range(n * count, (n + 1) * count)] for n in range(workers)}
    now_and_then = {n: [*range(0, count, count // at_once.IMAGES)] for n in range(workers)}
    assert by_worker([pair(image["caption"]) for image in windows["images"]["content"]]) == now_and_then
    assert by_worker([(worker, step) for worker, step in windows["rows"]["content"]["data"][0]["z"]]) == now_and_then
    assert by_worker([pair(line) for line in windows["text"]["content"].split("<br>")[1:]]) == now_and_then


def pair(text: str) -> tuple[int, int]:
    worker, step = text.split()
    return int(worker), int(step)


def test_a_publisher_needs_no_hook_for_it(server: VisdomServer) -> None:
    windows = begin_at_once(server, "thread", "Publisher", 4, 50, VISDOM_TRANSPORT="0")
    assert sorted(x for trace in windows["plot"]["content"]["data"] for x in trace["x"]) == [*range(200)]
