"""A server process whose insides can be counted (`bench/processes/census.py`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.server import VisdomServer
from tests.support.wait import until

SCRIPT = Path(__file__).parents[2] / "bench" / "processes" / "visdom_server.py"

Census = dict[str, dict[str, int]]
PARTS = ("process", "held", "objects")


class InspectedServer(VisdomServer):
    """A server that tells what it holds."""

    def _command(self) -> list[str]:
        return [str(SCRIPT), f"{self.env_path}/", "--port", str(self.port)]

    def census(self, *parts: str) -> Census:
        """The counts of some parts: process, held, objects, garbage."""
        answer = self.get("/bench/census?" + "&".join(f"part={part}" for part in parts))
        answer.raise_for_status()
        census: Census = answer.json()
        return census

    def forgotten(self) -> None:
        """Wait until all sessions are gone."""
        until(lambda: not self.census("held")["held"]["sessions"], "all sessions are forgotten", seen=lambda: self.census("held"))

    def settled(self) -> Census:
        """What it holds once everybody has gone and nothing is on its way."""
        self.forgotten()
        seen: list[Any] = [None]

        def at_rest() -> Census | None:
            seen.append(self.census(*PARTS))
            return seen[-1] if seen[-1] == seen[-2] else None

        return until(at_rest, "the server comes to rest", seen=lambda: seen[-2:])

    def returns_to(self, before: Census) -> None:
        """Wait until it holds no more than before."""
        self.forgotten()
        until(
            lambda: not growth(before, self.census(*PARTS)),
            "the server holds no more than before",
            timeout_s=15,
            seen=lambda: growth(before, self.census(*PARTS)),
        )


def growth(before: Census, after: Census) -> dict[str, str]:
    """What there is more of."""
    more = {}
    for part, counts in after.items():
        for name, count in counts.items():
            was = before[part].get(name, 0)
            if count > was:
                more[f"{part}: {name}"] = f"{was} -> {count}"
    return more
