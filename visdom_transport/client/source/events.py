"""The event stream of a `visdom.Visdom`, which finds its way back: what its `setup_socket` and `setup_polling` become.

The thread it runs in is that of Visdom's client in name and kind, and calls the handlers as that does. It keeps these
attributes of the client: `socket_alive`, `socket_connection_achieved`, `use_socket`, `socket_thread`, `vis_sid`.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

import requests

from visdom_transport.client.asking.backoff import Backoff
from visdom_transport.client.asking.errors import Away
from visdom_transport.client.source.links import Access, BufferedSocket, Link, connect
from visdom_transport.client.source.stream import EventStream, LinkLost, Message
from visdom_transport.client.source.ways import CLIMBED_S, WELCOME_S, Choice, Climb
from visdom_transport.core.encoding import encode
from visdom_transport.core.errors import CloseCode

logger = logging.getLogger("visdom_transport.source")

GAP: Final = "gap"
"""The target of handlers that want to know of lost events."""

ATTENTION_S: Final = 1.0
"""How soon a WebSocket's thread notices that `use_socket` was set to False."""

ANSWER_S: Final = 1.0
"""How long an event waits, at most, until what the handlers of the one before it have published is there."""

HOPELESS: Final = frozenset({CloseCode.PROTOCOL, CloseCode.ORIGIN})
"""Close codes of a server that would say the same again."""


class EventListener:
    """Reads the events of one `visdom.Visdom` in a thread of its own, until `close` or ``vis.use_socket = False``.

    Events that happen while the server is out of reach are caught up, each once and in order. Where that is not possible,
    a warning is logged, and handlers of the target "gap" are given an event with `missed`: how many events are lost, None
    when nobody can know because the server started over.
    """

    def __init__(self, vis: Any, *, polling: bool = False) -> None:
        self._vis = vis
        self._choice = Choice(always_poll=polling)
        self._access = Access(vis)
        self._climb = Climb(self._access, _now)
        self._climbed: BufferedSocket | None = None
        self._stream = EventStream(self._handle, self._announce)
        self._backoff = Backoff()
        self._link: Link | None = None
        self._is_delivering = False
        """Whether the present link has shown that it works."""
        self._closing = threading.Event()
        self._released = False
        self._is_away = False
        self._logged_in_again = False
        self._pid = os.getpid()
        self.thread = threading.Thread(target=self._run, name="Visdom-Socket-Thread", daemon=True)

    def close(self, timeout_s: float = 5.0) -> None:
        """End the stream and, at most for ``timeout_s``, wait for its thread. A handler that runs is not interrupted."""
        self._closing.set()
        self._vis.use_socket = False
        link = self._link
        # A forked process has a copy of the connection, which is not its own to end.
        if os.getpid() != self._pid:
            return
        if link is not None:
            link.drop()
        if self.thread is not threading.current_thread():
            self.thread.join(timeout_s)

    def expect(self) -> None:
        """Somebody relies on the stream: it counts as used, although the server is not there yet."""
        if self._released:
            self._vis.use_socket = True
            self._released = False

    # --- the thread ---

    def _run(self) -> None:
        while self._wanted():
            try:
                self._follow()
            except Exception as error:
                was_alive, self._vis.socket_alive = self._vis.socket_alive, False
                if self._wanted() and not self._try_again(error, was_alive):
                    self._vis.use_socket = self._released = False
                asked_s = error.retry_after_s if isinstance(error, Away) else None
            else:
                asked_s = None
                if self._climbed is not None:
                    continue
            self._vis.socket_alive = False
            if self._wanted():
                self._closing.wait(max(self._backoff.failed(), asked_s or 0.0))
        if self._climbed is not None:
            # Closed between two links.
            self._climbed.shutdown()  # type: ignore[no-untyped-call]

    def _wanted(self) -> bool:
        return not self._closing.is_set() and (self._vis.use_socket or self._released)

    def _follow(self) -> None:
        """Use one link for as long as it works."""
        stream = self._stream
        hello = stream.open(_now())
        opened, self._climbed = self._climbed, None
        polls = opened is None and self._choice.polls
        self._is_delivering = False
        link = None
        try:
            link = self._link = connect(self._access, hello, polling=polls, pause=self._closing.wait, opened=opened)
            self._read(link, WELCOME_S if opened is None else CLIMBED_S)
        except Exception as error:
            self._note_failure(error, polls=polls, was_opened=link is not None)
            if opened is not None and not self._is_delivering:
                return  # polls work, and nobody has to know
            if isinstance(error, LinkLost):
                stream.closed(error.code)
            raise
        finally:
            self._link = None
            self._climb.stop()
            if link is not None:
                link.drop()
                link.release()

    def _read(self, link: Link, welcome_s: float) -> None:
        stream = self._stream
        silent_at = _now() + welcome_s
        stream.heard(_now())
        while self._wanted():
            messages = link.receive(self._patience(link), stream.feeds())
            if messages is None:
                if not self._is_delivering and _now() >= silent_at:
                    raise LinkLost(f"nothing heard for {welcome_s:.0f} s")
                link.send(stream.check(_now()))
                continue
            stream.heard(_now())
            for message in messages:
                link.send(self._take(link, message))
            if link.polls and self._choice.climbs and self._is_delivering:
                self._climbed = self._climb.step()
                if self._climbed is not None:
                    return

    def _note_failure(self, error: Exception, *, polls: bool, was_opened: bool) -> None:
        # What the server ends by a code it has let through.
        if self._is_delivering or (isinstance(error, LinkLost) and error.code is not None):
            return
        if polls:
            self._choice.poll_failed(was_answered=isinstance(error, Away) and error.kind != "silent")
        else:
            self._choice.failed(was_opened=was_opened)

    def _patience(self, link: Link) -> float:
        if not link.polls:
            return min(ATTENTION_S, self._stream.check_in_s(_now()))
        if self._choice.climbs and self._is_delivering:
            return min(self._stream.poll_wait_s, self._climb.due_in_s())
        return self._stream.poll_wait_s

    def _take(self, link: Link, message: Message) -> list[Message]:
        if not link.is_ours:
            if isinstance(message, dict) and message.get("command") == "alive":
                self._live(link)
            self._handle(message)
            return []
        answers = self._stream.take(message, _now())
        if self._stream.is_live and not self._is_delivering:
            self._live(link)
        return [answer for answer in answers if link.acknowledges or answer["type"] != "ack"]

    # --- what the client's attributes say ---

    def _live(self, link: Link) -> None:
        vis = self._vis
        self._is_delivering = True
        if not link.polls:
            self._choice.delivered()
            self._climb.arrived()
        elif self._choice.climbs:
            self._climb.begin()
        if link.id is not None:
            vis.vis_sid = link.id
        vis.socket_alive = vis.socket_connection_achieved = True
        self.expect()
        self._backoff.succeeded()
        self._logged_in_again = False
        if self._is_away:
            self._is_away = False
            logger.warning("events of %s arrive again", self._access.address.shown)

    def _try_again(self, error: Exception, was_alive: bool) -> bool:
        """Whether there is hope. Says once for each outage what is wrong."""
        vis, url = self._vis, self._access.address.shown
        code = error.code if isinstance(error, LinkLost) else None
        if isinstance(error, LinkLost) and not was_alive and not self._may_enter(code):
            logger.error("no events of %s: it asks for a login; Visdom() takes username and password", url)
            return False
        if code in HOPELESS:
            logger.error("no events of %s: %s", url, error)
            return False
        if not vis.socket_connection_achieved and not self._released:
            # Visdom's constructor waits for the stream for as long as it counts as used.
            self._released = True
            vis.use_socket = False
        if not self._is_away:
            self._is_away = True
            known = isinstance(error, Away | LinkLost)
            logger.warning("no events of %s for now (%s)", url, error if known else f"{type(error).__name__}: {error}")
        return True

    def _may_enter(self, code: int | None) -> bool:
        """Log in again, once for each outage: a server that was restarted may have forgotten who is."""
        if self._access.can_log_in and not self._logged_in_again:
            try:
                self._logged_in_again = self._access.log_in()
            except (Away, requests.RequestException, RuntimeError):
                return True  # not now
            return self._logged_in_again
        return code != CloseCode.UNAUTHORIZED

    # --- what the handlers see ---

    def _handle(self, event: Any) -> None:
        if self._closing.is_set() or not isinstance(event, dict) or "target" not in event:
            return
        try:
            hash((event.get("eid"), event["target"]))
        except TypeError:
            return  # any page can send one; nobody can have a handler for it
        published = self._published()
        self._call_handlers(event)
        if self._published() > published:
            # It is an answer to this event, and the next one carries what it makes of the pane.
            self._vis.flush(ANSWER_S)

    def _published(self) -> int:
        """How many calls were left to the background of a `Publisher`."""
        counters = getattr(self._vis, "counters", None)
        return counters.calls if counters is not None else 0

    def _call_handlers(self, event: dict[str, Any]) -> None:
        vis = self._vis
        if hasattr(vis, "_handle_incoming_message"):
            # 0.3.0 looks handlers up by environment as well.
            vis._handle_incoming_message(encode(event).decode())
            return
        for handler in list(vis.event_handlers.get(event["target"], ())):
            try:
                handler(event)
            except Exception:
                logger.exception("a handler of %s failed", event["target"])

    def _announce(self, missed: int | None) -> None:
        if missed is None:
            logger.warning(
                "%s started over: events that it had not sent are lost, nobody can know how many", self._access.address.shown
            )
        else:
            logger.warning("%d events of %s are lost: they are older than what it keeps", missed, self._access.address.shown)
        self._handle({"event_type": GAP, "target": GAP, "missed": missed})


