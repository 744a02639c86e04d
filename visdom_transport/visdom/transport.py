"""One Visdom application's transport: its hub, its observed state, and what connects the two."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any
from weakref import WeakValueDictionary

from tornado.ioloop import IOLoop
from visdom.server.handlers import web_handlers
from visdom.utils import server_utils

from .. import __version__
from ..core.conversation import Conversation
from ..core.delta import Delta
from ..core.errors import CloseCode, LinkClosed, MessageError
from ..core.hub import Hub
from ..core.limits import Limits
from ..core.session import Session
from ..core.state_feed import Source
from ..core.tally import closed
from ..links.longpoll import Chains, Client
from ..links.pump import Pump, clock
from ..links.stock import StockBrowser
from ..settings import Settings
from ..writing import unwritable
from .advice import tell
from .commands import Commands
from .compare import REFRESH_AFTER_S, Comparison
from .delivery import stock_compare_envs
from .durability.environments import environments_of
from .durability.keeper import Keeper
from .durability.reading import Unreadable
from .logins import Logins
from .panes import Panes
from .producers import Producers
from .sources import SharedSource, WindowSource
from .state import State, Unread, is_unread
from .turns import Turns
from .updates import Caps, Memo, rules_for

logger = logging.getLogger("visdom_transport")

SERVER_ID = secrets.token_hex(8)
"""Changes with every server process."""


class Transport:
    """What our seams and handlers find as ``app.transport``."""

    def __init__(self, app: Any, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.undoable: set[str] = set()
        """Environments of which somebody was told how many closed windows can be brought back."""
        limits = Limits(**{name: getattr(settings, name) for name in Limits.__dataclass_fields__ if hasattr(settings, name)})
        self.hub = Hub(limits, self._source, event_feeds=("events", "notifications"))
        self.hub.tally.tell = tell
        self.logins = Logins()
        self.pump = Pump(self.hub, settings.flush_interval_ms / 1000)
        self.commands = Commands(self)
        self.panes = Panes()
        self.producers = Producers()
        self.turns = Turns(self.hub, self.panes, settings.answer_wait_s)
        self.chains = Chains(self.hub, lambda client: self.converse("poll", client), self.turns.before)
        self.stock_polls: dict[str, Any] = {}
        self.rules = rules_for(web_handlers.UpdateHandler, server_utils, app)
        self.caps = Caps(**{field.name: getattr(settings, field.name) for field in fields(Caps)})
        self.line_counts: Memo = {}
        self._comparisons: WeakValueDictionary[str, Comparison] = WeakValueDictionary()
        """Those that a feed reads from."""
        self._stale: set[str] = set()
        self.environments = environments_of(app) if app.env_path is not None else None
        self.keeper = Keeper(app, settings, self.producers)
        self.keeper.load(app.state)
        app.state = State(app.state, self)
        if hasattr(app, "storage"):
            app.storage.state = app.state  # where a save finds what it saves
        self.keeper.start()
        app.subs = Subscribers(self, "browser")
        app.sources = Subscribers(self, "source")

    def converse(self, kind: str, client: Client) -> Conversation:
        """A conversation with a new client of our protocol. Raises `LinkClosed` when it is not logged in, and must be."""
        if client.login is None:
            raise LinkClosed(CloseCode.UNAUTHORIZED)
        self.pump.start()
        facts = {"server": SERVER_ID, "version": __version__, "readonly": bool(self.app.readonly)}
        act = self.commands.carry_out
        return Conversation(self.hub, kind, clock(), act, facts, address=client.address, login=client.login)

    def refused(self, code: CloseCode, client: Client, detail: str = "") -> None:
        """Somebody was turned away before there was a link."""
        self.hub.tally.count(closed(code), client.address, detail)

    # --- feeds ---

    def _source(self, name: str) -> Source:
        kind, _, rest = name.partition("/")
        if name == "shared":
            return SharedSource(self)
        # 0.2.4 makes environments under ids that it never stores them by.
        if kind == "env" and (rest in self.app.state or rest == escape_eid(rest) != ""):
            if rest not in self.app.state:
                self.readable(rest)
            self.undo_changed(rest)
            return WindowSource(self, rest)
        if kind == "compare" and rest:
            return self._comparison(name)
        raise MessageError("unknown_feed", f"no feed {name[:100]!r}", "feed")

    def _comparison(self, name: str) -> Comparison:
        comparison = self._comparisons.get(name)
        if comparison is None:
            comparison = self._comparisons[name] = Comparison(self, name)
        return comparison

    def environment(self, eid: str) -> Any:
        """The environment, read from disk if need be, or None when there is none. A file that appeared after the start is found.

        Raises:
            MessageError: its file cannot be read, or holds something else.
        """
        state = self.app.state
        environment = state.get(eid)
        if environment is None and self.environments is not None and self.environments.exists(eid):
            environment = Unread(self.environments, eid)
        if is_unread(environment):
            try:
                environment.lazy_load_data()
            except Unreadable as error:
                raise MessageError("unknown_env", f"environment {eid[:100]!r} cannot be shown: {error}", "eid") from error
            if eid not in state:
                state.take_up(eid, environment)
        return environment

    def problem(self, eid: str) -> str | None:
        """Why an environment cannot be shown, if so."""
        try:
            self.environment(eid)
        except MessageError as error:
            return error.message
        return None

    def readable(self, eid: str) -> Any:
        """The environment, read from disk if need be, or None when there is none that can be read."""
        return self.app.state.get(eid) if self.problem(eid) is None else None

    def begin(self, eid: str) -> Any:
        """The environment, for somebody who adds to it: made when there is none that can be read."""
        if self.readable(eid) is None:
            self.app.state[eid] = {"jsons": {}, "reload": {}}
        return self.app.state[eid]

    def listed(self) -> list[str]:
        """Environments whose files have appeared since the start, and which nobody has asked for."""
        return self.environments.listed(self.app.state) if self.environments is not None else []

    def combine(self, eids: list[str], socket: Any, show_all: bool) -> None:
        """Have Visdom combine environments, as far as they can be shown, and write the result to ``socket``."""
        known = [eid for eid in eids if self.readable(eid) is not None]
        if not known:
            return
        compare_envs = stock_compare_envs()
        if hasattr(self.app, "storage"):
            compare_envs(self.app.state, known, socket, self.app.storage, show_all=show_all)
        else:
            compare_envs(self.app.state, known, socket, self.app.env_path)

    # --- what the state and Visdom's handlers report ---

    def environments_changed(self) -> None:
        self.hub.set("shared", "envs")
        for eid in self.undoable.difference(self.app.state):
            self.undoable.discard(eid)
            self.hub.delete("shared", f"undo/{eid}")

    def environment_replaced(self, eid: str, before: set[str] | None) -> None:
        feed = f"env/{eid}"
        if feed in self.hub.feeds:
            environment = self.app.state.get(eid)
            windows = environment["jsons"] if environment is not None else {}
            for win in (before or set()).difference(windows):
                self.hub.delete(feed, win)
            for win in windows:
                self.hub.set(feed, win)
        self.panes.environment_replaced(eid)
        self.turns.look()
        self.keeper.environment_replaced(eid, begins=before is None)
        self._compare_later(eid)

    def environment_found(self, eid: str) -> None:
        feed = f"env/{eid}"
        if feed in self.hub.feeds:
            for win in self.app.state[eid]["jsons"]:
                self.hub.set(feed, win)
        self._compare_later(eid)

    def window_set(self, eid: str, win: str) -> None:
        self._pane_changed(eid, win)
        self.hub.set(f"env/{eid}", win)
        self.keeper.part_replaced(eid, "window", win)
        self._compare_later(eid)

    def window_removed(self, eid: str, win: str) -> None:
        self._pane_changed(eid, win)
        self.hub.delete(f"env/{eid}", win)
        self.keeper.part_replaced(eid, "window", win)
        self._compare_later(eid)

    def window_changed(self, eid: str, win: str) -> None:
        """Something inside the window has changed."""
        environment = self.app.state.get(eid)
        if environment is not None and win in environment["jsons"]:
            self.window_set(eid, win)

    def window_updated(self, eid: str, win: str, delta: Delta) -> None:
        """``delta`` has been applied to the window."""
        self._pane_changed(eid, win)
        self.hub.update(f"env/{eid}", win, delta)
        self.keeper.window_updated(eid, win, delta)
        self._compare_later(eid)

    def _pane_changed(self, eid: str, win: str) -> None:
        self.panes.window_changed(eid, win)
        self.turns.look()

    def member_set(self, eid: str, name: str) -> None:
        """What an environment holds besides its windows, such as their saved positions, has changed."""
        self.keeper.part_replaced(eid, "member", name)

    def layouts_changed(self) -> None:
        self.hub.set("shared", "layouts")

    def undo_changed(self, eid: str) -> None:
        """The number of closed windows of ``eid`` that can be brought back may be another (0.3.0)."""
        if hasattr(self.app, "storage") and eid in self.app.state:
            self.undoable.add(eid)
            self.hub.set("shared", f"undo/{eid}")

    def window_closed(self, eid: str, win: str, window: Any) -> None:
        """A person or program closed the window: it can be brought back (0.3.0)."""
        if not hasattr(self.app, "storage"):
            return
        try:
            server_utils.push_deleted(self.app.storage, eid, win, window)
        except OSError as error:
            unwritable.log(error, "window %.200r cannot be brought back: %s", win)
        except (ValueError, TypeError) as error:  # an id that cannot be a file's name, a window that is nested too deeply
            logger.error("window %.200r of environment %.200r cannot be brought back: %s", win, eid, error)
        self.undo_changed(eid)

    def _compare_later(self, eid: str) -> None:
        stale = {c.feed for c in self._comparisons.values() if eid in c.eids}
        if not stale:
            return
        if not self._stale:
            IOLoop.current().call_later(REFRESH_AFTER_S, self._refresh_comparisons)
        self._stale |= stale

    def _refresh_comparisons(self) -> None:
        stale, self._stale = self._stale, set()
        for name in stale:
            comparison = self._comparisons.get(name)
            if comparison is not None:
                comparison.refresh()

    # --- stock clients ---

    def show(self, session: Session, feed: str, *, live_only: bool = False) -> None:
        """Have a stock page show the environment or comparison of ``feed`` instead of what it shows now.

        Raises:
            MessageError: it cannot be shown; the page goes on with what it shows now.
        """
        self._source(feed)
        kind, _, shown = feed.partition("/")
        if not live_only:
            for eid in [shown] if kind == "env" else Comparison.members(feed):
                self.environment(eid)
        for name in [name for name in session.subscriptions if name.partition("/")[0] in ("env", "compare")]:
            self.hub.unsubscribe(session, name)
        link = session.link
        if link is not None and isinstance(link.dialect, StockBrowser):
            link.dialect.show(feed)
        self.hub.subscribe(session, feed, None, live_only=live_only)

    def status(self) -> dict[str, Any]:
        durability = self.keeper.status()
        return {**self.hub.status(clock()), "version": __version__, "server": SERVER_ID, "durability": durability}


class Subscriber:
    """A session in the shape in which Visdom's handlers know subscribers."""

    def __init__(self, transport: Transport, session: Session) -> None:
        self.transport = transport
        self.session = session


class Subscribers(Mapping[str, Subscriber]):
    """``app.subs`` and ``app.sources``: a view of the hub's sessions of one role."""

    def __init__(self, transport: Transport, role: str) -> None:
        self._transport = transport
        self._role = role

    def __getitem__(self, sid: str) -> Subscriber:
        session = self._transport.hub.sessions[sid]
        if session.role != self._role:
            raise KeyError(sid)
        return Subscriber(self._transport, session)

    def __iter__(self) -> Iterator[str]:
        return (session.id for session in self._transport.hub.sessions.values() if session.role == self._role)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def escape_eid(eid: str) -> str:
    """The environment id as Visdom stores it."""
    escaped: str = server_utils.escape_eid(eid)
    return escaped
