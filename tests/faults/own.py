"""Clients of our protocol: pages and sources, over WebSockets and long polls, that come back whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import orjson

from tests.faults.participant import Actor
from tests.faults.schedule import OWN_PAGES, Member
from tests.faults.stage import BACKOFF_S, SETTINGS, Stage
from tests.faults.wire import Http, LinkLost, Refused, WebSocket
from tests.support.outbox import Outbox
from tests.support.own import SUBPROTOCOL
from tests.support.peer import Message, Peer
from visdom_transport.client.asking.backoff import Backoff
from visdom_transport.core.errors import GapError
from visdom_transport.core.replica import EventReplica, StateReplica

WINDOW = 4
POLL_INTERVAL_S = 0.05
"""A page does something between two polls."""


Event = tuple[Any, ...]


def event_of(event: Message) -> Event:
    """What tells events apart: a close carries its window, which nobody needs to keep."""
    return event.get("event_type"), event.get("target"), event.get("eid"), event.get("number")


class Checked(Peer):
    """What a client knows, whichever link that came over. All of it is checked as it comes."""

    def __init__(self, client: OwnClient, *feeds: str) -> None:
        super().__init__(*feeds, role=client.role)
        self._client = client

    def changed(self, batch: Mapping[str, Any], keys: set[str]) -> None:
        for key in keys:
            if key.startswith("text"):
                self._client.check_version(f"{batch['feed']} {batch['epoch']}", key, self.state(batch["feed"]).get(key))

    def read(self, batch: Mapping[str, Any], before: int, missed: int, events: list[Any]) -> None:
        self._client.take_events(batch, before, missed, events)


class OwnClient(Actor):
    """One client."""

    def __init__(self, stage: Stage, member: Member) -> None:
        super().__init__(stage, member)
        self.role = "browser" if member.kind in OWN_PAGES else "source"
        self.over: str | None = None
        """What the present or next link is made of."""
        self.slow_until = 0.0
        self.secrets: list[tuple[str, str]] = []
        """Every identity this client has had, the present one last."""
        self.loads = 0
        self.clicks = 0
        self.given: dict[tuple[str, int], float] = {}
        """When each click was given."""
        self.answered: dict[tuple[str, int], str] = {}
        """The clicks that were answered, and the server that did."""
        self.flow: _Flow | None = None
        """The present link, once the server has welcomed it."""
        self._backoff = Backoff(*BACKOFF_S, stage.rng.uniform)
        self._begin()

    def _begin(self) -> None:
        """Know nothing, as a page that is loaded again."""
        page = self.role == "browser"
        feeds = ["shared", f"env/{self.stage.env}", f"env/{self.stage.env}-x"] if page else ["events"]
        self.peer = Checked(self, *feeds)
        self.events: dict[tuple[str, int], Event] = {}
        """By epoch and offset."""
        self.missed: Counter[str] = Counter()
        self.began: dict[str, int] = {}
        """Where the reading of each epoch began."""
        self.loads += 1
        self.server: str | None = None
        self._seen: dict[tuple[str, str], int] = {}

    # --- its life ---

    async def reload(self) -> None:
        await self.stop()
        self._begin()
        self.start()

    async def drop(self) -> None:
        """Lose the link, and come back."""
        await self.stop()
        self.start()

    async def switch(self) -> None:
        """Go on over the other kind of link."""
        self.over = "websocket" if self.over == "poll" else "poll"
        await self.drop()

    def hide(self, seconds: float) -> None:
        """Grant nothing for a time, as a page that nobody sees."""
        if self.flow is not None:
            self.flow.hide()
            asyncio.get_running_loop().call_later(seconds, self.flow.show)

    async def _run(self) -> None:
        rng = self.stage.rng
        if self.over is None:
            self.over = {"poll": "poll", "switch": rng.choice(["websocket", "poll"])}.get(self.kind.split("-")[1], "websocket")
        while True:
            try:
                await (self._follow_socket() if self.over == "websocket" else self._follow_polls())
            except (LinkLost, Refused):
                self.stage.counts["links lost"] += 1
            if self.kind.endswith("switch"):
                self.over = rng.choice(["websocket", "poll"])
            await asyncio.sleep(self._backoff.failed())

    # --- links ---

    async def _follow_socket(self) -> None:
        path = "/socket" if self.role == "browser" else "/vis_socket"
        link = _SocketFlow(self)
        link.socket = await WebSocket.open(self.stage.port(self.network), path, link.receive, subprotocol=SUBPROTOCOL)
        try:
            link.socket.send(self.peer.hello(window=WINDOW))
            while not link.socket.ended.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SETTINGS["heartbeat_s"] / 2):
                        await link.socket.ended.wait()
                link.check()
            self._closed(link.socket.close_code)
        finally:
            link.drop()

    async def _follow_polls(self) -> None:
        link = _PollFlow(self)
        try:
            await link.follow(self.peer.hello(window=WINDOW))
        finally:
            link.drop()

    def _closed(self, code: int | None) -> None:
        if code in (4000, 4051):
            self.peer.be_nobody()
        if code in (4050, 4052, 4053):
            self.stage.violated("liveness", f"{self.kind} {self.id} was refused with {code}")

    # --- what it knows ---

    @property
    def states(self) -> dict[str, StateReplica]:
        return {feed: replica for feed, replica in self.peer.feeds.items() if isinstance(replica, StateReplica)}

    @property
    def readers(self) -> dict[str, EventReplica]:
        return {feed: replica for feed, replica in self.peer.feeds.items() if isinstance(replica, EventReplica)}

    @property
    def outbox(self) -> Outbox:
        return self.peer.outbox

    @property
    def identity(self) -> tuple[str, str] | None:
        session, secret = self.peer.session, self.peer.secret
        return None if session is None or secret is None else (session, secret)

    def subscribed(self, message: Message) -> None:
        feed = message["feed"]
        began = feed in self.readers and message["epoch"] != self.readers[feed].epoch
        self.peer.subscribed(message)
        if began:
            self.began[message["epoch"]] = message["offset"]

    def welcomed(self, message: Message) -> list[Message]:
        """Take an identity; return the commands to send again."""
        identity = (message["session"], message["secret"])
        if self.identity is not None and self.identity != identity and message["resumed"]:
            self.stage.violated("security", f"{self.kind} {self.id} resumed another session")
        if self.outbox.session not in (None, message["session"]):
            # The session is another one, and does not know which commands the one before has carried out.
            pending = (each["command"].get("data") for each in self.outbox.pending)
            self.stage.unsure |= {
                (data["target"], data["number"]) for data in pending if isinstance(data, dict) and "number" in data
            }
        self._backoff.succeeded()
        if identity not in self.secrets:
            self.secrets.append(identity)
        self.server = message["server"]
        return self.peer.welcomed(message)

    def replied(self, message: Message) -> None:
        done = self.outbox.replied(message["id"])
        if done is None:
            return
        command = done["command"]
        # What cannot be saved is refused, and the environment that a window was closed in may be gone.
        allowed = ("unknown_env", "failed") if command["cmd"] == "save_layouts" else ("unknown_env", "unknown_window")
        if message["error"] and message["error"]["code"] not in allowed:
            self.stage.violated("loss", f"command {command} was answered {message['error']}")
        if command["cmd"] == "forward_to_vis" and not message["error"]:
            key = (command["data"]["target"], command["data"]["number"])
            self.answered[key] = str(self.server)

    def take_batch(self, batch: Message) -> None:
        try:
            self.peer.apply(batch)
        except GapError as error:
            self.stage.violated("order", f"{self.kind} {self.id}: {batch['feed']}: {error}")

    # --- for the table of stock beside ours ---

    @property
    def shown(self) -> Mapping[str, Any] | None:
        """The windows of a page."""
        return self.states[f"env/{self.stage.env}"].values if self.states else None

    def clicks_read(self) -> list[tuple[str, int]]:
        return [(event[1], event[3]) for event in self.events.values() if event[0] == "Click"]

    @property
    def announced(self) -> int:
        """How many events it was told that it missed."""
        return sum(self.missed.values())

    # --- inside ---

    def check_version(self, life: str, key: str, window: Any) -> None:
        """What is replaced never goes back."""
        if window is None:
            return
        if "of publisher" not in window["content"]:
            return  # a post that was given up may arrive after later ones
        version = int(window["content"].partition(" ")[0])
        if version < self._seen.get((life, key), 0):
            self.stage.violated("order", f"{self.kind} {self.id}: {key} went back from {self._seen[life, key]} to {version}")
        self._seen[life, key] = version

    def take_events(self, batch: Mapping[str, Any], before: int, missed: int, events: list[Any]) -> None:
        reader = self.readers[batch["feed"]]
        if batch["epoch"] != reader.epoch:
            return
        self.missed[batch["epoch"]] += missed
        if reader.offset - before != missed + len(events):
            self.stage.violated(
                "gap", f"{self.kind} {self.id}: {before} to {reader.offset} with {missed} missed, {len(events)} sent"
            )
        for offset, event in enumerate(events, reader.offset - len(events) + 1):
            self.events[batch["epoch"], offset] = event_of(event)

    # --- what it does ---

    def command(self, **command: Any) -> None:
        """Give a command; it is kept until it is answered."""
        message = self.outbox.add(command)
        if self.flow is not None:
            self.flow.say([message])

    def click(self, count: int) -> None:
        for _ in range(count):
            self.clicks += 1
            self.given[f"page{self.id}.{self.loads}", self.clicks] = self.stage.now()
            event = {"target": f"page{self.id}.{self.loads}", "event_type": "Click", "number": self.clicks}
            self.command(cmd="forward_to_vis", data={**event, "eid": self.stage.env, "pane_data": False})


class _Flow:
    """One link of a client, as far as both kinds have it in common."""

    def __init__(self, client: OwnClient) -> None:
        self.client = client
        self._chain: dict[str, int | None] = {}

    def say(self, messages: list[Message]) -> None:
        raise NotImplementedError

    def take(self, message: Message, size: int) -> None:
        """Act on what came at once; `take_in_order` is for what waits for a slow client."""
        client = self.client
        match message["type"]:
            case "welcome":
                again = client.welcomed(message)
                client.flow = self
                self.opened(message)
                if again:
                    self.say(again)
            case "reply":
                client.replied(message)
            case "ping":
                self.say([{"type": "pong"}])
            case "pong":
                self.ponged()
            case "close":
                client._closed(message["code"])
                raise LinkLost(str(message))
            case "error":
                client.stage.violated("loss", f"{client.kind} {client.id} was told {message}")
            case "subscribed" | "batch":
                self.in_order(message, size)

    def opened(self, welcome: Message) -> None:
        """The server has welcomed this link."""

    def ponged(self) -> None:
        """The server has answered a ping."""

    def hide(self) -> None:
        self.say([{"type": "credit", "window": 0}])

    def show(self) -> None:
        self.say([{"type": "credit", "window": WINDOW}])

    def in_order(self, message: Message, size: int) -> None:
        self.take_in_order(message)

    def take_in_order(self, message: Message) -> None:
        feed = message["feed"]
        if message["type"] == "subscribed":
            self._chain[feed] = None
            self.client.subscribed(message)
            return
        expected = self._chain.get(feed)
        if expected is not None and message["from"] != expected:
            self.client.stage.violated(
                "order", f"{self.client.kind} {self.client.id}: {feed} from {message['from']}, not {expected}"
            )
        self._chain[feed] = message["to"] if message["complete"] or "events" in message else message["from"]
        self.client.take_batch(message)

    def drop(self) -> None:
        if self.client.flow is self:
            self.client.flow = None


class _SocketFlow(_Flow):
    """Over a WebSocket. What a slow client has not applied waits here, unacknowledged."""

    socket: WebSocket

    def __init__(self, client: OwnClient) -> None:
        super().__init__(client)
        self._heard_at = client.stage.now()
        self._waiting: deque[tuple[Message, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._batches = 0
        self._pings = self._pongs = 0
        self._hidden_after: int | None = None
        """The pong after which the server knows that the page is hidden."""

    def receive(self, data: str | bytes) -> None:
        self._heard_at = self.client.stage.now()
        try:
            with self.client.stage.watching(f"{self.client.kind} {self.client.id}"):
                self.take(orjson.loads(data), len(data))
        except LinkLost:
            self.socket.drop()

    def check(self) -> None:
        """Ask a silent server; leave a dead one. Raises `LinkLost`."""
        silent_s = self.client.stage.now() - self._heard_at
        if silent_s >= SETTINGS["dead_after_s"]:
            raise LinkLost("silent")
        if silent_s >= SETTINGS["heartbeat_s"]:
            self._ping()

    def _ping(self) -> None:
        self._pings += 1
        self.socket.send({"type": "ping"})

    def ponged(self) -> None:
        self._pongs += 1

    def hide(self) -> None:
        super().hide()
        self._ping()
        self._hidden_after = self._pings

    def show(self) -> None:
        self._hidden_after = None
        super().show()

    def say(self, messages: list[Message]) -> None:
        for message in messages:
            self.socket.send(message)

    def in_order(self, message: Message, size: int) -> None:
        if self.client.stage.plant == "client-acks-before-it-applies" and message["type"] == "batch" and message["complete"]:
            replica = self.client.peer.feeds[message["feed"]]
            replica.offset = max(replica.offset, message["to"])
        self._waiting.append((message, size))
        self._check_bounds()
        if message["type"] == "batch" and self._hidden_after is not None and self._pongs >= self._hidden_after:
            self.client.stage.violated("bounds", f"{self.client.kind} {self.client.id} was sent a batch while it was hidden")
        self._apply()

    def _apply(self) -> None:
        wait_s = self.client.slow_until - self.client.stage.now()
        if wait_s > 0:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(wait_s, self._wake)
            return
        while self._waiting and not self.socket.ended.is_set():
            message, _ = self._waiting.popleft()
            is_batch = message["type"] == "batch"
            self.take_in_order(message)
            if is_batch:
                self._batches += 1
                self.socket.send({"type": "ack", "batches": self._batches})

    def _wake(self) -> None:
        self._timer = None
        self._apply()

    def _check_bounds(self) -> None:
        sizes = [size for message, size in self._waiting if message["type"] == "batch"]
        if len(sizes) > WINDOW:
            self.client.stage.violated("bounds", f"{len(sizes)} batches unacknowledged, {WINDOW} granted")
        if sum(sizes) > SETTINGS["in_flight_bytes"] and len(sizes) > 1:
            self.client.stage.violated("bounds", f"{sum(sizes)} bytes unacknowledged in {len(sizes)} batches")

    def drop(self) -> None:
        super().drop()
        if self._timer is not None:
            self._timer.cancel()
        self.socket.drop()


class _PollFlow(_Flow):
    """Over a chain of long polls, and a second connection for what is said meanwhile."""

    def __init__(self, client: OwnClient) -> None:
        super().__init__(client)
        port = client.stage.port(client.network)
        self._polls, self._sends = Http(port), Http(port)
        self._link: str | None = None
        self._outgoing: list[Message] = []
        self._sending: asyncio.Task[None] | None = None
        self._dropped = False

    async def follow(self, hello: Message) -> None:
        stage = self.client.stage
        await self._take(await self._post(self._polls, "poll", wait_s=0, feeds={}, messages=[hello]))
        while True:
            self._fail_if_sending_failed()
            positions = self.client.peer.positions()
            await self._take(await self._post(self._polls, "poll", wait_s=SETTINGS["poll_wait_s"], feeds=positions, messages=[]))
            await asyncio.sleep(max(POLL_INTERVAL_S, self.client.slow_until - stage.now()))

    async def _take(self, answer: Any) -> None:
        delay_s = self.client.slow_until - self.client.stage.now()
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        for message in answer["messages"]:
            self.take(message, 0)

    def opened(self, welcome: Message) -> None:
        self._link = welcome["link"]

    def say(self, messages: list[Message]) -> None:
        # A poll is its own sign of life.
        self._outgoing += [message for message in messages if message["type"] != "pong"]
        # After a failure nothing is sent any more: the chain is about to end, or has.
        if (
            self._outgoing
            and not self._dropped
            and (self._sending is None or (self._sending.done() and not self._sending.exception()))
        ):
            self._sending = asyncio.create_task(self._send())

    def _fail_if_sending_failed(self) -> None:
        if self._sending is not None and self._sending.done() and not self._sending.cancelled():
            error = self._sending.exception()
            if error is not None:
                raise LinkLost(str(error))

    async def _send(self) -> None:
        while self._outgoing:
            messages, self._outgoing = self._outgoing, []
            for message in (await self._post(self._sends, "send", messages=messages))["messages"]:
                self.take(message, 0)

    async def _post(self, connection: Http, what: str, **body: Any) -> Any:
        secret = self.client.identity[1] if self._link is not None and self.client.identity else None
        answer = await connection.post(f"/transport/{what}", {"link": self._link, "secret": secret, **body})
        if not isinstance(answer, dict) or "messages" not in answer:
            raise LinkLost(f"answered {answer!r}"[:200])
        return answer

    def drop(self) -> None:
        super().drop()
        self._dropped = True
        if self._sending is not None:
            self._sending.cancel()
            self._sending.add_done_callback(lambda sent: sent.cancelled() or sent.exception())
        self._polls.drop()
        self._sends.drop()
