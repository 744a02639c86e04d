"""Those who take part beside pages, sources and publishers: an intruder, Visdom's real Python client, a real browser tab."""

from __future__ import annotations

import asyncio
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import visdom

from tests.faults.own import OwnClient
from tests.faults.participant import Participant
from tests.faults.schedule import Member
from tests.faults.stage import Stage
from tests.faults.wire import Http, LinkLost, Refused, WebSocket
from tests.support.browser import Browser, Tab
from tests.support.own import SUBPROTOCOL
from tests.support.server import VisdomServer
from visdom_transport.client.asking.backoff import Backoff

WRONG_SECRET = 4051
NO_SUCH_LINK = (4000, 4001, 4002, 4003)
ANSWER_TIMEOUT_S = 1.0


async def intrude(stage: Stage, victim: OwnClient, others: list[OwnClient]) -> None:
    """Try to take over the session of a client with a secret that was, or is, another one's."""
    if victim.identity is None:
        return
    session, secret = victim.identity
    wrong = [known for client in others for _, known in client.secrets if known != secret]
    secret = stage.rng.choice([*wrong, secret[:-1], ""])
    hello = {"type": "hello", "role": victim.role, "session": session, "secret": secret, "window": 1, "feeds": {}}
    heard: list[Any] = []
    with contextlib.suppress(LinkLost, Refused, TimeoutError):
        if stage.rng.random() < 0.5:
            socket = await WebSocket.open(stage.server_port, "/socket", heard.append, subprotocol=SUBPROTOCOL)
            try:
                socket.send(hello)
                await asyncio.wait_for(socket.ended.wait(), ANSWER_TIMEOUT_S)
            finally:
                socket.drop()
            heard = [json.loads(message) for message in heard]
        else:
            http = Http(stage.server_port)
            try:
                body = {"link": None, "secret": None, "wait_s": 0, "feeds": {}, "messages": [hello]}
                heard = (await http.post("/transport/poll", body))["messages"]
            finally:
                http.drop()
    stage.counts["intrusions"] += 1
    if any(message["type"] == "welcome" and message["session"] == session for message in heard if isinstance(message, dict)):
        stage.violated("security", f"a session of {victim.kind} {victim.id} was resumed with the secret {secret!r}")


class PythonSource(Participant):
    """`visdom.Visdom` with its event stream, as this package makes it."""

    def __init__(self, stage: Stage, member: Member, targets: list[str]) -> None:
        super().__init__(stage, member)
        self.events: list[tuple[str, int]] = []
        self.gaps = 0
        self.live_at: float | None = None
        self.targets = targets
        self._thread = ThreadPoolExecutor(1, f"source-{member.id}")
        self._vis: Any = None

    def start(self) -> None:
        self._thread.submit(self._open)

    def _open(self) -> None:
        with self.stage.watching(f"{self.kind} {self.id}"):
            port = self.stage.port(self.network)
            vis = self._vis = visdom.Visdom(server="http://127.0.0.1", port=port, env=self.stage.env, raise_exceptions=False)
            vis.event_source._backoff = Backoff(first_s=0.05, most_s=0.3)
            for target in self.targets:
                vis.register_event_handler(lambda event: self.events.append((event["target"], event["number"])), target)
            vis.register_event_handler(self._gap, "gap")
            if vis.socket_alive:
                self.live_at = self.stage.now()

    def _gap(self, event: Any) -> None:
        self.gaps += 1

    async def stop(self) -> None:
        def close() -> None:
            if self._vis is not None:
                self._vis.event_source.close(0.05)

        await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown(wait=False)


class RealTab(Participant):
    """A page in Chromium."""

    def __init__(self, stage: Stage, member: Member, browser: Browser, server: VisdomServer) -> None:
        super().__init__(stage, member)
        self._browser = browser
        self._server = server
        self._thread = ThreadPoolExecutor(1, "tab")
        self._tab: Tab | None = None

    def start(self) -> asyncio.Future[None]:
        """Load the page. The faults begin when that is done: what a browser makes of half a page is not the point."""
        return asyncio.wrap_future(self._thread.submit(self._open))

    def _open(self) -> None:
        with self.stage.watching("tab"):
            url = self._server.url(f"/env/{self.stage.env}", port=self.stage.port(self.network))
            self._tab = self._browser.open(url)

    async def finish(self) -> None:
        """Check what the tab shows."""

        def check() -> None:
            assert self._tab is not None
            try:
                self._tab.assert_equals(self._server, self.stage.env, timeout_s=20)
                self._tab.assert_same_page()
                thrown = self._browser.exceptions()
                assert not thrown, f"scripts threw {thrown}"
            except AssertionError as error:
                self.stage.violated("convergence", f"tab: {error}")

        await asyncio.get_running_loop().run_in_executor(self._thread, check)

    async def stop(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._browser.close_tabs)
        self._thread.shutdown()
