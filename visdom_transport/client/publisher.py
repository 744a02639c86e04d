"""Visdom's client, except that what only publishes does not wait for the server.

    from visdom_transport.client import Publisher

    vis = Publisher(env="training")             # takes what visdom.Visdom takes, and the members of Options
    vis.line(X=[0], Y=[1.0], win="loss", update="append")

`docs/publisher.md` says what is sent when, and what is kept until when.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import sys
import time
import uuid
import weakref
from types import TracebackType
from typing import Any, ClassVar, Self

import visdom

from visdom_transport.client import seams
from visdom_transport.client.asking.address import Address
from visdom_transport.client.asking.posting import handle_post, session
from visdom_transport.client.existence import exists_for_append, exists_for_caller
from visdom_transport.client.messages.appends import image_in_both_forms, scatter_in_both_forms, with_other_form
from visdom_transport.client.messages.calls import ENDPOINTS, capture, window_of
from visdom_transport.client.messages.counters import Counters
from visdom_transport.client.options import Options, from_environment, renamed
from visdom_transport.client.sender import Sender
from visdom_transport.core.window_ids import window_id
from visdom_transport.hook import background_wanted

ANSWER_WITHIN_S = 15.0
"""How long the answer may then be silent: with the wait before, no call takes longer than half a minute."""

_CHANGED = frozenset({"env", "env_list", "log_to_filename", "raise_exceptions"})
"""Members of Visdom's client that programs change."""

logger = logging.getLogger("visdom_transport.client")

# The class as it is before `background` puts ours in its place.
_Visdom: Any = visdom.Visdom


