"""Programs are killed at any moment. What they had published more than a second before arrives, once and in order."""

from __future__ import annotations

import random
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.support.server import WITHOUT_PAGE, VisdomServer
from visdom_transport.client import Publisher
from visdom_transport.client.disk.command import main as send
from visdom_transport.client.disk.folders import folders

ROOT = Path(__file__).parents[3]


class Programs:
    """Brings up programs and kills them."""

    def __init__(self, process: subprocess.Popen[str], calls: Path) -> None:
        self.killed_at: list[int] = []
        self._process = process
        self._calls = calls

    def live(self, seconds: float) -> None:
        """One lives for so long, and publishes what follows on the one before."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{self.next} {seconds}\n")
        self._process.stdin.flush()
        self.killed_at.append(int(self._process.stdout.readline()))

    @property
    def next(self) -> int:
        numbers = [number for number, _ in self.published()]
        # One call may have been killed before it was noted.
        return numbers[-1] + 2 if numbers else 0

    def published(self) -> list[tuple[int, int]]:
        """Numbers whose call has returned, and when."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [(int(number), int(at)) for number, at in (line.split() for line in lines)]

    def must_arrive(self, kept_within_s: float) -> dict[int, float]:
        """Numbers that were published so long before the end of their program, and how many seconds before."""
        ends = sorted(self.killed_at)
        lived_s = {number: (next(end for end in ends if end > at) - at) / 1e9 for number, at in self.published()}
        return {number: left_s for number, left_s in lived_s.items() if left_s > kept_within_s}


@contextmanager
def programs(port: int, tmp_path: Path) -> Iterator[Programs]:
    calls = tmp_path / "calls"
    command = [sys.executable, "-m", "tests.client.disk.trainee", str(port), str(tmp_path / "outbox"), str(calls)]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=log, text=True, cwd=ROOT) as process,
    ):
        yield Programs(process, calls)
        assert process.stdin is not None
        process.stdin.close()


def begin(server: VisdomServer) -> None:
    """Make the window that lines are only added to."""
    with warnings.catch_warnings(action="ignore"):
        vis = Publisher(server="http://127.0.0.1", port=server.port, env="e", use_incoming_socket=False)
    vis.text("begun", win="text")
    assert vis.finish(20)


@pytest.mark.parametrize(
    ("lives", "shortest_s", "longest_s", "kept_within_s"),
    [
        (4, 3.05, 3.5, 3.0),  # beside many other tests
        pytest.param(200, 0.1, 2.7, 1.0, marks=[pytest.mark.long, pytest.mark.timeout(1_800)]),
    ],
)
def test_nothing_is_lost_when_programs_are_killed(
    tmp_path: Path, lives: int, shortest_s: float, longest_s: float, kept_within_s: float, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(lives)
    server = VisdomServer(tmp_path / "server", program=WITHOUT_PAGE, settings={"journal_interval_s": 0.2})
    server.start()
    try:
        begin(server)
        with programs(server.port, tmp_path) as killed:
            is_there = True
            for life in range(lives):
                # Away for some lives, and killed while programs send in others.
                if life % 4 == 2:
                    server.kill()
                    is_there = False
                elif not is_there:
                    server.start()
                    is_there = True
                killed.live(chance.uniform(shortest_s, longest_s))
            if not is_there:
                server.start()
        assert send([str(tmp_path / "outbox")]) == 0, capsys.readouterr().out
        windows = server.windows("e")
        must = killed.must_arrive(kept_within_s)
        assert must
        line = [int(x) for x in windows["line"]["content"]["data"][0]["x"]]
        text = [int(number) for number in windows["text"]["content"].split("<br>")[1:]]
        images = [int(name.removeprefix("image ")) for name in windows if name.startswith("image ")]
        # Visdom 0.3.0 keeps the newest lines of a text only.
        recent = [each for each in must if each >= text[0]]
        for found, wanted in ((line, must), (text, recent), (images, [each for each in must if each % 50 == 0])):
            assert found == sorted(set(found))
            there = set(found)
            assert {each: must[each] for each in wanted if each not in there} == {}
        assert folders(tmp_path / "outbox") == []
    finally:
        server.kill()
