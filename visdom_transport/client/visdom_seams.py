"""What is replaced in Visdom's client, in which Visdom. As with the server: every row or none."""

from __future__ import annotations

import importlib
import inspect
from typing import Any, Final

from visdom_transport.visdom import seams
from visdom_transport.visdom.seams import Replacement, Seam, SeamError

VISDOM: Final = "visdom"
SOURCE: Final = "visdom_transport.client.source"

#: The clients we know, each by the parameters of methods, None where it must not have the method.
KNOWN: Final[dict[str, dict[str, tuple[str, ...] | None]]] = {
    "0.2.4": {
        "setup_socket": ("self", "polling"),
        "setup_polling": ("self",),
        "register_event_handler": ("self", "handler", "target"),
        "_handle_incoming_message": None,
    },
    "0.3.0": {
        "setup_socket": ("self", "polling"),
        "setup_polling": ("self",),
        "register_event_handler": ("self", "handler", "target", "env"),
        "_handle_incoming_message": ("self", "raw_message"),
    },
}

TABLE: Final = (
    Seam(
        VISDOM,
        "Visdom.setup_socket",
        "events during an outage arrive later, or are announced as lost",
        by=f"{SOURCE}:setup_socket",
    ),
    Seam(VISDOM, "Visdom.setup_polling", "the same for polling", by=f"{SOURCE}:setup_polling"),
    Seam(
        VISDOM,
        "Visdom.register_event_handler",
        "a client started before its server takes handlers",
        wrap=f"{SOURCE}:expecting",
    ),
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
    if _active and all(_member(client, each.seam.name.rpartition(".")[2]) is each.new for each in _active):
        return
    done: list[Replacement] = []
    try:
        for replacement in seams.verify(recognise(), TABLE):
            done.append(replacement)
            replacement.put()
    except BaseException:
        for replacement in reversed(done):
            replacement.undo()
        raise
    _active[:] = done


def withdraw() -> None:
    """Put back everything `apply` replaced."""
    for replacement in reversed(_active):
        replacement.undo()
    _active.clear()


def _parameters(client: Any, method: str) -> tuple[str, ...] | None:
    function = _member(client, method)
    return tuple(inspect.signature(function).parameters) if callable(function) else None


def _member(client: Any, name: str) -> Any:
    return inspect.getattr_static(client, name, None)
