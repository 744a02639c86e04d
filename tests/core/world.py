"""A whole deployment without I/O: one hub over a mutable state, and clients whose links lose, cut and repeat as told.

Everything the protocol promises at all times is checked as it happens; `World.audit` checks the server's bounds from scratch.
"""

from __future__ import annotations

import copy
import zlib
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from tests.support.peer import Message, Peer
from visdom_transport.core.catch_up import StateBatch
from visdom_transport.core.causes import Cause
from visdom_transport.core.conversation import Conversation
from visdom_transport.core.delta import apply
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.entries import PIECES
from visdom_transport.core.errors import CloseCode, GapError, LinkClosed, MessageError
from visdom_transport.core.event_feed import EventFeed, SharedMember
from visdom_transport.core.followed_events import FollowedEvents
from visdom_transport.core.hub import Hub
from visdom_transport.core.keyed_feed import KeyedFeed
from visdom_transport.core.limits import Limits
from visdom_transport.core.link import Link
from visdom_transport.core.packing import COMMA, Outgoing, as_zlib, raw
from visdom_transport.core.replica import StateReplica
from visdom_transport.core.session import REMEMBERED_REPLIES, Session

LIMITS = Limits(
    heartbeat_s=8,
    dead_after_s=20,
    grace_s=30,
    window_batches=3,
    batch_bytes=400,
    in_flight_bytes=1_000,
    history_bytes=3_000,
    event_count=6,
    event_bytes=200,
    max_tombstones=2,
)
STATE_FEEDS = ("env/a", "env/b", "bare")
"""The windows of ``bare`` carry no content ids."""

SMALL_DELTA_BYTES = 1_100
"""Up to this size a delta may be larger than the value it replaces."""


class DictSource:
    """A source that reads a plain dictionary and counts how often each version is read."""

    def __init__(self, name: str, windows: dict[str, Any]) -> None:
        self.name = name
        self.windows = windows
        self.reads: list[str] = []

    def keys(self) -> list[str]:
        return list(self.windows)

    def value(self, key: str) -> Any:
        self.reads.append(key)
        return self.windows[key]

    def content_id(self, key: str) -> str | None:
        found = self.windows[key].get("contentID")
        return found if isinstance(found, str) else None

    def header(self) -> Any:
        return {"reload": {}} if self.name.startswith("env/") else None


