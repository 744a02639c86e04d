"""Numbers and order of what goes to the server by way of a disk, against a model of the server."""

from __future__ import annotations

import copy
import errno
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from tests.client.messages.model import Publisher, Publishing, Server, begin, event, point
from visdom_transport.client.disk import store as stores
from visdom_transport.client.disk.delivery import Delivery
from visdom_transport.client.disk.folders import folders
from visdom_transport.client.disk.inheritance import Inheritance
from visdom_transport.client.disk.log import Log
from visdom_transport.client.disk.outbox import DiskOutbox
from visdom_transport.client.disk.owner import Ownership
from visdom_transport.client.disk.policy import Policy
from visdom_transport.client.disk.store import Store
from visdom_transport.client.messages.intake import OnFull
from visdom_transport.client.messages.outbox import new_publisher_id
from visdom_transport.client.messages.request import Request

MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
"""Where syncing costs nothing."""


class Wire:
    """What a connection does, to a model."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.address = self
        self.shown = "http://model"

    def publish(self, request: Request) -> dict[str, Any]:
        return self.server.publish(request.encoded())

    def expect_any(self, publisher_id: str) -> None:
        pass

    def make_environment(self, eid: str) -> None:
        pass


class OnDisk(Publisher):
    """What the sender and the thread that writes do, without their threads."""

    def __init__(
        self, server: Server, directory: Path, *, on_full: OnFull = "wait", max_bytes: int = 64_000_000, **policy: Any
    ) -> None:
        super().__init__(server)
        log_id = new_publisher_id()
        self.outbox: Any = DiskOutbox(log_id, on_full=on_full, max_bytes=max_bytes, batch_bytes=300)
        bounds = {"max_bytes": 10**9, "max_age_s": None, "drops_oldest": False} | policy
        wire: Any = Wire(server)
        inheritance = Inheritance(directory, "http://model", wire, None)
        self.store = Store(self.outbox, log_id, threading.Condition(), Policy(directory, **bounds), "http://model", inheritance)
        self.store.wake = lambda: None  # type: ignore[method-assign]

    def write(self) -> None:
        while (sealed := self.outbox.seal()) is not None:
            self.store._write(sealed)
            if self.outbox.is_failing:
                break

    def exchange(self, lose: str = "") -> None:
        self.store.prepare()
        super().exchange(lose)
        self.store.settle()

    def settle(self) -> None:
        for _ in range(1000):
            self.write()
            if not self.outbox.has_news and not self.outbox.awaits_confirmation and not self.outbox.has_unwritten:
                return
            self.exchange()
            self.server.flush()
        raise AssertionError("does not come to an end")


def deliver(server: Server, directory: Path, chance: Any = None) -> None:
    """What comes later: sends what is left, and may be killed meanwhile."""
    while left := folders(directory):
        wire: Any = Wire(server)
        delivery = Delivery(left[0], Ownership(left[0].path), wire)
        delivery.batch_bytes = 300
        for _ in range(1000):
            if delivery.step():
                break
            if chance is not None and chance.draw(st.integers(0, 5)) == 0:
                break  # killed
            server.flush()
        else:
            raise AssertionError("does not come to an end")


@pytest.fixture(autouse=True, scope="module")
def quick() -> Any:
    """Disks that fail are tried again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "RETRY_S", 0.0)
        patch.setattr(stores, "INTERVAL_S", 0.0)
        yield


class ByWayOfADisk(Publishing):
    """Whatever is killed, whatever fails: what was on disk arrives once and in order."""

    wins = Publishing.wins

    @initialize()
    def start(self) -> None:
        self.directory = Path(tempfile.mkdtemp(dir=MEMORY))
        self.server = Server()
        self.count = 0
        self.expected: dict[str, tuple[str, list[int]]] = {}
        self.kept: dict[str, tuple[str, list[int]]] = {}
        self.has_failed = False
        self.live()

    def live(self) -> None:
        self.publisher = OnDisk(self.server, self.directory)

    @rule(target=wins, win=st.sampled_from(["u", "v"]))
    def begin_window(self, win: str) -> str:
        self.publisher.put(begin(win=win))
        self.expected.setdefault(win, ("begun", []))
        return win

    @rule(win=wins)
    def append(self, win: str) -> None:
        self.count += 1
        if win not in self.expected:
            self.begin_window(win)
        self.publisher.put(point(self.count, win))
        self.expected[win][1].append(self.count)

    @rule(count=st.integers(1, 5))
    def stream(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            self.publisher.put(event(self.count))
            self.expected.setdefault("", ("", []))[1].append(self.count)

    @rule()
    def write(self) -> None:
        self.publisher.write()
        self.kept = copy.deepcopy(self.expected)

    @rule()
    def write_in_vain(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Log, "append", no_room)
            self.has_failed |= self.publisher.outbox.has_unwritten
            self.publisher.write()

    @rule(data=st.data())
    def kill(self, data: Any) -> None:
        deliver(self.server, self.directory, data)
        if not self.has_failed:
            assert self.held() == self.kept
        self.expected, self.kept, self.has_failed = self.held(), self.held(), False
        self.live()

    def held(self) -> dict[str, tuple[str, list[int]]]:
        windows = {win: (title, list(points)) for win, (title, points) in self.server.windows.items()}
        return windows | ({"": ("", [*self.server.events])} if self.server.events else {})

    @invariant()
    def in_order(self) -> None:
        if hasattr(self, "server"):
            for points in [self.server.events, *(points for _, points in self.server.windows.values())]:
                assert points == sorted(set(points))

    def teardown(self) -> None:
        if hasattr(self, "server"):
            self.publisher.settle()
            assert self.held() == self.expected
            self.publisher.store.finish()
            assert folders(self.directory) == []
            shutil.rmtree(self.directory)


def no_room(log: Log, batch: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


TestByWayOfADisk = ByWayOfADisk.TestCase
TestByWayOfADisk.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
