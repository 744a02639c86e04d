"""Stock Visdom's own clients, as far as a server can tell: pages and Python sources, over WebSockets and polling.

They do on the wire what Visdom's page and client do. When a link is visibly gone, a user clicks "offline" at once and the page
loads the environment anew; a link that is dead without being told leaves it stale until the user loads the page again.
"""

from __future__ import annotations

import asyncio
from typing import Any

import jsonpatch
import orjson
from visdom.utils import server_utils

from tests.faults.own import Event, event_of
from tests.faults.participant import Actor
from tests.faults.schedule import Member
from tests.faults.stage import BACKOFF_S, Stage
from tests.faults.wire import Http, LinkLost, Refused, WebSocket
from visdom_transport.client.asking.backoff import Backoff

Message = dict[str, Any]

QUERY_INTERVAL_S = 0.25
"""Visdom's page asks every 500 ms."""


class StockClient(Actor):
    """What stock pages and sources have in common: links that come and go, without resume."""

    path = ""
    wrapped_path = ""

    def __init__(self, stage: Stage, member: Member) -> None:
        super().__init__(stage, member)
        self.opened_at = 0.0
        self.life = 0
        """The server life in which the present link was opened."""
        self._socket: WebSocket | None = None
        self._http = Http(stage.port(member.network), stock=stage.stock)
        self._outgoing: list[Message] = []
        self._backoff = Backoff(*BACKOFF_S, stage.rng.uniform)

    async def reload(self) -> None:
        """Load the page again, or start the program again."""
        await self.stop()
        self.start()

    drop = reload

    @property
    def may_be_dead(self) -> bool:
        """Whether the link has lost bytes without being told. Polls are told: each has an answer."""
        return self.kind.endswith("socket") and self.stage.was_spoiled(self.network, self.opened_at)

    async def _run(self) -> None:
        while True:
            try:
                await (self._follow_socket() if self.kind.endswith("socket") else self._follow_polls())
            except (LinkLost, Refused):
                self.stage.counts["stock links lost"] += 1
            await asyncio.sleep(self._backoff.failed())

    def _open(self) -> None:
        self.opened_at = self.stage.now()
        self.life = self.stage.life
        self._outgoing.clear()

    async def _follow_socket(self) -> None:
        self._open()

        def receive(data: str | bytes) -> None:
            with self.stage.watching(f"{self.kind} {self.id}"):
                self.take(orjson.loads(data))

        socket = self._socket = await WebSocket.open(self.stage.port(self.network), self.path, receive)
        try:
            self._backoff.succeeded()
            while not socket.ended.is_set():
                await self.attend()
                await asyncio.sleep(0.1)
        finally:
            self._socket = None
            socket.drop()
            self._http.drop()

    async def _follow_polls(self) -> None:
        self._open()
        try:
            opened = await self._init()
            if not opened.get("success"):
                raise LinkLost(str(opened))
            sid = opened["sid"]
            while True:
                answer = await self._http.post(self.wrapped_path, {"message_type": "query", "sid": sid})
                if not answer.get("success"):
                    raise LinkLost(str(answer))
                self._backoff.succeeded()
                for message in answer["messages"]:
                    self.take(orjson.loads(message))
                await self.attend()
                outgoing, self._outgoing = self._outgoing, []
                for command in outgoing:
                    sent = {"message_type": "send", "sid": sid, "message": orjson.dumps(command).decode()}
                    if not (await self._http.post(self.wrapped_path, sent)).get("success"):
                        raise LinkLost("not taken")
                if not outgoing:
                    await asyncio.sleep(QUERY_INTERVAL_S)
        finally:
            self._http.drop()

    async def _init(self) -> Any:
        raise NotImplementedError

    def take(self, message: Any) -> None:
        raise NotImplementedError

    async def attend(self) -> None:
        """What is done between messages."""

    def send(self, command: Message) -> None:
        """A page that has no socket drops what it would send."""
        if self._socket is not None:
            self._socket.send(command)
        elif not self.kind.endswith("socket"):
            self._outgoing.append(command)

    # --- for the table of stock beside ours ---

    announced = 0
    """Stock never says what is lost."""

    @property
    def shown(self) -> Message | None:
        """The windows of a page."""
        return None

    def clicks_read(self) -> list[tuple[str, int]]:
        return []


