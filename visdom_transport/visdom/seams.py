"""The seam table: everything that is replaced in Visdom, where, why, and in which Visdom. Nothing else is touched.

Either every seam that belongs to the running Visdom is in place, or none is: :func:`apply` looks all of them up before
it replaces the first.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

from visdom_transport.settings import Settings

APP: Final = "visdom.server.app"
BASE: Final = "visdom.server.handlers.base_handlers"
BUILD: Final = "visdom.server.build"
RUN: Final = "visdom.server.run_server"
STORE: Final = "visdom.data_model.json_store"
SOCKET: Final = "visdom.server.handlers.socket_handlers"
SHARED: Final = "visdom.utils.shared_utils"
UTILS: Final = "visdom.utils.server_utils"
WEB: Final = "visdom.server.handlers.web_handlers"

#: The Visdoms we know, each by what it has and what it must not have ("module" or "module:name"). The version string
#: cannot tell: development snapshots after 0.2.4 carry it too.
KNOWN: Final = {
    "0.2.4": ((f"{UTILS}:hash_md_window", f"{APP}:HashHandler"), ("visdom.data_model", f"{SOCKET}:AnySocketWrapper")),
    # The main branch of July 2023.
    "m23": ((f"{SOCKET}:AnySocketWrapper", f"{UTILS}:LazyEnvData"), ("visdom.data_model", f"{UTILS}:hash_md_window")),
    "0.3.0": (("visdom.data_model.json_store:JSONStore", f"{UTILS}:notify"), ("visdom.server.server_state",)),
}


class SeamError(Exception):
    """This Visdom is not one we know. The message says what was expected and is not there."""


@dataclass(frozen=True, slots=True)
class Seam:
    """One thing of Visdom's that is replaced. Exactly one of `by`, `wrap` and `value` says with what."""

    module: str
    name: str
    """Dotted path in the module; `settings[key]` is an item of a dictionary, which need not exist before."""
    why: str
    by: str = ""
    """"module:name" of what takes its place."""
    wrap: str = ""
    """"module:factory" of what is given the original (None if there was none) and returns what takes its place."""
    value: object = None
    """What takes its place, itself."""
    also: tuple[str, ...] = ()
    """Modules that import it by name, and therefore hold it under the last part of `name`."""
    only: tuple[str, ...] = tuple(KNOWN)
    """The Visdoms it belongs to."""

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def setting(key: str, why: str, **replacement: Any) -> Seam:
    """A row for a setting of Tornado's application, which Visdom passes from a dictionary of its module."""
    return Seam(APP, f"tornado_settings[{key}]", why, **replacement)


#: Visdom's handlers that are left to do what is posted to them, and the Visdoms that have them.
POSTED_TO: Final = {
    "CompareHandler": tuple(KNOWN),
    "DataHandler": tuple(KNOWN),
    "DeleteEnvHandler": tuple(KNOWN),
    "EnvHandler": tuple(KNOWN),
    "EnvStateHandler": tuple(KNOWN),
    "ExistsHandler": tuple(KNOWN),
    "ExperimentLogHandler": ("0.3.0",),
    "ForkEnvHandler": tuple(KNOWN),
    "HashHandler": ("0.2.4",),
    "IndexHandler": tuple(KNOWN),
    "SaveHandler": tuple(KNOWN),
}

