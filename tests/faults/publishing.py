"""Publishers, and what must have become of what they published.

Each has windows of its own: `line<id>` with numbered points, `ring<id>` with the last of others, `text<id>` with a numbered text,
`big<id>` larger than a batch, and `extra<id>-<n>` that come and go. So what must be there follows from what one publisher did,
whatever the others do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.faults.participant import Actor, Participant
from tests.faults.plants import believe_everybody
from tests.faults.schedule import Member
from tests.faults.stage import Stage
from tests.faults.wire import Http, LinkLost, NotTheServer, Refused
from visdom_transport.client import Publisher
from visdom_transport.client import sender as publisher_sender
from visdom_transport.client.asking import connection as publisher_connection
from visdom_transport.client.asking import exchange as publisher_exchange
from visdom_transport.client.asking import outage as publisher_outage
from visdom_transport.client.asking import questions as publisher_questions

Windows = Mapping[str, Any]

BIG_BYTES = 20_000
RING_POINTS = 20


def hurry() -> None:
    """Have the real publisher wait for a fraction of what it waits for outside of tests, and log nothing."""
    publisher_sender.INTERVAL_S = 0.03
    publisher_sender.QUESTION_INTERVAL_S = 0.1
    publisher_outage.MAX_BACKOFF_S = 0.2
    publisher_exchange.CONNECT_TIMEOUT_S = 2.0
    publisher_connection.REPLY_TIMEOUT_S = 2.0
    publisher_connection.QUESTION_TIMEOUT_S = publisher_questions.QUESTION_TIMEOUT_S = 2.0
    for name in ("visdom", "visdom_transport.client", "visdom_transport.source"):
        logging.getLogger(name).disabled = True


def points_of(windows: Windows, win: str) -> list[Any]:
    window = windows.get(win)
    return [] if window is None else [x for trace in window["content"]["data"] for x in trace["x"]]


def version_of(windows: Windows, win: str) -> int | None:
    window = windows.get(win)
    return None if window is None else int(window["content"].partition(" ")[0])


class Producer(Participant):
    """What both kinds of publishers have in common."""

    def __init__(self, stage: Stage, member: Member) -> None:
        super().__init__(stage, member)
        self.line = f"line{member.id}"
        self.ring = f"ring{member.id}"
        self.text = f"text{member.id}"
        self.points = 0
        self.slides = 0
        self.version = 0

    def extra(self, number: int) -> str:
        return f"extra{self.id}-{number}"

    def violated(self, invariant: str, detail: str) -> None:
        self.stage.violated(invariant, f"{self.kind} {self.id}: {detail}")

    def tally(self, windows: Windows) -> dict[str, int]:
        """How many points are not there, whether or not that was told, and how many are there twice."""
        found = points_of(windows, self.line)
        return {"lost": self.points - len(set(found)), "doubled": len(found) - len(set(found))}

    def check_order(self, win: str, found: list[Any]) -> None:
        if len(set(found)) != len(found):
            self.violated("duplicate", f"points of {win}: {[x for x in set(found) if found.count(x) > 1]} twice in {found}")
        elif found != sorted(found):
            self.violated("order", f"points of {win}: {found}")


class RealPublisher(Producer):
    """`visdom_transport.client.Publisher`: everything exactly once, as far as the server kept its state."""

    def __init__(self, stage: Stage, member: Member) -> None:
        super().__init__(stage, member)
        # Its calls may wait for answers, and must stay in order.
        self._thread = ThreadPoolExecutor(1, f"publisher-{member.id}")
        self._vis: Any = None
        self._versions: dict[str, int | None] = {}
        """What must be in each window with a number; None after a close."""
        self._since_lost: int | None = None
        """The first point published after the server lost its state."""
        self.flushed = False

    def start(self) -> None:
        self._do(self._open)

    def _open(self) -> None:
        self._vis = Publisher(
            server="http://127.0.0.1",
            port=self.stage.port(self.network),
            env=self.stage.env,
            use_incoming_socket=False,
            exit_timeout_s=0,
        )
        if self.stage.plant == "a-fronts-page-counts-as-an-answer":
            believe_everybody(self._vis)

    def _do(self, call: Callable[[], object]) -> None:
        def watched() -> None:
            with self.stage.watching(f"{self.kind} {self.id}"):
                call()

        self._thread.submit(watched)

    def append(self, count: int) -> None:
        numbers = list(range(self.points, self.points + count))
        self.points += count
        if self.stage.lost_state and self._since_lost is None:
            self._since_lost = numbers[0]

        def publish() -> None:
            for x in numbers:
                self._vis.line(X=[x], Y=[x], win=self.line, name="a", update="append", opts={"title": self.line})

        self._do(publish)

    def slide(self, count: int) -> None:
        """Append to a plot that keeps only its last points."""
        numbers = list(range(self.slides, self.slides + count))
        self.slides += count

        def publish() -> None:
            for x in numbers:
                opts = {"title": self.ring, "max_points": RING_POINTS}
                self._vis.line(X=[x], Y=[x], win=self.ring, name="a", update="append", opts=opts)

        self._do(publish)

    def replace(self) -> None:
        self._write(self.text)

    def big(self) -> None:
        self._write(f"big{self.id}", "x" * BIG_BYTES)

    def toggle(self, extra: int) -> None:
        win = self.extra(extra)
        if self._versions.get(win) is None:
            self._write(win)
        else:
            self._versions[win] = None
            self._do(lambda: self._vis.close(win=win))

    def again(self, extra: int) -> None:
        """Close a window and make it again at once."""
        self._do(lambda: self._vis.close(win=self.extra(extra)))
        self._write(self.extra(extra))

    def _write(self, win: str, more: str = "") -> None:
        self.version += 1
        content = f"{self.version} of {self.kind} {more}"
        self._versions[win] = self.version
        self._do(lambda: self._vis.text(content, win=win, opts={"title": win}))

    def victim(self) -> None:
        """Make a window that pages close."""
        content = f"{self.points} of {self.kind}"
        self._do(lambda: self._vis.text(content, win=f"victim{self.id}"))

    async def finish(self, timeout_s: float) -> bool:
        """Wait until everything is on the server, and on its disk."""
        loop = asyncio.get_running_loop()
        done: bool = await loop.run_in_executor(self._thread, lambda: self._vis.flush(timeout_s, durable=True))
        self.flushed = done
        return done

    async def stop(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, lambda: self._vis.finish(0.01))
        self._thread.shutdown(wait=False)

    def check(self, windows: Windows) -> None:
        if not self.flushed:
            self.violated("liveness", f"could not publish: {self._vis.counters}")
            return
        counters = self._vis.counters
        if counters.dropped or counters.refused:
            self.violated("loss", f"dropped or refused: {counters}")
        found = points_of(windows, self.line)
        self.check_order(self.line, found)
        sliding = points_of(windows, self.ring)
        self.check_order(self.ring, sliding)
        if sliding != list(range(max(0, self.slides - RING_POINTS), self.slides)) and not self.stage.lost_state:
            self.violated("loss", f"{self.ring} has {sliding} instead of the last of {self.slides}")
        if not self.stage.lost_state:
            if found != list(range(self.points)):
                self.violated("loss", f"{self.line} has {found} instead of all {self.points}")
        else:
            self._check_what_is_left(found)
        for win, version in self._versions.items():
            there = version_of(windows, win)
            if there != version and not (self.stage.lost_state and there is None):
                self.violated("loss", f"{win} has {there} instead of {version}")

    def _check_what_is_left(self, found: list[Any]) -> None:
        """A window that the server lost is made again, with its first point; what was not on disk is sent again."""
        again = found[1:] if found[:1] == [0] else found
        begin = again[0] if again else self.points
        if again != list(range(begin, self.points)):
            self.violated("loss", f"{self.line} has {found}, with a hole, up to {self.points}")
        elif self._since_lost is not None and begin > max(1, self._since_lost):
            self.violated("loss", f"{self.line} goes on with {begin}, {self._since_lost} came after the state was lost")


@dataclass(slots=True)
class Attempt:
    """Something posted, and when that was acknowledged, if it was. `value` is None for a close."""

    value: Any
    acknowledged_at: float | None = None


class Poster(Producer, Actor):
    """Posts to stock Visdom's endpoints and tries nothing twice: what is acknowledged is there once, what is not at most once."""

    def __init__(self, stage: Stage, member: Member) -> None:
        super().__init__(stage, member)
        self._http = Http(stage.port(member.network), stock=stage.stock)
        self._queue: asyncio.Queue[tuple[str, Any, Attempt]] = asyncio.Queue()
        self._points: list[Attempt] = []
        self._windows: dict[str, list[Attempt]] = {}
        self._env_exists = False

    async def _run(self) -> None:
        while True:
            path, body, attempt = await self._queue.get()
            try:
                answer = await self._http.post(path, body)
                if answer != (body["win"] if path in ("/events", "/update") else ""):
                    raise Refused(200, str(answer).encode())
                attempt.acknowledged_at = self.stage.now()
            except Refused as error:
                self._refused(path, body, error)
            except LinkLost as error:
                what = "posts that something else answered" if isinstance(error, NotTheServer) else "posts without an answer"
                self.stage.counts[what] += 1
                await asyncio.sleep(0.02)
            finally:
                self._queue.task_done()

    def _refused(self, path: str, body: Any, error: Refused) -> None:
        # An environment that somebody deletes meanwhile may be unknown; a stopping server may say 503.
        self.stage.counts["posts refused"] += 1
        if error.status != 503 and not body["eid"].endswith("-x"):
            self.violated("publisher", f"{path} {str(body)[:200]} was answered {error}")

    def _post(self, path: str, body: Mapping[str, Any], attempt: Attempt) -> None:
        self._queue.put_nowait((path, {"eid": self.stage.env, **body}, attempt))

    def append(self, count: int) -> None:
        numbers = list(range(self.points, self.points + count))
        self.points += count
        attempt = Attempt(numbers)
        self._points.append(attempt)
        self._post_points(self.line, numbers, {"title": self.line}, attempt)

    def slide(self, count: int) -> None:
        """Append to a plot that keeps only its last points."""
        numbers = list(range(self.slides, self.slides + count))
        self.slides += count
        self._post_points(self.ring, numbers, {"title": self.ring, "max_points": RING_POINTS}, Attempt(numbers))

    def _post_points(self, win: str, numbers: list[int], opts: dict[str, Any], attempt: Attempt) -> None:
        trace = {"type": "scatter", "mode": "lines", "name": "a", "x": numbers, "y": numbers}
        body = {"win": win, "name": "a", "append": True, "data": [trace], "layout": {}, "opts": opts}
        self._post("/update", body, attempt)

    def replace(self) -> None:
        self._write(self.text)

    def big(self) -> None:
        self._write(f"big{self.id}", "x" * BIG_BYTES)

    def victim(self) -> None:
        """Make a window that pages close."""
        self._write(f"victim{self.id}", ledger={})

    def toggle(self, extra: int) -> None:
        win = self.extra(extra)
        before = self._windows.get(win)
        if before and before[-1].value is not None:
            self._close(win)
        else:
            self._write(win)

    def again(self, extra: int) -> None:
        """Close a window and make it again at once."""
        self._close(self.extra(extra))
        self._write(self.extra(extra))

    def env(self) -> None:
        """Make an environment, or delete it."""
        eid = f"{self.stage.env}-x"
        self._env_exists = not self._env_exists
        if self._env_exists:
            self._write(f"other{self.id}", eid=eid, ledger={})
        else:
            self._post("/delete_env", {"eid": eid, "prev_eid": eid}, Attempt(None))

    def _write(self, win: str, more: str = "", *, eid: str | None = None, ledger: dict[str, list[Attempt]] | None = None) -> None:
        self.version += 1
        attempt = Attempt(self.version)
        (self._windows if ledger is None else ledger).setdefault(win, []).append(attempt)
        data = [{"type": "text", "content": f"{self.version} of {self.kind} {more}"}]
        body = {"win": win, "data": data, "layout": {}, "opts": {"title": win}, "eid": eid or self.stage.env}
        self._post("/events", body, attempt)

    def _close(self, win: str) -> None:
        attempt = Attempt(None)
        self._windows.setdefault(win, []).append(attempt)
        self._post("/close", {"win": win}, attempt)

    async def finish(self, timeout_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), timeout_s)
        return self._queue.empty()

    async def stop(self) -> None:
        await super().stop()
        self._http.drop()

    def _is_firm(self, attempt: Attempt) -> bool:
        return attempt.acknowledged_at is not None and self.stage.is_firm(attempt.acknowledged_at)

    def check(self, windows: Windows) -> None:
        found = points_of(windows, self.line)
        acknowledged = {x for attempt in self._points if attempt.acknowledged_at is not None for x in attempt.value}
        # A post that was given up may arrive late.
        self.check_order(self.line, [x for x in found if x in acknowledged])
        for win in (self.line, self.ring):
            points = points_of(windows, win)
            if len(set(points)) != len(points):
                self.check_order(win, points)
        firm = {x for attempt in self._points if self._is_firm(attempt) for x in attempt.value}
        if lost := sorted(firm - set(found)):
            self.violated("loss", f"acknowledged points {lost} are not in {self.line}: {found}")
        for win, attempts in self._windows.items():
            firm_at = max((n for n, attempt in enumerate(attempts) if self._is_firm(attempt)), default=None)
            if firm_at is None:
                continue
            late = [attempt.value for attempt in attempts[:firm_at] if attempt.acknowledged_at is None]
            allowed = [attempt.value for attempt in attempts[firm_at:]] + late
            if (there := version_of(windows, win)) not in allowed:
                self.violated("loss", f"{win} has {there} instead of {allowed[0]}")