class StockPage(StockClient):
    """Shows one environment. Answers each close with its own, as Visdom's page does."""

    path = "/socket"
    wrapped_path = "/socket_wrap"

    def __init__(self, stage: Stage, member: Member) -> None:
        super().__init__(stage, member)
        self.windows: dict[str, Message] = {}
        self.clicks = 0
        self._sid: str | None = None
        self._wants_env = False
        self._seen: dict[str, int] = {}

    @property
    def shown(self) -> Message | None:
        return self.windows

    def _open(self) -> None:
        super()._open()
        self._sid = None
        self._wants_env = False
        self._seen.clear()

    async def _init(self) -> Any:
        return await self._http.get(self.wrapped_path)

    def take(self, message: Message) -> None:
        eid = message.get("eid", self.stage.env)
        match message.get("command"):
            case "register":
                self._sid = message["data"]
                self._wants_env = True
            case "window" | "pane" if eid == self.stage.env:
                self._show({name: value for name, value in message.items() if name != "eid"})
            case "window_update" if message.get("env", eid) == self.stage.env:
                self._patch(message)
            case "close":
                win = message["data"]
                if self.windows.pop(win, None) is not None:
                    self.stage.counts["closes echoed"] += 1
                self.send({"cmd": "close", "data": win, "eid": self.stage.env})

    async def attend(self) -> None:
        if self._wants_env:
            self._wants_env = False
            # A page that is loaded again begins with nothing.
            self.windows.clear()
            await self._http.post(f"/env/{self.stage.env}", {"sid": self._sid})

    def _show(self, window: Message) -> None:
        key = window["id"]
        if key.startswith("text") and "of publisher" in window["content"]:
            version = int(window["content"].partition(" ")[0])
            if version < self._seen.get(key, 0):
                self.stage.violated("order", f"{self.kind} {self.id}: {key} went back from {self._seen[key]} to {version}")
            self._seen[key] = version
        self.windows[key] = window

    def _patch(self, message: Message) -> None:
        """A stock server's patch; one that does not fit makes the page load the environment again."""
        window = self.windows.get(message["win"])
        try:
            patched = jsonpatch.apply_patch(window, message["content"])
            if "finalHash" in message and server_utils.hash_md_window(patched) != message["finalHash"]:
                raise ValueError
        except (ValueError, TypeError, KeyError, jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
            self.stage.counts["patches that did not fit"] += 1
            self._wants_env = True
        else:
            self.windows[message["win"]] = patched

    def click(self, count: int) -> None:
        for _ in range(count):
            self.clicks += 1
            data = {
                "target": f"page{self.id}",
                "eid": self.stage.env,
                "event_type": "Click",
                "number": self.clicks,
                "pane_data": False,
            }
            self.send({"cmd": "forward_to_vis", "data": data})


class StockSource(StockClient):
    """Reads the events of everybody."""

    path = "/vis_socket"
    wrapped_path = "/vis_socket_wrap"

    def __init__(self, stage: Stage, member: Member) -> None:
        super().__init__(stage, member)
        self.events: list[tuple[int, Event]] = []
        """With the server life they are from."""

    async def _init(self) -> Any:
        return await self._http.post(self.wrapped_path, {"message_type": "init"})

    def take(self, message: Message) -> None:
        if "event_type" in message:
            self.events.append((self.life, event_of(message)))

    def clicks_read(self) -> list[tuple[str, int]]:
        return [(event[1], event[3]) for _, event in self.events if event[0] == "Click"]