TABLE: Final = (
    # Starting up
    Seam(
        BUILD,
        "download_scripts",
        "crashes without a CDN, and writes into the installation",
        wrap="visdom_transport.visdom.browser_files:instead_of_download_scripts",
        also=(RUN,),
    ),
    Seam(
        SHARED,
        "ensure_dir_exists",
        "where no directory can be made, 0.2.4 does not start",
        wrap="visdom_transport.visdom.starting:make_folder",
        also=(APP, STORE),
    ),
    Seam(
        APP,
        "Application.load_user_settings",
        "a style that cannot be read keeps the server from starting",
        wrap="visdom_transport.visdom.starting:load_user_settings",
    ),
    setting("autoreload", "debug mode restarts the server, without its state, when any source file changes", value=False),
    # Serving the page
    setting("static_hash_cache", "debug mode reads every static file again for each page", value=True),
    setting("serve_traceback", "debug mode shows tracebacks to whoever asks", value=False),
    setting(
        "static_handler_class",
        "Tornado 6.6 refuses ../user/style.css; browser files and our runtime live elsewhere",
        by="visdom_transport.visdom.static_files:StaticFiles",
    ),
    setting(
        "template_loader",
        "the page loads our runtime, or says which browser files are missing",
        wrap="visdom_transport.visdom.page:loader",
    ),
    # Who may do what
    Seam(
        BASE,
        "BaseHandler.prepare",
        "a read-only server may refuse what HTTP requests change",
        by="visdom_transport.visdom.readonly:prepare",
    ),
    Seam(
        BASE,
        "BaseHandler.get_current_user",
        "who has logged out is nobody",
        wrap="visdom_transport.visdom.logins:unless_ended",
    ),
    Seam(
        BASE,
        "BaseWebSocketHandler.get_current_user",
        "who has logged out is nobody",
        wrap="visdom_transport.visdom.logins:unless_ended",
    ),
    # The state
    Seam(
        APP,
        "Application.__init__",
        "every application gets a transport, an observed state, our routes, and a gentle end",
        wrap="visdom_transport.visdom.application:with_transport",
    ),
    Seam(
        APP,
        "Application.load_state",
        "what is no environment is listed as one, and overwritten; a pipe in the directory stops the server",
        wrap="visdom_transport.visdom.application:load_state",
    ),
    Seam(
        UTILS,
        "serialize_env",
        "a save that is cut leaves half a file; saving an environment that was not read yet destroys its file",
        by="visdom_transport.visdom.application:serialize_env",
        also=(APP, WEB, SOCKET),
        only=("0.2.4", "m23"),
    ),
    Seam(
        STORE,
        "JSONStore.serialize_env",
        "a save that is cut leaves half a file",
        wrap="visdom_transport.visdom.application:save_in_store",
        only=("0.3.0",),
    ),
    Seam(
        STORE,
        "JSONStore.load_env",
        "what is added to an environment that was not saved takes its windows away",
        wrap="visdom_transport.visdom.application:load_from_store",
        only=("0.3.0",),
    ),
    Seam(
        APP,
        "Application.load_layouts",
        "a file of saved views that is no text keeps the server from starting",
        wrap="visdom_transport.visdom.views:load_layouts",
    ),
    Seam(
        APP,
        "Application.save_layouts",
        "a file of saved views that could not be read is overwritten; a save that is cut leaves half a file",
        wrap="visdom_transport.visdom.views:save_layouts",
    ),
    Seam(
        STORE,
        "JSONStore.save_undo",
        "where files cannot be renamed, no closed window can be brought back",
        by="visdom_transport.visdom.other_files:save_undo",
        only=("0.3.0",),
    ),
    Seam(
        UTILS,
        "set_cookie",
        "a save that is cut leaves half a secret; it fails when there is no default directory",
        by="visdom_transport.visdom.other_files:set_cookie",
        also=(RUN,),
    ),
    Seam(
        UTILS,
        "gather_envs",
        "lists what is no environment; the comparison page reads another directory, and fails when that is not there",
        by="visdom_transport.visdom.application:gather_envs",
        also=(WEB,),
    ),
    Seam(
        WEB,
        "DeleteEnvHandler.wrap_func",
        "deletes what holds no environment; fails after deleting one that was never saved",
        by="visdom_transport.visdom.application:delete_environment",
    ),
    Seam(
        UTILS,
        "register_window",
        "a window goes into the state, not to each subscriber",
        by="visdom_transport.visdom.delivery:register_window",
        also=(WEB,),
    ),
    Seam(
        WEB,
        "PostHandler.post",
        "a window that cannot be is refused with a readable error, and kept within its bounds",
        by="visdom_transport.visdom.publishing:post_events",
    ),
    Seam(
        WEB,
        "UpdateHandler.post",
        "an update costs what it changes, not what the window holds",
        by="visdom_transport.visdom.publishing:post_update",
    ),
    Seam(
        WEB,
        "CloseHandler.post",
        "closing what is not there is no error, and does not fail when the disk is full",
        by="visdom_transport.visdom.publishing:post_close",
    ),
    *(
        Seam(
            WEB,
            f"{handler}.post",
            "what cannot be carried out is refused with a readable error, and changes nothing",
            wrap="visdom_transport.visdom.stock_requests:checked",
            only=only,
        )
        for handler, only in POSTED_TO.items()
    ),
    *(
        Seam(
            WEB,
            f"{handler}.get",
            "an environment whose file has appeared since the start is not found",
            wrap="visdom_transport.visdom.stock_requests:finding",
            only=("0.3.0",),
        )
        for handler in ("CompareHandler", "EnvHandler")
    ),
    Seam(
        WEB,
        "UploadEnvHandler.post",
        "an upload that is no environment is refused",
        wrap="visdom_transport.visdom.stock_requests:checked_upload",
        only=("0.3.0",),
    ),
    # Telling subscribers
    Seam(
        UTILS,
        "broadcast",
        "a subscriber can fail or slow a publisher",
        by="visdom_transport.visdom.delivery:broadcast",
        also=(WEB, SOCKET),
    ),
    Seam(
        UTILS,
        "broadcast_envs",
        "the state tells when the list changes",
        by="visdom_transport.visdom.delivery:broadcast_envs",
        also=(WEB, SOCKET),
    ),
    Seam(
        UTILS,
        "send_to_sources",
        "events go through a feed that remembers them",
        by="visdom_transport.visdom.delivery:send_to_sources",
        also=(SOCKET,),
    ),
    Seam(
        UTILS,
        "notify",
        "messages for people go through a feed",
        by="visdom_transport.visdom.delivery:notify",
        also=(WEB, SOCKET),
        only=("0.3.0",),
    ),
    Seam(
        UTILS,
        "load_env",
        "a page subscribes to an environment",
        by="visdom_transport.visdom.delivery:load_env",
        also=(WEB,),
    ),
    Seam(
        UTILS,
        "compare_envs",
        "a comparison follows its environments",
        wrap="visdom_transport.visdom.delivery:compare_envs",
        also=(WEB,),
    ),
    # Links
    Seam(
        SOCKET,
        "SocketHandler",
        "browser WebSocket: our protocol or the stock dialect",
        by="visdom_transport.visdom.handlers:BrowserSocket",
        also=(APP,),
    ),
    Seam(
        SOCKET,
        "VisSocketHandler",
        "source WebSocket: our protocol or the stock dialect",
        by="visdom_transport.visdom.handlers:SourceSocket",
        also=(APP,),
    ),
    Seam(
        SOCKET,
        "SocketWrap",
        "browser polling: in order, bounded, with login",
        by="visdom_transport.visdom.handlers:BrowserPollHandler",
        also=(APP,),
    ),
    Seam(
        SOCKET,
        "VisSocketWrap",
        "source polling: works again, bounded, with login",
        by="visdom_transport.visdom.handlers:SourcePollHandler",
        also=(APP,),
    ),
)


