"""What is replaced in Visdom's client, in which Visdom. As with the server: every row or none."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import Any, Final

VISDOM: Final = "visdom"
SOURCE: Final = "visdom_transport.client.source"
POSTING: Final = "visdom_transport.client.posting"
APPENDS: Final = "visdom_transport.client.appends"


class SeamError(Exception):
    """This client is not one we know. The message says so."""


@dataclass(frozen=True, slots=True)
class Seam:
    """One method or property of `visdom.Visdom` that is replaced."""

    name: str
    why: str
    by: str
    """The name of what takes its place."""
    module: str = SOURCE
    """Where that is."""
    wraps: bool = False
    """Whether that is a factory, to be given the original."""
    only: str | None = None
    """The one client that has it, if not all do."""

    def __str__(self) -> str:
        return f"{VISDOM}.Visdom.{self.name}"


@dataclass(frozen=True, slots=True)
class Replacement:
    """A seam that is in place."""

    seam: Seam
    owner: Any
    original: Any
    new: Any


_SENDING: Final[dict[str, tuple[str, ...] | None]] = {
    "scatter": ("self", "X", "Y", "win", "env", "opts", "update", "name"),
    "image": ("self", "img", "win", "env", "opts"),
    "_send": ("self", "msg", "endpoint", "quiet", "from_log", "create"),
    "_log": ("self", "msg", "endpoint"),
}

#: The clients we know, each by the parameters of methods, None where it must not have the method.
KNOWN: Final[dict[str, dict[str, tuple[str, ...] | None]]] = {
    "0.2.4": {
        **_SENDING,
        "setup_socket": ("self", "polling"),
        "setup_polling": ("self",),
        "register_event_handler": ("self", "handler", "target"),
        "_handle_post": ("self", "url", "data"),
        "_handle_incoming_message": None,
        "_start_session_reaper": None,
    },
    "0.3.0": {
        **_SENDING,
        "setup_socket": ("self", "polling"),
        "setup_polling": ("self",),
        "register_event_handler": ("self", "handler", "target", "env"),
        "_handle_post": ("self", "url", "data"),
        "_handle_incoming_message": ("self", "raw_message"),
        "_start_session_reaper": ("self",),
    },
}

_AT_ONCE: Final = "clients that begin a window at once replace what the others had sent"

TABLE: Final = (
    Seam("setup_socket", "events during an outage arrive later, or are announced as lost", by="setup_socket"),
    Seam("setup_polling", "the same for polling", by="setup_polling"),
    Seam("register_event_handler", "a client started before its server takes handlers", by="expecting", wraps=True),
    Seam("_handle_post", "no answer is waited for without end, nor taken from a proxy", by="handle_post", module=POSTING),
    Seam("session", "the same for the login", by="session", module=POSTING),
    Seam(
        "_start_session_reaper", "its thread never ends, and keeps the client and its connection", by="reap_session", only="0.3.0"
    ),
    Seam("scatter", _AT_ONCE, by="scatter_in_both_forms", wraps=True, module=APPENDS),
    Seam("image", _AT_ONCE, by="image_in_both_forms", wraps=True, module=APPENDS),
    Seam("_send", _AT_ONCE, by="send_in_both_forms", wraps=True, module=APPENDS),
    Seam("_log", "a log that is replayed replaces, as it did before", by="log_in_one_form", wraps=True, module=APPENDS),
)

_active: list[Replacement] = []


def active() -> list[Seam]:
    """The seams that are in place in this process."""
    return [replacement.seam for replacement in _active]


def recognise() -> str:
    """Which of the known clients is installed, by its features. It never asks the version, which snapshots carry too.

    Raises:
        SeamError: none of them.
    """
    client = importlib.import_module(VISDOM).Visdom
    for name, methods in KNOWN.items():
        if all(_parameters(client, method) == wanted for method, wanted in methods.items()):
            return name
    raise SeamError(f"the client of this Visdom is neither that of {' nor that of '.join(KNOWN)}")


def apply() -> None:
    """Put the seams in place. Calling it again only replaces what was loaded anew.

    Raises:
        SeamError: this client is not as expected; nothing was replaced.
    """
    client = importlib.import_module(VISDOM).Visdom
    # What publishes in the background may have taken the place of Visdom's own class; it is made of it.
    if _active and all(issubclass(client, each.owner) and _member(each.owner, each.seam.name) is each.new for each in _active):
        return
    known = recognise()
    found: list[Replacement] = []
    for seam in (seam for seam in TABLE if seam.only in (None, known)):
        original, ours = _member(client, seam.name), getattr(importlib.import_module(seam.module), seam.by)
        found.append(Replacement(seam, client, original, ours(original) if seam.wraps else ours))
    # From here on nothing can fail.
    for each in found:
        setattr(client, each.seam.name, each.new)
    _active[:] = found


def withdraw() -> None:
    """Put back everything `apply` replaced."""
    for replacement in reversed(_active):
        setattr(replacement.owner, replacement.seam.name, replacement.original)
    _active.clear()


def _parameters(client: Any, method: str) -> tuple[str, ...] | None:
    function = _member(client, method)
    return tuple(inspect.signature(function).parameters) if callable(function) else None


def _member(client: Any, name: str) -> Any:
    return inspect.getattr_static(client, name, None)
