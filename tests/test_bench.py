"""What benchmarks rely on: their clients acknowledge as pages do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.processes.acknowledging import Acknowledging

VECTORS = json.loads((Path(__file__).parent / "vectors" / "acknowledgements.json").read_text())


class Clock:
    """Milliseconds that pass when the test says so."""

    def __init__(self) -> None:
        self.ms = 0
        self._alarms: list[Alarm] = []

    def now(self) -> float:
        return self.ms / 1000

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Alarm:
        self._alarms.append(Alarm(self.ms + round(seconds * 1000), callback))
        return self._alarms[-1]

    def pass_until(self, ms: int) -> None:
        while due := [alarm for alarm in self._alarms if alarm.at <= ms and alarm.callback is not None]:
            alarm = min(due, key=lambda alarm: alarm.at)
            self.ms, callback = alarm.at, alarm.callback
            alarm.cancel()
            assert callback is not None
            callback()
        self.ms = ms


class Alarm:
    def __init__(self, at: int, callback: Callable[[], None]) -> None:
        self.at = at
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_clients_of_benchmarks_acknowledge_as_pages_do(vector: Any) -> None:
    clock, said = Clock(), []
    client = Acknowledging(vector["credit"], clock.now, clock.call_later, lambda message: said.append([clock.ms, message]))
    act = {"batch": client.received, "draw": client.drew, "credit": client.grant}
    for at, what, value in vector["steps"]:
        clock.pass_until(at)
        act[what](value)
    clock.pass_until(clock.ms + 2_000)
    assert said == vector["says"]
