"""The seam table of Visdom's client: everything that is replaced in it, why, and in which Visdom."""

from __future__ import annotations

from functools import cache
from typing import Final

from visdom_transport import patching
from visdom_transport.patching import Patches, Seam

VISDOM: Final = "visdom"
EVENTS: Final = "visdom_transport.client.source.events"
POSTING: Final = "visdom_transport.client.asking.posting"
APPENDS: Final = "visdom_transport.client.messages.appends"

_SENDING: Final = (
    "visdom:Visdom.scatter(self, X, Y, win, env, opts, update, name)",
    "visdom:Visdom.image(self, img, win, env, opts)",
    "visdom:Visdom._send(self, msg, endpoint, quiet, from_log, create)",
    "visdom:Visdom._log(self, msg, endpoint)",
    "visdom:Visdom._handle_post(self, url, data)",
)

KNOWN: Final[dict[str, patching.Features]] = {
    "0.2.4": (
        (
            *_SENDING,
            "visdom:Visdom.setup_socket(self, polling)",
            "visdom:Visdom.setup_polling(self)",
            "visdom:Visdom.register_event_handler(self, handler, target)",
        ),
        ("visdom:Visdom._handle_incoming_message", "visdom:Visdom._start_session_reaper"),
    ),
    "0.3.0": (
        (
            *_SENDING,
            "visdom:Visdom.setup_socket(self, polling)",
            "visdom:Visdom.setup_polling(self)",
            "visdom:Visdom.register_event_handler(self, handler, target, env)",
            "visdom:Visdom._handle_incoming_message(self, raw_message)",
            "visdom:Visdom._start_session_reaper(self)",
        ),
        (),
    ),
}

_AT_ONCE: Final = "clients that begin a window at once replace what the others had sent"

TABLE: Final = (
    Seam(
        VISDOM,
        "Visdom.__init__",
        "settings of this package that cannot be used are warned of",
        wrapper="visdom_transport.client.warning:warning",
    ),
    Seam(
        VISDOM,
        "Visdom.setup_socket",
        "events during an outage arrive later, or are announced as lost",
        replacement=f"{EVENTS}:setup_socket",
    ),
    Seam(VISDOM, "Visdom.setup_polling", "the same for polling", replacement=f"{EVENTS}:setup_polling"),
    Seam(
        VISDOM,
        "Visdom.register_event_handler",
        "a client started before its server takes handlers",
        wrapper=f"{EVENTS}:expecting",
    ),
    Seam(
        VISDOM,
        "Visdom._handle_post",
        "no answer is waited for without end, nor taken from a proxy",
        replacement=f"{POSTING}:handle_post",
    ),
    Seam(VISDOM, "Visdom.session", "the same for the login", replacement=f"{POSTING}:session"),
    Seam(
        VISDOM,
        "Visdom._start_session_reaper",
        "its thread never ends, and keeps the client and its connection",
        replacement=f"{EVENTS}:reap_session",
        versions=("0.3.0",),
    ),
    Seam(VISDOM, "Visdom.scatter", _AT_ONCE, wrapper=f"{APPENDS}:scatter_in_both_forms"),
    Seam(VISDOM, "Visdom.image", _AT_ONCE, wrapper=f"{APPENDS}:image_in_both_forms"),
    Seam(VISDOM, "Visdom._send", _AT_ONCE, wrapper=f"{APPENDS}:send_in_both_forms"),
    Seam(VISDOM, "Visdom._log", "a log that is replayed replaces, as it did before", wrapper=f"{APPENDS}:log_in_one_form"),
)

IN_BACKGROUND: Final = (
    Seam(VISDOM, "Visdom", "calls that only publish do not wait", replacement="visdom_transport.client.publisher:Publisher"),
)


@cache
def recognise() -> str:
    """Which of the known clients is installed. Found out before anything is replaced.

    Raises:
        SeamError: none of them.
    """
    return patching.recognise(KNOWN)


PATCHES: Final = Patches(TABLE, recognise)

BACKGROUND: Final = Patches(IN_BACKGROUND, recognise)
"""In place only when it is asked for."""