class Publisher(_Visdom):  # type: ignore[misc]
    """A `visdom.Visdom` whose publishing calls return at once.

    They return the window's id, and a thread sends them in the background, each exactly once. What must know an answer
    (`win_exists`, `get_window_data`, `save` ...) first waits until what was published before has arrived, and then does what
    Visdom's client does. Any thread may call any method.

    Takes every argument of `visdom.Visdom`, and the members of `Options`, such as ``max_bytes``, ``on_full``, ``exit_timeout_s``
    and ``outbox_dir``.

    Raises:
        ValueError: an option cannot be used.
    """

    defaults: ClassVar[dict[str, Any]] = {}
    """Options for publishers that are not given them."""

    def __init__(self, *args: Any, **arguments: Any) -> None:
        before = frozenset(vars(self))
        kind: Any = type(self)
        self._override = _override_of(kind)
        own = renamed(Publisher.defaults) | renamed({name: arguments.pop(name) for name in Options.names() & arguments.keys()})
        self._made_of = (args, dict(arguments), own)
        self._sender: Sender | None = None
        self._options = Options(**from_environment() | own)
        # What Visdom's constructor sends comes before the sender can know where to.
        self._early: list[str] = []
        super().__init__(*args, **arguments)
        self._own_members = ((frozenset(vars(self)) - before) & _names_of_visdoms()) | {"_own_members", "_override"}
        if not self.send or self.offline or self._override is not None:
            return
        self._sender = Sender(Address.of(self), self._options)
        weakref.finalize(self, self._sender.leave).atexit = False
        for eid in self._early:
            self._sender.make_environment(eid)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process publishes for itself. It has no event stream: those who started it have.

        One of a subclass has what that has added, and all have what was changed since.
        """
        args, arguments, own = self._made_of
        signature = inspect.signature(super().__init__)
        given = dict(signature.bind(*args, **arguments).arguments)
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                given |= given.pop(name, {})
        streams = dict.fromkeys(("use_incoming_socket", "use_polling"), False)
        return _made_again, (type(self), given | own | streams), self._added(self.__getstate__())

    def _added(self, state: Any) -> Any:
        """Of a state, what a copy does not make for itself."""
        if isinstance(state, dict):
            return {name: value for name, value in state.items() if name in _CHANGED or name not in self._own_members}
        # With the slots of a subclass.
        return (self._added(state[0]), state[1]) if isinstance(state, tuple) and len(state) == 2 else state

    # --- the background ---

    def flush(self, timeout: float | None = None, *, durable: bool = False) -> bool:
        """Wait until the server has applied everything that was published so far. Returns whether it has.

        Args:
            timeout: in seconds; None waits as long as it takes.
            durable: wait until the server has it on disk, if it keeps anything there.
        """
        return self._sender is None or self._sender.flush(timeout, durable=durable)

    def finish(self, timeout: float | None = None) -> bool:
        """Flush, durably, and give back the thread and the connections. Publishing again takes new ones.

        Visdom's own `close` is another thing: it closes windows.
        """
        finished = self._sender is None or self._sender.finish(timeout)
        # That of Visdom's own calls, which is made again when there is one.
        session = vars(self).get("_session")
        if session is not None:
            session.close()
        return finished

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._sender is not None:
            self._sender.finish_at_exit(time.monotonic())

    @property
    def counters(self) -> Counters:
        """What became of the calls so far."""
        return self._sender.counters if self._sender is not None else Counters()

    # --- what Visdom's methods call ---

    session = session

    def _handle_post(self, url: str, data: Any = None) -> str:
        if self._override is not None:
            answer: str = super()._handle_post(url, data)
            return answer
        return handle_post(self, url, data, ANSWER_WITHIN_S)

    def _send(
        self, msg: dict[str, Any], endpoint: str = "events", quiet: bool = False, from_log: bool = False, create: bool = True
    ) -> Any:
        sender = self._sender
        if sender is None:
            if endpoint.startswith("env/") and self.send and not self.offline and self._override is None:
                self._early.append(str(msg["eid"]))
                return ""
            return super()._send(msg, endpoint, quiet, from_log, create)
        if endpoint == "save":
            return self._save(sender, msg)
        if endpoint not in ENDPOINTS:
            sender.catch_up()
            answer = super()._send(msg, endpoint, quiet, from_log, create)
            if endpoint in ("delete_env", "win_data"):
                sender.forget(window_of(msg["eid"], None))
            return answer
        if msg.get("eid") is None:
            msg["eid"] = self.env
        self.env_list.add(msg["eid"])
        if msg.get("win") is None and (endpoint == "events" or ("win" in msg and create and endpoint == "update")):
            msg["win"] = f"window_{uuid.uuid4().hex}"
        if "win" in msg:
            msg["win"] = window_id(msg["win"])
        if not from_log:
            self._log(msg, endpoint)
        sender.put(capture(endpoint, with_other_form(endpoint, msg)))
        if endpoint == "close":
            return ""
        return "embedding" if msg.get("win") is None else msg["win"]

    def _save(self, sender: Sender, msg: dict[str, Any]) -> str:
        """Save environments now, or as soon as the server is back and has what was published before: training goes on."""
        eids: list[str] = msg["data"]
        sender.catch_up()
        answer = sender.save(eids)
        if answer is None:
            sender.save_later(eids)
            return json.dumps(eids)
        return answer

    def win_exists(self, win: str, env: str | None = None) -> bool | None:
        """Whether the window exists once all that was published before has arrived; None if nobody knows.

        While the server cannot be asked, the answer is what this publisher knows from its own calls and former answers.
        """
        sender = self._sender
        if sender is None or win is None:
            exists: bool | None = super().win_exists(win, env)
            return exists
        window = window_of(self.env if env is None else env, win)
        if not win:
            # This is how Visdom asks whether the server is there.
            return sender.exists(window)
        if sys._getframe(1).f_globals is vars(visdom):
            return exists_for_append(sender, window)
        return exists_for_caller(sender, window)

    scatter = scatter_in_both_forms(_Visdom.scatter)
    image = image_in_both_forms(_Visdom.image)


@functools.cache
def _override_of(kind: Any) -> str | None:
    """What a class of somebody's puts in the place of how Visdom's client posts. Its calls are Visdom's then, and wait.

    A `_send` in a subclass is no such thing: it is called first, and what it passes on is published.
    """
    behind = kind.__mro__[kind.__mro__.index(Publisher) + 1 : kind.__mro__.index(_Visdom)]
    override = next(
        (f"{each.__name__}.{name}" for each in behind for name in ("_send", "_handle_post") if name in vars(each)), None
    )
    if kind._handle_post is not Publisher._handle_post:
        override = f"{kind.__name__}._handle_post"
    if override is not None:
        logger.warning(
            "%s is called for each request, so calls of this publisher wait for the server, as Visdom's own do.", override
        )
    return override


@functools.cache
def _names_of_visdoms() -> frozenset[str]:
    """Members that Visdom's client and publishers may have. What else there is, a subclass has added."""
    methods = [*vars(_Visdom).values(), *vars(Publisher).values()]
    return frozenset(name for each in filter(inspect.isfunction, methods) for name in inspect.unwrap(each).__code__.co_names)


def _made_again(kind: type[Publisher], arguments: dict[str, Any]) -> Publisher:
    publisher = kind.__new__(kind)
    # Subclasses have constructors of their own.
    Publisher.__init__(publisher, **arguments)
    return publisher


def background(**options: Any) -> None:
    """From now on `visdom.Visdom` makes publishers, with these members of `Options` unless they are given others.

    Raises:
        ValueError: an option cannot be used.
    """
    Options.of(options)
    Publisher.defaults = renamed(options)
    seams.BACKGROUND.apply()


if background_wanted():
    background()