def _now() -> float:
    return time.monotonic()


# --- what takes the place of Visdom's ---


def setup_socket(vis: Any, polling: bool = False) -> None:
    """In the place of `Visdom.setup_socket`."""
    vis.event_source = source = EventListener(vis, polling=polling)
    vis.socket_thread = source.thread
    source.thread.start()


def setup_polling(vis: Any) -> None:
    """In the place of `Visdom.setup_polling`."""
    setup_socket(vis, polling=True)


def reap_session(vis: Any) -> None:
    """In the place of `Visdom._start_session_reaper`: the thread that closes an idle connection ends with the client."""
    client = weakref.ref(vis)

    def reap() -> None:
        while (vis := client()) is not None:
            interval_s = vis.session_idle_check_interval
            with vis._session_lock:
                if vis._session is not None and time.time() - vis._last_post_time > vis.session_idle_timeout:
                    vis._session.close()
                    vis._session = None
            del vis
            time.sleep(interval_s)

    vis.session_reaper_thread = threading.Thread(target=reap, name="Visdom-Session-Reaper", daemon=True)
    vis.session_reaper_thread.start()


def expecting(original: Callable[..., None]) -> Callable[..., None]:
    """For `Visdom.register_event_handler`, which refuses a client whose stream is not used."""

    @functools.wraps(original)
    def register_event_handler(self: Any, *args: Any, **arguments: Any) -> None:
        source = vars(self).get("event_source")
        if source is not None:
            source.expect()
        original(self, *args, **arguments)

    return register_event_handler