@dataclass(slots=True)
class Place:
    """Where a seam's object is held: an attribute of a module or class, or an item of a dictionary."""

    owner: Any
    key: str
    is_item: bool

    def get(self) -> Any:
        """What is there now, as stored (a static method is not unwrapped), or None."""
        if self.is_item:
            return self.owner.get(self.key)
        return inspect.getattr_static(self.owner, self.key, None)

    def put(self, value: Any) -> None:
        if self.is_item:
            self.owner[self.key] = value
        else:
            setattr(self.owner, self.key, value)

    def remove(self) -> None:
        if self.is_item:
            self.owner.pop(self.key, None)
        else:
            delattr(self.owner, self.key)

    def holds(self) -> bool:
        """Whether something is stored here itself, not inherited."""
        return self.key in (self.owner if self.is_item else vars(self.owner))


@dataclass(slots=True)
class Replacement:
    """A seam, resolved: what was there, what comes instead, and every place that held it."""

    seam: Seam
    original: Any
    new: Any
    places: list[tuple[Place, bool]]
    """With whether the place held the original itself, rather than inheriting or lacking it."""

    def put(self) -> None:
        for place, _ in self.places:
            place.put(self.new)

    def undo(self) -> None:
        for place, held in self.places:
            if held:
                place.put(self.original)
            else:
                place.remove()


_active: dict[str, Replacement] = {}
_problem: str | None = None
_visdom: str | None = None


def active() -> list[Seam]:
    """The seams that are in place in this process."""
    return [replacement.seam for replacement in _active.values()]


def problem() -> str | None:
    """Why nothing is replaced, if :func:`apply` was called and refused."""
    return _problem


def recognised() -> str | None:
    """Which known Visdom this process runs, once :func:`apply` has looked."""
    return _visdom


