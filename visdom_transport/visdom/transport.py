"""Puts one Visdom application's transport together: hub, state, journal, commands."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from visdom_transport import __version__, feed_names
from visdom_transport.core.causes import Causes, closed
from visdom_transport.core.conversation import Conversation
from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.core.hub import Hub
from visdom_transport.core.session import Session
from visdom_transport.links.flusher import Flusher, clock
from visdom_transport.links.longpoll import Client, LongPollLinks, Turn
from visdom_transport.links.packer import Packer
from visdom_transport.operators.measures import NOTHING, Measures
from visdom_transport.settings import Settings
from visdom_transport.visdom import flavour
from visdom_transport.visdom.access.logins import Logins
from visdom_transport.visdom.durability.environments import environments_of
from visdom_transport.visdom.durability.journal import Journal
from visdom_transport.visdom.durability.publishers import Publishers
from visdom_transport.visdom.identity import SERVER_ID
from visdom_transport.visdom.observed import State
from visdom_transport.visdom.reporting import log
from visdom_transport.visdom.reporting.operations import Operations
from visdom_transport.visdom.state.changes import Changes
from visdom_transport.visdom.state.closed_windows import ClosedWindows
from visdom_transport.visdom.state.commands import Commands
from visdom_transport.visdom.state.comparison import Comparisons
from visdom_transport.visdom.state.environments import Environments
from visdom_transport.visdom.state.panes import Panes
from visdom_transport.visdom.state.reading_ahead import ReadAhead
from visdom_transport.visdom.state.saving_ahead import SavingAhead
from visdom_transport.visdom.state.turns import Turns
from visdom_transport.visdom.state.values import FeedValues
from visdom_transport.visdom.storage import storage_of
from visdom_transport.visdom.subscribers.stock_pages import StockPages
from visdom_transport.visdom.subscribers.subscribers import Subscribers
from visdom_transport.visdom.updates import Memo, WindowBounds, rules_for


class Transport:
    """What our seams and handlers find as ``app.transport``."""

    def __init__(self, app: Any, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.is_announced = False
        self.logins = Logins()
        self.publishers = Publishers()
        self.panes = Panes()
        self.storage = storage_of(app)
        self.stock_polls: dict[str, Any] = {}
        self.rules = rules_for(flavour.recognise(), app)
        self.window_bounds = WindowBounds(**{field.name: getattr(settings, field.name) for field in fields(WindowBounds)})
        self.line_counts: Memo = {}
        self.journal = Journal(app, settings, self.publishers)
        state = self._load_state()
        self.measures = Measures() if settings.metrics == "on" else None
        self.operations = Operations(app, lambda: self.hub, self.journal, (self.measures or NOTHING).turned)
        self.hub = self._make_hub()
        self.compresses = settings.compression == "on"
        self.packer = Packer()
        self.turns = Turns(self.hub, self.panes, settings.answer_wait_s)
        self.flusher = Flusher(self.hub, settings.flush_interval_ms / 1000, on_flush=(self.measures or NOTHING).flushed)
        self.environments = Environments(state, self.storage)
        self.read_ahead = ReadAhead(state)
        self.comparisons = Comparisons(self.environments, self.hub)
        self.closed_windows = ClosedWindows(self.hub, state, self.storage)
        parts = (self.environments, self.comparisons, self.closed_windows, lambda: str(app.layouts), self.journal.restored)
        self.values = FeedValues(*parts, operator=self.operations.values if settings.operator_page == "on" else None)
        self.changes = Changes(state, self.hub, self.journal, self.closed_windows, self.comparisons, self.turns)
        state.observe(self.changes)

        self.stock_pages = StockPages(self.hub, self.environments, self.values)
        self.commands = Commands(
            app, self.environments, self.changes, self.hub, self.storage, self.journal, self.panes, show=self.stock_pages.follow
        )
        self.saving_ahead = SavingAhead(app, self.environments, self.journal.saves, self.commands)
        self.long_polls = LongPollLinks(self.hub, self._converse_by_polls, self.before)
        self.journal.start()
        app.subs = Subscribers(self.hub, "browser", self.stock_pages)
        app.sources = Subscribers(self.hub, "source", self.stock_pages)

    def _make_hub(self) -> Hub:
        """Feeds read values of the state, whose changes the feeds are told."""
        return Hub(
            self.settings,
            lambda name: self.values.of(name),
            event_feeds=(feed_names.EVENTS, feed_names.NOTIFICATIONS),
            wake=lambda: self.flusher.schedule(),
            causes=Causes(self.operations.log_once),
            on_answer=lambda: self.turns.look(),
            clock=clock,
            counts=self.measures.counts if self.measures is not None else None,
        )

    def _load_state(self) -> State:
        """Bring the application's state to where the journal ends, and put it into the shape that can be observed."""
        app = self.app
        self.journal.load(app.state)
        files = environments_of(app) if app.env_path is not None else None
        app.state = state = State(app.state, files, self.journal.save)
        if hasattr(app, "storage"):
            app.storage.state = state  # where a save finds what it saves
        return state

    def before(self, session: Session | None, message: Any) -> Turn | None:
        """What to wait for before acting on a page's ``message``, encoded or not. What that returns, if anything, is a context to
        act in."""
        turn = self.turns.before(message)
        return turn if turn is not None else self.saving_ahead.before(session, message)

    def converse(self, kind: str, client: Client, *, can_compress: bool) -> Conversation:
        """A conversation with a new client of our protocol. Raises `LinkClosed` when it is not logged in, and must be."""
        if client.login is None:
            raise LinkClosed(CloseCode.UNAUTHORIZED)
        self.flusher.start()
        facts = {"server": SERVER_ID, "version": __version__, "readonly": bool(self.app.readonly), "detail": self.settings.detail}
        act = self.commands.carry_out
        return Conversation(
            self.hub, kind, clock(), act, facts, address=client.address, login=client.login, can_compress=can_compress
        )

    def _converse_by_polls(self, client: Client) -> Conversation:
        return self.converse("poll", client, can_compress=self.compresses and client.takes_deflate)

    def refused(self, code: CloseCode, client: Client, detail: str = "") -> None:
        """Somebody was turned away before there was a link."""
        self.hub.causes.count(closed(code), client.address, detail)

    def status(self) -> dict[str, Any]:
        durability = self.journal.status()
        own = {"version": __version__, "server": SERVER_ID, "dropped_log_lines": log.dropped_lines()}
        return {**self.hub.status(clock()), **own, "durability": durability}
