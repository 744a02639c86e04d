"""Schedules: who takes part, and what happens in which order. Plain data, made from a seed.

A schedule says what is done and when it is begun; how long it takes is up to the machine, so that a replay makes the same
decisions, though not with the same timing.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from tests.faults.files import LASTING, PASSING
from tests.faults.fronts import KINDS

OWN_PAGES = ("own-socket", "own-poll", "own-switch", "own-slow")
STOCK_PAGES = ("stock-socket", "stock-poll")
OWN_SOURCES = ("source-socket", "source-poll", "source-switch")
STOCK_SOURCES = ("stock-source-socket", "stock-source-poll")
PYTHON_SOURCES = ("python-source",)
PUBLISHERS = ("publisher", "poster")
TABS = ("tab",)
OWN = OWN_PAGES + OWN_SOURCES

NETWORKS = 3
"""Proxies between the clients and the server; each has faults of its own."""

EXTRAS = 2
"""Windows of each publisher that come and go."""

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Member:
    """A client. `network` is the proxy it goes through; None is a client that the faults of networks spare."""

    id: int
    kind: str
    network: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is begun `after_s` seconds after the step before it, by or to the member `who` if it is about one."""

    do: str
    after_s: float = 0.0
    who: int | None = None
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Schedule:
    seed: int
    cast: tuple[Member, ...]
    steps: tuple[Step, ...]

    def only(self, steps: Iterable[Step], members: Iterable[Member] | None = None) -> Self:
        """The same schedule with fewer steps or members; what was about others is left out."""
        cast = self.cast if members is None else tuple(members)
        present = {member.id for member in cast}
        kept = tuple(step for step in steps if step.who is None or step.who in present)
        return replace(self, cast=cast, steps=kept)

    def to_json(self) -> str:
        """One member or step a line, for people to read and for `--replay`."""
        lines = [f' "{name}": [\n{_lines(getattr(self, name))}\n ]' for name in ("cast", "steps")]
        return f'{{"seed": {self.seed},\n' + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        data = json.loads(text)
        cast = tuple(Member(**member) for member in data["cast"])
        return cls(data["seed"], cast, tuple(Step(**step) for step in data["steps"]))

    def save(self, path: Path) -> None:
        path.write_text(self.to_json())


def _lines(items: Iterable[Any]) -> str:
    told = ({name: value for name, value in asdict(item).items() if value not in (None, {})} for item in items)
    return ",\n".join(f"  {json.dumps(each)}" for each in told)


def generate(seed: int, *, tab: bool = False, stock_only: bool = False) -> Schedule:
    """The schedule of a seed: 20 to 50 clients, what they do, and what goes wrong.

    `tab` has a browser take part. `stock_only` leaves out every client and fault that a stock server, which has no resume and
    keeps nothing on disk, could not take part in.
    """
    return _Generator(seed, tab, stock_only).make()