def recognise() -> str:
    """Which of the known Visdoms is installed, by its features.

    Raises:
        SeamError: none of them.
    """
    for name, (has, lacks) in KNOWN.items():
        if all(map(_exists, has)) and not any(map(_exists, lacks)):
            return name
    version = getattr(importlib.import_module("visdom"), "__version__", "unknown")
    raise SeamError(f"this Visdom (version {version}) has neither the parts of {' nor those of '.join(KNOWN)}")


def verify(visdom: str, table: Iterable[Seam] = TABLE) -> list[Replacement]:
    """Look up every seam of this Visdom and what replaces it, changing nothing.

    Raises:
        SeamError: naming the first thing that is not as expected.
    """
    return [_resolve(seam) for seam in table if visdom in seam.only]


def apply(table: Iterable[Seam] = TABLE) -> None:
    """Put every seam of the running Visdom in place. Calling it again only replaces what was loaded anew.

    Raises:
        SeamError: this Visdom is not as expected; nothing was replaced.
    """
    global _problem, _visdom
    try:
        Settings.from_env()  # a value that cannot be used must show before anything is replaced
        _visdom = recognise()
        done: list[Replacement] = []
        try:
            for replacement in verify(_visdom, table):
                done.append(replacement)
                replacement.put()
        except BaseException:
            for replacement in reversed(done):
                replacement.undo()
            raise
    except Exception as error:
        _problem = f"{type(error).__name__}: {error}"
        raise
    _problem = None
    _active.update({str(replacement.seam): replacement for replacement in done})


def withdraw() -> None:
    """Put back everything :func:`apply` replaced."""
    for replacement in reversed(_active.values()):
        replacement.undo()
    _active.clear()


def _resolve(seam: Seam) -> Replacement:
    place = _place(seam.module, seam.name)
    original = place.get()
    if original is None and not place.is_item:
        raise SeamError(f"{seam} is not there")
    previous = _active.get(str(seam))
    if previous is not None and original is previous.new:
        return previous
    new = _new(seam, original)
    places = [place, *_holders(seam, original)]
    return Replacement(seam, original, new, [(each, each.holds()) for each in places])


def _holders(seam: Seam, original: Any) -> Iterator[Place]:
    """Where the modules of `also` hold the object. One that is not loaded yet will import the replacement.

    One that lacks the name belongs to another Visdom, or is just being loaded and has not come to its import.
    """
    previous = _active.get(str(seam))
    for name in seam.also:
        module = sys.modules.get(name)
        if module is None:
            continue
        place = Place(module, seam.name.rpartition(".")[2], is_item=False)
        if not place.holds():
            continue
        # After a reload of the seam's module, its holders still have our previous replacement.
        if place.get() is original or (previous is not None and place.get() is previous.new):
            yield place
        else:
            raise SeamError(f"{name}.{place.key} is not the one of {seam.module}")


def _new(seam: Seam, original: Any) -> Any:
    if seam.by:
        new = _load(seam.by)
    elif seam.wrap:
        wrapper: Callable[[Any], Any] = _load(seam.wrap)
        new = wrapper(original.__func__ if isinstance(original, staticmethod | classmethod) else original)
    else:
        return seam.value
    if isinstance(original, staticmethod | classmethod) and not isinstance(new, staticmethod | classmethod):
        new = type(original)(new)
    return new


def _place(module_name: str, path: str) -> Place:
    """Where "a.b" or "settings[key]" of a module is stored.

    Raises:
        SeamError: the module or something on the way is not there.
    """
    match = re.fullmatch(r"([\w.]+)\[(\w+)\]", path)
    *way, last = (match[1] if match else path).split(".") + ([match[2]] if match else [])
    owner: Any = _module(module_name)
    for step in way:
        owner = getattr(owner, step, None)
        if owner is None:
            raise SeamError(f"{module_name}.{path} is not there")
    if match and not isinstance(owner, MutableMapping):
        raise SeamError(f"{module_name}.{match[1]} is not a dictionary")
    return Place(owner, last, is_item=bool(match))


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SeamError(f"{name} cannot be imported: {error}") from error


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _exists(path: str) -> bool:
    module, _, name = path.partition(":")
    try:
        return hasattr(importlib.import_module(module), name) if name else find_spec(module) is not None
    except ImportError:
        return False
