"""Sends the folders of an outbox directory, one after the other, for the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from visdom_transport.client.asking.address import Address
from visdom_transport.client.asking.connection import Connection
from visdom_transport.client.asking.errors import Away, LoginRefused
from visdom_transport.client.asking.outage import Outage
from visdom_transport.client.disk.delivery import Delivery
from visdom_transport.client.disk.folders import Folder, folders, is_taken, take_over
from visdom_transport.client.disk.owner import Owners, Ownership, owner_of
from visdom_transport.client.disk.terminal import Terminal
from visdom_transport.writing.unwritable import cause

LOOK_EVERY_S: Final = 0.5
CONFIRMED_EVERY_S: Final = 0.2


class Sending:
    """One run of the command.

    Args:
        server: where everything goes. None: where each program published.
        password: as Visdom's client sends it.
    """

    def __init__(
        self,
        directory: Path,
        terminal: Terminal,
        *,
        server: str | None = None,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self._directory = directory
        self._terminal = terminal
        self._server = server.rstrip("/") if server is not None else None
        self._login = (username, password)
        self._owners = Owners()
        self._connections: dict[str, Connection] = {}
        self._taken: set[Path] = set()
        self._failed: set[Path] = set()
        self._away: set[str] = set()
        self._told: set[Path] = set()
        self._messages = self._refused = self._outboxes = 0
        self._seconds = 0.0

    def run(self, wait_s: float) -> bool:
        """Send what processes that have ended left. Returns whether nothing is left at all."""
        while True:
            waits = self._round(wait_s)
            if not waits:
                break
            time.sleep(LOOK_EVERY_S)
        for folder in folders(self._directory):
            if folder.path not in self._taken and self._owners.lives(folder.path):
                self._terminal.line(f"{folder.path.name}: {owner_of(folder.path)} still writes it")
        return not folders(self._directory)

    def watch(self) -> bool:
        """Send what comes, until somebody interrupts it."""
        self._terminal.line(f"watching {self._directory}; Ctrl-C ends it")
        while True:
            self._round(float("inf"))
            time.sleep(LOOK_EVERY_S)

    def summary(self) -> str:
        """What was sent."""
        rate = f" ({self._messages / self._seconds:,.0f} per second)" if self._seconds > 0 and self._messages else ""
        refused = f", {self._refused} of them refused by the server" if self._refused else ""
        what = "outbox" if self._outboxes == 1 else "outboxes"
        left = len(folders(self._directory))
        return f"{self._messages:,} messages of {self._outboxes} {what} have arrived{rate}{refused}; {left} left"

    # --- inside ---

    def _round(self, wait_s: float) -> bool:
        """Go through the folders once, in order. Returns whether one has to be waited for."""
        held_up: set[str] = set()
        for folder in folders(self._directory):
            where = self._address(folder).url
            if folder.path in self._failed or where in held_up or where in self._away:
                continue
            lives = self._owners.lives(folder.path)
            if lives is False:
                if not self._take(folder, wait_s):
                    held_up.add(where)
            elif lives is None or is_taken(folder):
                # What comes later may belong behind it.
                held_up.add(where)
                self._tell(folder, "looking whether" if lives is None else "waiting while")
        return bool(held_up)

    def _tell(self, folder: Folder, what: str) -> None:
        if folder.path not in self._told and folder.path.exists():
            self._told.add(folder.path)
            self._terminal.line(f"{folder.path.name}: {what} {owner_of(folder.path)} still has it")

    def _take(self, folder: Folder, wait_s: float) -> bool:
        """Send a folder, as far as that can be done. Returns False if another process was faster, and is sending it."""
        try:
            taken = take_over(folder, self._owners)
            if taken is not None:
                self._deliver(*taken, wait_s)
        except OSError as error:
            self._failed.add(folder.path)
            self._terminal.line(f"problem: {folder.path} cannot be sent ({cause(error)})")
            return True
        return taken is not None

    def _deliver(self, folder: Folder, ownership: Ownership, wait_s: float) -> None:
        self._taken.add(folder.path)
        delivery = Delivery(folder, ownership, self._connection(folder))
        total = delivery.survey.messages
        began = time.monotonic()
        outage, away_since = Outage(), None
        while True:
            try:
                is_done = delivery.step()
            except Away as away:
                now = time.monotonic()
                away_since = away_since or now
                if isinstance(away, LoginRefused) or now - away_since > wait_s:
                    self._terminal.line(f"problem: the server at {self._address(folder).shown} cannot be reached ({away})")
                    self._away.add(self._address(folder).url)
                    return
                if outage.failed(away, now):
                    self._terminal.line(f"the server at {self._address(folder).shown} cannot be reached ({away}); trying again")
                self._wait(delivery, outage.wait_s)
                continue
            outage.over(time.monotonic())
            away_since = None
            if is_done:
                break
            seconds = time.monotonic() - began
            self._terminal.progress(f"{folder.path.name}: {delivery.course.sent:,} of {total:,} messages, {seconds:.0f} s")
            if delivery.waits:
                time.sleep(CONFIRMED_EVERY_S)
        self._count(folder, delivery, time.monotonic() - began)

    def _wait(self, delivery: Delivery, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            delivery.stay()
            time.sleep(min(left, 1.0))

    def _count(self, folder: Folder, delivery: Delivery, seconds: float) -> None:
        self._messages += delivery.course.sent
        self._refused += delivery.refused
        self._outboxes += 1
        self._seconds += seconds
        self._terminal.line(f"{folder.path.name}: {delivery.course.sent:,} messages in {seconds:.1f} s")

    def _address(self, folder: Folder) -> Address:
        return Address(url=self._server or folder.server, username=self._login[0], password=self._login[1])

    def _connection(self, folder: Folder) -> Connection:
        address = self._address(folder)
        return self._connections.setdefault(address.url, Connection(address))