class World:
    """The server: state, hub, clock; and what every command did."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.now = 1_000.0
        self.counter = 0
        self.life = 0
        self.state: dict[str, dict[str, Any]] = {name: {} for name in STATE_FEEDS}
        self.published: list[Any] = []
        self.clients: list[Client] = []
        self.start()

    def start(self) -> None:
        self.life += 1
        self.applied: dict[str, list[int]] = {}
        self.published.clear()
        self.pane = SharedMember("pane", None)
        self.sources = {name: DictSource(name, windows) for name, windows in self.state.items()}
        self.links: list[Link] = []
        self.hub = Hub(self.limits, self.source, event_feeds=("events",), clock=lambda: self.now)

    def source(self, name: str) -> DictSource:
        if name not in self.sources:
            raise MessageError("unknown_feed", f"no feed {name}", "feed")
        return self.sources[name]

    def restart(self, keep_state: bool) -> None:
        if not keep_state:
            for windows in self.state.values():
                windows.clear()
        for client in self.clients:
            client.drop_link()
        self.start()

    def carry_out(self, session: Session, command: dict[str, Any]) -> Any:
        if command["cmd"] != "note":
            raise MessageError("unknown_command", "no such command", "cmd")
        self.applied.setdefault(session.id, []).append(command["number"])
        return command["number"]

    def tick(self) -> None:
        self.hub.tick(self.now)
        for session in self.hub.sessions.values():
            if session.link is None:
                assert self.now - session.detached_at < self.limits.grace_s, "a session outlived its grace period"
            else:
                assert self.now - session.link.heard_at < self.limits.dead_after_s, "a dead link was kept"

    # --- what publishers do ---

    def count(self) -> int:
        self.counter += 1
        return self.counter

    def set(self, feed: str, key: str, padding: int) -> None:
        window = {"x": [self.count()], "text": "", "padding": "p" * padding}
        if feed != "bare":
            window["contentID"] = f"c{self.count()}"
        self.state[feed][key] = window
        self.hub.set(feed, key)

    def update(self, feed: str, key: str, *operations: list[Any]) -> None:
        """Change the window and report the very change."""
        delta = list(operations)
        if feed != "bare":
            delta.insert(0, ["set", ["contentID"], f"c{self.count()}"])
        self.state[feed][key] = apply(self.state[feed][key], copy.deepcopy(delta))
        self.hub.update(feed, key, delta)

    def delete(self, feed: str, key: str) -> None:
        del self.state[feed][key]
        self.hub.delete(feed, key)

    def publish(self, padding: int = 0) -> None:
        """Publish an event; events are told apart by their numbers."""
        event = {"number": self.count(), "padding": "p" * padding} if padding else self.count()
        self.published.append(event)
        self.hub.publish("events", event)

    def redraw(self, padding: int) -> None:
        """What the next events carry in common."""
        self.pane = SharedMember("pane", {"version": self.count(), "padding": "p" * padding})

    def publish_about_pane(self) -> None:
        """Publish an event that carries the pane."""
        event = {"number": self.count()}
        self.published.append(event | {"pane": decode(self.pane.value)})
        self.hub.publish("events", event, self.pane)

    # --- what must hold at all times ---

    def flush(self) -> None:
        self.hub.flush()
        retained = sum(feed.retained_bytes for feed in self.hub.feeds.values() if isinstance(feed, KeyedFeed))
        assert retained <= self.limits.history_bytes, "the history exceeds its budget"

    def audit(self) -> None:
        """Recompute from scratch what the hub keeps count of, and check every bound."""
        limits, hub = self.limits, self.hub
        subscribed = {name for session in hub.sessions.values() for name in session.subscriptions}
        assert hub.feeds.keys() - {"events"} == subscribed - {"events"}, "a feed without readers, or readers without a feed"
        for feed in hub.feeds.values():
            assert feed.retained_bytes == recount(feed), f"{feed.name} miscounts what it retains"
            if isinstance(feed, EventFeed):
                check_ring(feed, limits)
            if isinstance(feed, KeyedFeed):
                tombstones = [change for change in feed._changes._by_key.values() if change.deleted]
                assert len(tombstones) <= limits.max_tombstones, "too many tombstones"
                assert len(feed._changes._by_key) - len(tombstones) <= len(self.state[feed.name]), "changes of forgotten keys"
        for old in self.links:
            assert old.reader is None or old.reader.link is old, "a link that was replaced keeps its session"
        assert all(waiting.reader is None for waiting in hub._waiting), "a link that has said hello is waited for"
        slots = Counter(each.address for each in (*hub.sessions.values(), *hub._waiting))
        assert hub._quota._taken == slots, "a slot is taken by nobody, or a client has none"
        for cause in Cause:
            counted = sum(session.problems.get(cause, 0) for session in hub.sessions.values())
            assert counted <= hub.causes.totals[cause], f"{cause} is not counted in all"
        for session in hub.sessions.values():
            assert len(session.replies) <= REMEMBERED_REPLIES
            link = session.link
            if link is None:
                assert all(subscription.cursor is None for subscription in session.subscriptions.values())
                continue
            assert link.reader is session
            assert link.in_flight_bytes == sum(link.in_flight)
            assert len(link.in_flight) <= limits.window_batches, "more batches in flight than the window"
            if link.credit:
                subscriptions = session.subscriptions.values()
                owes = bool(link.in_flight) or any(each.has_news or each.unheard or each.cursor is None for each in subscriptions)
                age_s = session.picture_age_s(self.now)
                assert age_s is not None
                assert owes or not age_s, "a client that is up to date has an old picture"
        for numbers in self.applied.values():
            assert numbers == sorted(set(numbers)), "a command was applied twice or out of order"
        for client in self.clients:
            client.check()
            client.check_bound(limits.in_flight_bytes)


def text_of(message: Outgoing) -> bytes:
    """What the other side reads, compressed as a WebSocket has it or as a poll."""
    if isinstance(message, bytes):
        return message
    for fragment in message.fragments:
        if fragment.packed is None:
            fragment.keep(fragment.pack())
    text = zlib.decompress(b"".join(raw(message.packed)) + b"\0\0\xff\xff\1\0\0\xff\xff", -15)
    assert text == zlib.decompress(as_zlib(message.packed)) == message.plain
    return text


def recount(feed: KeyedFeed | EventFeed) -> int:
    """The bytes a feed really keeps."""
    if isinstance(feed, EventFeed):
        return sum(event.own_bytes for event in feed._ring) + sum(shared_sizes(feed))
    total = 0
    for change in feed._changes._by_key.values():
        total += sum(len(delta) for _, _, delta in change.deltas) + len(change.value or b"")
        fragments = [*(change.pieces or ()), *([change.folded[1]] if change.folded else ())]
        total += sum(map(len, fragments))
        total += sum(each.packed_bytes for each in (*fragments, *([change.whole] if change.whole else ())))
    return total + sum(map(batch_bytes, feed._catch_up._batches.values()))


def batch_bytes(batch: StateBatch) -> int:
    """What a batch that is kept for other readers costs, besides what is kept of its keys."""
    parts = {id(entry.fragment) for entry in batch.entries}
    own = batch._message.fragments if batch._message is not None else ()
    packed = sum(each.packed_bytes for each in own if id(each) not in parts and each is not COMMA)
    return sum(len(entry.fragment) for entry in batch.entries) + packed


def shared_sizes(feed: EventFeed) -> list[int]:
    """Of everything that the events in the ring share, in bytes."""
    return [len(shared.value) for shared in {event.shared for event in feed._ring} if shared is not None]


def check_ring(feed: EventFeed, limits: Limits) -> None:
    counted = feed.retained_bytes - max(shared_sizes(feed), default=0)
    assert len(feed._ring) <= limits.event_count, "too many events"
    assert len(feed._ring) <= 1 or counted <= limits.event_bytes, "the events exceed their bound"
    followed = isinstance(feed, FollowedEvents)
    assert feed._ring or followed or not feed.offset, "the newest event was not kept"


class Client(Peer):
    """A client of either kind of link. Frames wait in ``down`` and ``up`` until they are delivered, or lost with the link."""

    def __init__(self, world: World, feeds: tuple[str, ...] = STATE_FEEDS) -> None:
        super().__init__(*feeds)
        self.world = world
        self.awaiting: Counter[str] = Counter()  # verdicts; until the last arrives, all is about subscriptions before
        self.chain: dict[str, int | None] = {}
        self.conversation: Conversation | None = None
        self.looks = 0
        self.sizes: list[int] = []
        """What the server has sent on this link, in bytes of entries for each batch."""
        self.down: deque[dict[str, Any]] = deque()
        self.up: deque[dict[str, Any]] = deque()
        self.batches = 0
        self.news = self.is_welcome = False
        self.window = world.limits.window_batches
        self.draws = True
        self.closed: CloseCode | None = None
        self.deltas = 0
        self.lost_position = 0
        world.clients.append(self)

    # --- links ---

    @property
    def connected(self) -> bool:
        return self.conversation is not None

    @property
    def polls(self) -> bool:
        return self.conversation is not None and self.conversation.link.kind == "poll"

    def connect(self, kind: str) -> None:
        """Open a link. Whatever an older one still carried is lost; the server may not have noticed its end."""
        self.drop_link()
        facts = {"server": str(self.world.life)}
        # Whether a link compresses must make no difference.
        can_compress = len(self.world.links) % 2 == 0
        conversation = Conversation(self.world.hub, kind, self.world.now, self.world.carry_out, facts, can_compress=can_compress)
        conversation.link.on_close = lambda code: self._on_close(conversation, code)
        conversation.link.on_news = lambda: self._on_news(conversation)
        self.conversation = conversation
        self.sizes = []
        self.world.links.append(conversation.link)
        if kind != "poll":
            self.world.hub.await_hello(conversation.link, self.world.now)
            self.up.append(self.hello(window=self.window))

    def hello(self, **members: Any) -> Message:
        self.awaiting = Counter(self.feeds.keys())
        return super().hello(**{"compression": ["deflate"], **members})

    def positions(self) -> dict[str, Any]:
        """Half of what it holds is near, another half each time."""
        self.looks += 1
        positions = super().positions()
        for name, position in positions.items():
            replica = self.feeds[name]
            if position is not None and isinstance(replica, StateReplica):
                position["near"] = sorted(replica.values)[self.looks % 2 :: 2]
        return positions

    def _on_news(self, conversation: Conversation) -> None:
        self.news |= self.conversation is conversation

    def _on_close(self, conversation: Conversation, code: CloseCode) -> None:
        if self.conversation is conversation:
            self.closed = code
            self.drop_link()
            if code in (CloseCode.REPLACED, CloseCode.WRONG_SECRET):
                self.be_nobody()

    def drop_link(self) -> None:
        """The client's end of the link is gone, with all that was under way. The server is not told."""
        self.conversation = None
        self.down.clear()
        self.up.clear()
        self.batches = 0
        self.news = self.is_welcome = False

    def cut(self) -> None:
        """Both ends notice."""
        conversation = self.conversation
        self.drop_link()
        if conversation is not None:
            self.world.hub.detach(conversation.link, self.world.now)

    # --- one step of the network ---

    def send(self, count: int | None = None) -> None:
        """Deliver what the client says, the first ``count`` messages of it."""
        conversation = self.conversation
        for _ in range(len(self.up) if count is None else min(count, len(self.up))):
            if conversation is not None and conversation is self.conversation:
                try:
                    conversation.receive(encode(self.up.popleft()), self.world.now)
                except LinkClosed as closed:
                    self.world.hub.end(conversation.link, closed.code, self.world.now)

    def pump(self) -> None:
        """Put what the server may send on the wire, if it said that there is something."""
        if self.conversation is not None and self.news:
            self.news = False
            self.down.extend(self._take(self.conversation))

    def receive(self, count: int | None = None) -> None:
        """Deliver what is on the wire, the first ``count`` frames of it. Drawing and acknowledging are one."""
        drawn = False
        for _ in range(len(self.down) if count is None else min(count, len(self.down))):
            message = self.down.popleft()
            drawn |= message["type"] == "batch"
            self.handle(message)
        if drawn and self.draws:
            self.acknowledge()

    def acknowledge(self) -> None:
        if self.conversation is not None:
            self.up.append({"type": "ack", "batches": self.batches})

    def poll(self, lost: bool = False, repeat_batches: bool = False) -> bool:
        """Make one poll. Returns whether the reply, which may be lost, carried anything.

        Only batches may arrive twice: a reply begins with verdicts, and HTTP never delivers a whole reply twice.
        """
        conversation = self.conversation
        if conversation is None:
            return False
        opening = conversation.session is None
        try:
            if opening:
                # Without a window: a poll is credit by itself.
                self.up.appendleft(self.hello())
            else:
                # JSON in between, as on the wire.
                feeds = decode(encode(self.positions()))
                conversation.present(feeds, self.world.now)
            while self.up and conversation is self.conversation:
                conversation.act(self.up.popleft(), self.world.now)
        except LinkClosed as closed:
            self.world.hub.end(conversation.link, closed.code, self.world.now)
        if conversation is not self.conversation:
            return False
        reply = self._take(conversation)
        if lost:
            if opening:
                self.drop_link()  # the client never learns the name of the chain
            else:
                self.up.extend(self.outbox.pending)
            return bool(reply)
        for message in reply:
            self.handle(copy.deepcopy(message))
        if repeat_batches:
            for message in reply:
                if message["type"] == "batch":
                    self.handle({**message, "again": True})
        return bool(reply)

    def exchange(self, repeat_batches: bool = False) -> None:
        """Everything that is under way arrives, batches perhaps twice."""
        if self.polls:
            self.poll(repeat_batches=repeat_batches)
            return
        self.send()
        self.pump()
        if repeat_batches:
            self.down.extend([{**message, "again": True} for message in self.down if message["type"] == "batch"])
        self.receive()

    def _take(self, conversation: Conversation) -> list[dict[str, Any]]:
        link = conversation.link
        batches = len(link.in_flight)
        messages = [decode(text_of(message)) for message in link.take_messages()]
        assert len(link.in_flight) in (batches, *range(link.credit + 1)), "sent beyond the window that was granted"
        for message in messages:
            if message["type"] == "batch":
                self.sizes.append(len(encode(message.get("entries", []))))
                check = self._check_loss if message["feed"] == "events" else self._check_entries
                check(message)
        return messages

    def _check_loss(self, message: dict[str, Any]) -> None:
        feed = self.world.hub.feeds["events"]
        assert isinstance(feed, EventFeed)
        lost = feed.offset - len(feed._ring)
        assert message["missed"] == max(0, lost - message["from"]), "a loss that was none, or one that is not told"

    def _check_entries(self, message: dict[str, Any]) -> None:
        windows = self.world.state[message["feed"]]
        for entry in message["entries"]:
            if "delta" in entry:
                assert entry["key"] in windows, "a delta for a key that is gone"
                self.deltas += 1
                delta, value = len(encode(entry)), len(encode(windows[entry["key"]]))
                assert delta <= max(value + 100, SMALL_DELTA_BYTES), "a delta larger than the snapshot it replaces"
            elif "piece" in entry:
                assert len(entry["text"]) <= self.world.limits.batch_bytes // PIECES
            elif "value" in entry:
                assert entry["value"] == windows.get(entry["key"]), "a value that is not the newest"
            else:
                assert entry["key"] not in windows

    # --- the protocol ---

    def handle(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "welcome":
            self.is_welcome = True
            self.up.extend(self.welcomed(message))
        elif kind == "subscribed":
            name = message["feed"]
            self.awaiting -= Counter([name])
            if name in self.feeds and name not in self.awaiting:
                self.subscribed(message)
                self.chain[name] = message["offset"] if name == "events" else None
        elif kind == "batch":
            self.batches += "again" not in message
            if message["feed"] in self.feeds and message["feed"] not in self.awaiting:
                self.take_batch(message)
        elif kind == "reply":
            assert message["error"] is None
            command = self.outbox.replied(message["id"])
            assert command is None or message["result"] in (command["command"]["number"], None)
        elif kind == "ping":
            self.up.append({"type": "pong"})
        else:
            assert kind == "pong", message

    def take_batch(self, message: Message) -> None:
        name = message["feed"]
        if "again" not in message:
            assert self.chain[name] in (message["from"], None), "a broken chain of batches"
            self.chain[name] = message["to"] if message["complete"] or name == "events" else message["from"]
        try:
            self.apply(message)
        except GapError:
            self.lost_position += 1
            self.subscribe(name)

    def read(self, batch: Mapping[str, Any], before: int, missed: int, events: list[Any]) -> None:
        first = before + missed
        assert events == self.world.published[first : first + len(events)], "events out of order, or not told as lost"
        assert self.feeds["events"].offset == first + len(events)
        super().read(batch, before, missed, events)

    def subscribe(self, name: str) -> None:
        """Begin, or begin again, to follow a feed. A poll presents it; on any other link it is asked for."""
        self.follow(name)
        if self.connected and not self.polls:
            self.awaiting[name] += 1
            self.up.append({"type": "subscribe", "feed": name, "position": self.feeds[name].position()})

    def unsubscribe(self, name: str) -> None:
        self.feeds.pop(name, None)
        if self.connected and not self.polls:
            self.up.append({"type": "unsubscribe", "feed": name})

    def command(self) -> None:
        message = self.outbox.add({"cmd": "note", "number": self.world.count()})
        # Before the welcome its id might belong to a session that is gone; the welcome sends it anyway.
        if self.is_welcome:
            self.up.append(message)

    def grant(self, window: int) -> None:
        self.window = window
        if self.connected and not self.polls:
            self.up.append({"type": "credit", "window": window})

    # --- what must hold ---

    def check(self) -> None:
        assert self.lost_position == 0, "a delta did not fit"
        events = self.events.get("events", [])
        assert len({str(event) for event in events}) == len(events), "an event came twice"
        for name, replica in self.feeds.items():
            feed = self.world.hub.feeds.get(name)
            if isinstance(replica, StateReplica) and feed is not None and feed.epoch == replica.epoch:
                assert replica.offset <= feed.offset
                if replica.offset == feed.offset:
                    assert replica.values == self.world.state[name], f"{name} claims to be current and is not"

    def check_bound(self, bytes_: int) -> None:
        """A single batch may be larger than the bound, if it is alone."""
        in_flight = len(self.conversation.link.in_flight) if self.conversation is not None else 0
        assert in_flight <= 1 or sum(self.sizes[-in_flight:]) <= bytes_, "more bytes in flight than the bound"

    def settle(self) -> None:
        """With a working network, and publishers at rest: come up to date, in finitely many steps."""
        self.world.flush()
        self.draws = True
        if not self.connected:
            self.connect("websocket")
        self.grant(self.world.limits.window_batches)
        if not self.polls:
            self.acknowledge()
        for _ in range(200):
            if self.polls:
                busy = self.poll()
            else:
                self.send()
                self.pump()
                busy = bool(self.down)
                self.receive()
            if not self.connected:
                self.connect("websocket")
            elif not busy and not self.up:
                break
        else:
            raise AssertionError("no end of catching up")
        assert not self.awaiting, "a subscription without a verdict"
        assert not self.outbox.pending, "a command without a reply"
        for name, replica in self.feeds.items():
            assert replica.offset == self.world.hub.feeds[name].offset, f"{name} stays behind"
            if isinstance(replica, StateReplica):
                assert replica.values == self.world.state[name], f"{name} did not converge"
