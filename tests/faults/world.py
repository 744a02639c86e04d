"""A server, the proxies before it, and the playing of schedules on them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy  # noqa: F401  (the real publisher needs it at its first call, in the middle of a schedule)

from tests.faults import serve
from tests.faults.checks import Truth, check_bounds, check_events, check_gaps, check_log, disagreement, overdue, unannounced
from tests.faults.others import PythonSource, RealTab, intrude
from tests.faults.own import OwnClient
from tests.faults.plants import CLIENT_PLANTS
from tests.faults.publishing import Poster, Producer, RealPublisher, hurry
from tests.faults.schedule import NETWORKS, OWN, OWN_PAGES, STOCK_PAGES, STOCK_SOURCES, Member, Schedule, Step
from tests.faults.stage import SETTINGS, Stage, Violation
from tests.faults.stock import StockClient, StockPage, StockSource
from tests.faults.trouble import FAULTS, Trouble
from tests.faults.wire import Http, LinkLost, Refused, end
from tests.support.browser import Browser
from tests.support.server import VisdomServer

SETTLE_S = 12.0
"""Healed, everybody must have caught up after so long."""
PUBLISH_S = 40.0
"""So long may publishers take to send what is left, on a machine that is busy."""
LOOK_INTERVAL_S = 0.15
STATUS_INTERVAL_S = 0.7
Settle = Callable[[Stage, dict[int, Any]], Awaitable[None]]


@dataclass
class Outcome:
    """What became of one schedule."""

    schedule: Schedule
    violations: list[Violation]
    seconds: float
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)


class World:
    """Plays schedules one after the other on one server, each in an environment of its own.

    `plant` names a mistake that is built into the server or the clients; `stock` runs Visdom without our transport.
    """

    def __init__(self, directory: Path, *, stock: bool = False, plant: str | None = None, browser: Browser | None = None) -> None:
        self.stock = stock
        self.plant = plant
        self.browser = browser
        in_server = plant is not None and plant not in CLIENT_PLANTS
        program = (serve.__file__, "-logging_level", "WARNING", *(["--plant", str(plant)] if in_server else []))
        directory.mkdir(parents=True, exist_ok=True)
        self.server = VisdomServer(directory, settings={} if stock else SETTINGS, stock=stock, program=program)
        self.trouble = Trouble(self.server)
        self._number = 0
        self._name = secrets.token_hex(3)
        self._layouts = 0
        self._http: Http | None = None

    async def __aenter__(self) -> Self:
        hurry()
        await asyncio.to_thread(self.server.start)
        self.trouble.open()
        self._http = Http(self.server.port, stock=self.stock, reply_timeout_s=30.0)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.trouble.close()
        assert self._http is not None
        self._http.drop()
        self.server.kill()

    # --- playing ---

    async def play(self, schedule: Schedule, *, settle: Settle | None = None, begin_s: float = 0.0) -> Outcome:
        """Play a schedule to its end, and check it, or `settle` otherwise. Clients have `begin_s` to connect first."""
        began = time.monotonic()
        self._number += 1
        stage = self.trouble.stage = Stage(
            env=self._env(self._number),
            rng=random.Random(schedule.seed),
            server_port=self.server.port,
            network_ports=self.trouble.ports,
            stock=self.stock,
            plant=self.plant if self.plant in CLIENT_PLANTS else None,
            spoiled_at=[0.0] * NETWORKS,
        )
        members = {member.id: self._make(stage, member, schedule) for member in schedule.cast}
        faults: Counter[str] = Counter()
        for member in members.values():
            opening = member.start()
            if opening is not None:
                await opening
        await asyncio.sleep(begin_s)
        logged = self.server.log_path.stat().st_size
        monitor = asyncio.create_task(stage.watched(self._monitor(stage), "the monitor"))
        try:
            for step in schedule.steps:
                await asyncio.sleep(step.after_s)
                if step.who is None:
                    self.trouble.begin(step.do, dict(step.args))
                else:
                    await self._do(step, stage, members)
                faults[step.do] += step.do in FAULTS
            await self.trouble.heal()
            assert self._http is not None
            self._http.drop()  # the server at its other end may have been killed
            for member in members.values():
                if isinstance(member, OwnClient):
                    member.slow_until = 0.0
            await (settle or self._settle)(stage, members)
            if not self.stock:
                check_log(stage, self.server.log_path, logged)
        finally:
            await end(monitor)
            await asyncio.gather(*(member.stop() for member in members.values()))
            await self.trouble.mend_files()
            with contextlib.suppress(LinkLost, Refused):
                await self._forget(stage.env)
        return Outcome(schedule, stage.violations, time.monotonic() - began, +faults, stage.counts)

    def _env(self, number: int) -> str:
        # A publisher that was not stopped must not reach another server's environment of the same name, should it get its port.
        return f"f{self._name}-{number}"

    def _make(self, stage: Stage, member: Member, schedule: Schedule) -> Any:
        kind = member.kind
        if kind in OWN:
            return OwnClient(stage, member)
        if kind in STOCK_PAGES:
            return StockPage(stage, member)
        if kind in STOCK_SOURCES:
            return StockSource(stage, member)
        if kind == "publisher":
            return RealPublisher(stage, member)
        if kind == "poster":
            return Poster(stage, member)
        if kind == "python-source":
            return PythonSource(stage, member, [f"page{page.id}.1" for page in schedule.cast if page.kind in OWN_PAGES])
        assert self.browser is not None, f"no {kind} without a browser"
        return RealTab(stage, member, self.browser, self.server)

    async def _do(self, step: Step, stage: Stage, members: dict[int, Any]) -> None:
        assert step.who is not None
        member = members[step.who]
        if step.do == "slow":
            member.slow_until = time.monotonic() + step.args["seconds"]
        elif step.do == "intrude":
            others = [other for other in members.values() if isinstance(other, OwnClient)]
            self.trouble.beside(intrude(stage, member, others))
        elif step.do == "shut":
            victims = [each.id for each in members.values() if isinstance(each, Poster)]
            if victims:
                self._command(member, cmd="close", data=f"victim{stage.rng.choice(victims)}", eid=stage.env)
        elif step.do == "arrange":
            self._command(member, cmd="layout_item_update", eid=stage.env, win="line", data={"i": "line", "h": 1, "w": 1})
        elif step.do == "layouts":
            self._layouts += 1
            self._command(member, cmd="save_layouts", data=f'{{"{stage.env}": {{"view {self._layouts}": {{}}}}}}')
        elif step.do == "burst":
            member.click(SETTINGS["event_count"] + 50)
        else:
            result = getattr(member, step.do)(**step.args)
            if asyncio.iscoroutine(result):
                await result

    @staticmethod
    def _command(page: Any, **command: Any) -> None:
        if isinstance(page, StockPage):
            page.send(command)
        else:
            page.command(**command)

    # --- the end ---

    async def _settle(self, stage: Stage, members: dict[int, Any]) -> None:
        """Wait until everybody has caught up, and check what came of it."""
        # What a dead link does not tell, a user finds out, and loads the page again.
        await asyncio.gather(*(m.reload() for m in members.values() if isinstance(m, StockClient) and m.may_be_dead))
        finishing = [m.finish(PUBLISH_S) for m in members.values() if isinstance(m, Producer)]
        await asyncio.gather(*finishing)
        looks = 0
        truth = await self.truth(stage)
        pages = [m for m in members.values() if isinstance(m, OwnClient) and m.states]
        while behind := truth.differences(stage.env, members.values()) | disagreement(pages) | self._unannounced(stage, members):
            # Looks are counted, not seconds: on a machine that is busy everybody needs longer, this included.
            looks += 1
            if looks > SETTLE_S / LOOK_INTERVAL_S:
                for who, difference in behind.items():
                    stage.violated("convergence", f"{members[who].kind} {who}: {difference}")
                break
            await asyncio.sleep(LOOK_INTERVAL_S)
            truth = await self.truth(stage)
        for tab in members.values():
            if isinstance(tab, RealTab):
                await tab.finish()
        for member in members.values():
            if isinstance(member, RealPublisher | Poster):
                member.check(truth.windows)
        check_events(stage, members.values(), truth)
        check_gaps(stage, members.values(), truth)

    @staticmethod
    def _unannounced(stage: Stage, members: dict[int, Any]) -> dict[int, str]:
        # Visdom's client does not say which server its events are from.
        return unannounced(members.values()) if stage.life == 0 else {}

    async def truth(self, stage: Stage) -> Truth:
        """What the server holds of the environment of a schedule."""
        assert self._http is not None
        envs = await self._http.post("/env_state", {})
        # A server that has lost its state may not have the environment any more.
        windows, other = [
            await self._http.post("/win_data", {"win": None, "eid": eid}) if eid in envs else {}
            for eid in (stage.env, f"{stage.env}-x")
        ]
        events = ("", 0)
        if not self.stock:
            status = await self._http.get("/transport/status")
            feed = status["feeds"]["events"]
            events = (feed["epoch"], feed["offset"])
        return Truth(windows, other, envs, events)

    async def _forget(self, env: str) -> None:
        assert self._http is not None
        for eid in (env, f"{env}-x"):
            await self._http.post("/delete_env", {"eid": eid, "prev_eid": eid})

    async def _monitor(self, stage: Stage) -> None:
        """Look at what the server says of itself, from time to time."""
        http = Http(self.server.port)
        was_overdue = False
        try:
            while not self.stock:
                await asyncio.sleep(STATUS_INTERVAL_S)
                asked = time.monotonic()
                try:
                    status = await http.get("/transport/status")
                except (LinkLost, Refused):
                    continue
                check_bounds(stage, status)
                if status["durability"]["on_disk"]:
                    stage.on_disk_until = asked
                late = overdue(status) if self.trouble.is_quiet else []
                # A server that the machine has held up answers before its reaper has had its turn: the next time it has had it.
                for each in late if was_overdue else []:
                    stage.violated("liveness", each)
                was_overdue = bool(late)
        finally:
            http.drop()

    async def prepare(self, *windows: str) -> None:
        """Put windows into the environment of the next schedule."""
        assert self._http is not None
        for win in windows:
            data = [{"type": "text", "content": "0 of nobody"}]
            await self._http.post(
                "/events", {"win": win, "eid": self._env(self._number + 1), "data": data, "layout": {}, "opts": {}}
            )

    async def sessions(self) -> int:
        """How many sessions the server still has."""
        assert self._http is not None
        if self.stock:
            clients: int = (await self._http.get("/faults/clients"))["sessions"]
            return clients
        return len((await self._http.get("/transport/status"))["sessions"])

    async def check_empty(self) -> Violation | None:
        """Once nobody is there any more, the number of sessions returns to zero."""
        deadline = time.monotonic() + SETTINGS["dead_after_s"] + SETTINGS["grace_s"] + 3.0
        while left := await self.sessions():
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.2)
        return Violation("liveness", f"{left} sessions are left") if left else None