class _Generator:
    def __init__(self, seed: int, tab: bool, stock_only: bool) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.tab = tab
        self.stock_only = stock_only
        self.cast: list[Member] = []

    def make(self) -> Schedule:
        self._choose_cast()
        steps = [self._work() for _ in range(self.rng.randint(30, 50))]
        for _ in range(self.rng.randint(2, 5)):
            self._add_network_fault(steps)
        if not self.stock_only:
            self._add_server_fault(steps)
        return Schedule(self.seed, tuple(self.cast), tuple(steps))

    # --- who ---

    def _choose_cast(self) -> None:
        rng = self.rng
        size = rng.choices([rng.randint(20, 22), rng.randint(25, 35), rng.randint(36, 50)], weights=[15, 3, 1])[0]
        if self.stock_only:
            fixed = [*STOCK_PAGES, *STOCK_SOURCES, "poster", "poster"]
            kinds = [*STOCK_PAGES, *STOCK_PAGES, *STOCK_SOURCES, "poster"]
            weights = [1] * len(kinds)
        else:
            self._join("own-socket", direct=True)
            self._join("source-socket", direct=True)
            fixed = [*OWN_PAGES, *STOCK_PAGES, *OWN_SOURCES, *STOCK_SOURCES, *PUBLISHERS]
            kinds = [*OWN_PAGES, *STOCK_PAGES, *OWN_SOURCES, *STOCK_SOURCES, *PUBLISHERS]
            weights = [5, 3, 4, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1]
            if rng.random() < 0.3:
                self._join("python-source")
        for kind in fixed:
            self._join(kind)
        if self.tab:
            self._join("tab")
        for kind in rng.choices(kinds, weights, k=max(0, size - len(self.cast))):
            self._join(kind)

    def _join(self, kind: str, *, direct: bool = False) -> None:
        network = self.rng.choice([*range(NETWORKS), *range(NETWORKS), None, None])
        self.cast.append(Member(len(self.cast), kind, None if direct else network))

    def _of(self, *kinds: str) -> int:
        return self.rng.choice([member.id for member in self.cast if member.kind in kinds])

    def _pause(self) -> float:
        return round(self.rng.uniform(0.0, 0.03), 3)

    # --- what happens when all is well ---

    def _work(self) -> Step:
        """What a publisher, a page or a user does."""
        rng = self.rng
        publishing: dict[str, float] = {
            "append": 10,
            "slide": 3,
            "replace": 4,
            "toggle": 5,
            "again": 2,
            "big": 0.7,
            "env": 1.5,
            "victim": 1.5,
        }
        paging: dict[str, float] = {"click": 6, "shut": 1.5, "arrange": 1, "layouts": 1, "burst": 0.15}
        living: dict[str, float] = {"reload": 1, "drop": 2}
        if self.stock_only:
            del publishing["env"], publishing["slide"], paging["burst"]
        else:
            living |= {"switch": 3, "slow": 2, "hide": 1.5, "intrude": 1.5}
        what = rng.choices(*zip(*(publishing | paging | living).items(), strict=True))[0]
        pages = STOCK_PAGES if self.stock_only else OWN_PAGES
        clients = STOCK_PAGES + STOCK_SOURCES if self.stock_only else OWN + STOCK_PAGES + STOCK_SOURCES
        args: dict[str, Any] = {}
        if what in publishing:
            who = self._of("poster") if what in ("env", "victim") else self._of(*PUBLISHERS)
            if what in ("append", "slide"):
                args = {"count": rng.choice([1, 1, 1, 2, 5, 40])}
            elif what in ("toggle", "again"):
                args = {"extra": rng.randrange(EXTRAS)}
        elif what in paging:
            who = self._of(*pages)
            if what == "click":
                args = {"count": rng.choice([1, 1, 2, 5])}
        elif what in ("switch", "slow", "hide", "intrude"):
            who = self._of(*(OWN if what == "switch" else OWN_PAGES))
            if what in ("slow", "hide"):
                args = {"seconds": round(rng.uniform(0.1, 0.8), 2)}
        elif what == "reload":
            who = self._of(*(pages if self.stock_only else clients))
        else:
            who = self._of(*clients)
        return Step(what, self._pause(), who, args)

    # --- what goes wrong ---

    def _add_network_fault(self, steps: list[Step]) -> None:
        """A fault, and what takes it back."""
        rng = self.rng
        weights = {"cut": 5, "refuse": 3, "blackhole": 3, "delay": 2, "throttle": 2, "truncate": 4, "reorder": 2, "websockets": 3}
        if not self.stock_only:
            weights["front"] = 9
        what = rng.choices(list(weights), list(weights.values()))[0]
        args: dict[str, Any] = {"network": rng.randrange(NETWORKS)}
        if what == "blackhole":
            args["directions"] = rng.choice([["up"], ["down"], ["up", "down"]])
        elif what == "delay":
            args["seconds"] = rng.choice([0.005, 0.03, 0.1])
        elif what == "throttle":
            args["bytes_per_s"] = rng.choice([20_000, 200_000])
        elif what == "truncate":
            args["down_bytes"] = rng.choice([1, 3, 50, 500, 5_000])
        elif what == "websockets":
            args["how"] = rng.choice(["refuse", "swallow", "mute"])
        elif what == "front":
            args |= {"kind": rng.choice(KINDS), "late": rng.random() < 0.25}
        begin = rng.randrange(len(steps))
        if what == "front":
            args["network"] = self._publish_through_it(steps, begin, args["network"])
        steps.insert(begin, Step(what, self._pause(), None, args))
        if what != "cut":
            # Most are over soon; some last until everything is healed at the end.
            end = min(len(steps), begin + 1 + int(rng.expovariate(1 / 15)))
            steps.insert(end, Step("heal", self._pause(), None, {"network": args["network"]}))

    def _publish_through_it(self, steps: list[Step], at: int, network: int) -> int:
        """Have somebody publish through a front. Returns the network that it is to be in."""
        there = [each for each in self.cast if each.kind in PUBLISHERS and each.network is not None]
        if not there:
            return network
        publisher = self.rng.choices(there, [2 if each.kind == "publisher" else 1 for each in there])[0]
        steps.insert(at, Step("append", self._pause(), publisher.id, {"count": self.rng.choice([1, 2, 5])}))
        assert publisher.network is not None
        return publisher.network

    def _add_server_fault(self, steps: list[Step]) -> None:
        rng = self.rng
        what = rng.choices([None, "pause", "kill", "clock", "disk", "files"], weights=[53, 14, 9, 8, 7, 9])[0]
        if what is None:
            return
        at = rng.randrange(len(steps) // 4, len(steps))
        if what == "pause":
            seconds = rng.choice([0.1, 0.3, 0.6, 1.5])
            steps.insert(at, Step(what, self._pause(), None, {"seconds": seconds}))
        elif what == "clock":
            steps.insert(at, Step(what, self._pause(), None, {"seconds": rng.choice([-7200, -60, 60, 7200])}))
        elif what == "kill":
            steps.insert(at, Step(what, self._pause(), None, {"state": rng.choice(["kept", "kept", "lost"])}))
        elif what == "files":
            self._add_odd_files(steps, at)
        else:
            steps.insert(at, Step("disk", self._pause(), None, {"full": True}))
            if rng.random() < 0.3:
                at = rng.randrange(at + 1, len(steps) + 1)
                steps.insert(at, Step("kill", self._pause(), None, {"state": "kept"}))
            else:
                steps.insert(rng.randrange(at + 1, len(steps) + 1), Step("disk", self._pause(), None, {"full": False}))

    def _add_odd_files(self, steps: list[Step], at: int) -> None:
        """A file system that does less than others: for a time, or as long as there is a server."""
        rng = self.rng
        lasting = rng.random() < 0.7
        failing = LASTING if lasting else LASTING | PASSING
        names = rng.choice([list(failing), *([name] for name in failing)])
        args: dict[str, Any] = {"failing": {name: rng.choice(failing[name]) for name in names}}
        steps.insert(at, Step("files", self._pause(), None, args | ({"lasting": True} if lasting else {})))
        if rng.random() < 0.7:  # the next server finds the same
            at = rng.randrange(at + 1, len(steps) + 1)
            steps.insert(at, Step("kill", self._pause(), None, {"state": rng.choice(["kept", "kept", "lost"])}))
        if not lasting:
            steps.insert(rng.randrange(at + 1, len(steps) + 1), Step("files", self._pause(), None, {"failing": {}}))
