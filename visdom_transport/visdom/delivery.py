"""What takes the place of Visdom's functions that talk to subscribers.

``handler`` is any of Visdom's request handlers; its application has our `Transport`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import visdom.utils.server_utils as server_utils

from ..core.encoding import decode
from ..core.errors import MessageError

if TYPE_CHECKING:
    from .transport import Transport


def transport_of(handler: Any) -> Transport:
    transport: Transport = handler.application.transport
    return transport


def broadcast(handler: Any, msg: Any, eid: str) -> None:
    """Take note of what Visdom tells the subscribers of ``eid``. What they are sent is read from the state, later."""
    message = decode(msg) if isinstance(msg, str | bytes) else msg
    transport = transport_of(handler)
    command = message.get("command")
    if command in ("window", "pane"):
        transport.window_changed(eid, message["id"])
    elif command == "window_update":
        transport.window_changed(eid, message["win"])
    elif command in ("close", "undo_state"):
        # Of the window itself the state has told.
        transport.undo_changed(eid)
    elif command == "notification":
        transport.hub.publish("notifications", message["data"])


def broadcast_envs(handler: Any, target_subs: Any = None) -> None:
    """Nothing to do: the state tells when the list of environments changes."""


def send_to_sources(handler: Any, msg: Any) -> None:
    """Publish an event for Python sources."""
    transport_of(handler).hub.publish("events", msg)


def notify(
    handler: Any,
    message: str,
    type: str = "info",  # noqa: A002
    duration: Any = None,
    eid: Any = None,
    target_subs: Any = None,
) -> None:
    """Tell people something (0.3.0): those of some stock pages, or all."""
    data = {"message": message, "type": type}
    if duration is not None:
        data["duration"] = duration
    if target_subs is None:
        transport_of(handler).hub.publish("notifications", data)
        return
    for subscriber in target_subs:
        if subscriber.session.dialect == "stock" and subscriber.session.link is not None:
            subscriber.session.link.say({"command": "notification", "data": data})


def load_env(state: Any, eid: str, socket: Any, *args: Any, **kwargs: Any) -> None:
    """A stock page asks for an environment. Visdoms differ in what they say about where it may be read from."""
    show(socket, f"env/{eid if eid in state else server_utils.escape_eid(eid)}")


class CannotShow(ValueError):
    """What a page of 0.2.4's asks for cannot be shown. Later ones have a way to be told."""


def show(socket: Any, feed: str) -> None:
    if socket.session.dialect != "stock":
        return  # subscribes by itself, with its secret: whoever knows only its id gets nothing
    try:
        socket.transport.show(socket.session, feed)
    except MessageError as error:
        if not hasattr(server_utils, "notify"):
            raise CannotShow(error.message) from error
        if socket.session.link is not None:
            socket.session.link.say({"command": "notification", "data": {"message": error.message, "type": "error"}})


def register_window(handler: Any, p: dict[str, Any], eid: str) -> None:
    """Put a window into the state and reply with its id."""
    put_window(transport_of(handler), p, eid)
    handler.write(p["id"])


def put_window(transport: Transport, p: dict[str, Any], eid: str) -> None:
    """Put a window into the state, in the place of one with the same id."""
    windows = transport.begin(eid)["jsons"]
    previous = windows.get(p["id"])
    if not isinstance(previous, dict):
        p["i"] = len(windows)
    else:
        # A window set through /win_data may have no index.
        p["i"] = previous.get("i", len(windows))
        if "comment" in p:
            p["comment"] = previous.get("comment", p["comment"])
    windows[p["id"]] = p


_stock_compare_envs: Callable[..., None] | None = None


def compare_envs(original: Callable[..., None]) -> Callable[..., None]:
    """Make the function for a stock page that asks for a comparison. Visdom's own goes on to make the combined windows."""
    global _stock_compare_envs
    _stock_compare_envs = original

    def show_comparison(state: Any, eids: list[str], socket: Any, store: Any = None, show_all: bool = False) -> None:
        show(socket, f"compare/{'all:' if show_all else ''}{'+'.join(eids)}")

    return show_comparison


def stock_compare_envs() -> Callable[..., None]:
    """Visdom's own compare_envs."""
    assert _stock_compare_envs is not None, "the seam is in place before there is a transport"
    return _stock_compare_envs
