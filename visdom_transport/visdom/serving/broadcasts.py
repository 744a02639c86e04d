"""What takes the place of Visdom's functions that talk to subscribers.

``handler`` is any of Visdom's request handlers; its application has our `Transport`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import visdom.utils.server_utils as server_utils

from visdom_transport import feed_names
from visdom_transport.core.encoding import decode
from visdom_transport.core.errors import MessageError
from visdom_transport.visdom.state.environments import CannotShow, escape_eid
from visdom_transport.visdom.storage import remember_compare_envs
from visdom_transport.visdom.subscribers.subscribers import Subscriber


def transport_of(handler: Any) -> Any:
    return handler.application.transport


def broadcast(handler: Any, msg: Any, eid: str) -> None:
    """Take note of what Visdom tells the subscribers of ``eid``. What they are sent is read from the state, later."""
    message = decode(msg) if isinstance(msg, str | bytes) else msg
    transport = transport_of(handler)
    command = message.get("command")
    if command in ("window", "pane"):
        transport.changes.window_changed(eid, message["id"])
    elif command == "window_update":
        transport.changes.window_changed(eid, message["win"])
    elif command in ("close", "undo_state"):
        # Of the window itself the state has told.
        transport.changes.closed_windows_changed(eid)
    elif command == "notification":
        transport.hub.publish(feed_names.NOTIFICATIONS, message["data"])


def broadcast_envs(handler: Any, target_subs: Any = None) -> None:
    """Nothing to do: the state tells when the list of environments changes."""


def send_to_sources(handler: Any, msg: Any) -> None:
    """Publish an event for Python sources."""
    transport_of(handler).hub.publish(feed_names.EVENTS, msg)


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
        transport_of(handler).hub.publish(feed_names.NOTIFICATIONS, data)
        return
    for subscriber in target_subs:
        if subscriber.session.dialect == "stock" and subscriber.session.link is not None:
            subscriber.session.link.say({"command": "notification", "data": data})


def load_env(state: Any, eid: str, socket: Any, *args: Any, **kwargs: Any) -> None:
    """A stock page asks for an environment. Visdoms differ in what they say about where it may be read from."""
    _show(socket, feed_names.environment(eid if eid in state else escape_eid(eid)))


def _show(subscriber: Subscriber, feed: str) -> None:
    session = subscriber.session
    if session.dialect != "stock":
        return  # subscribes by itself, with its secret: whoever knows only its id gets nothing
    try:
        subscriber.pages.show(session, feed)
    except MessageError as error:
        if not hasattr(server_utils, "notify"):
            raise CannotShow(error.message) from error
        if session.link is not None:
            session.link.say({"command": "notification", "data": {"message": error.message, "type": "error"}})


def register_window(handler: Any, p: dict[str, Any], eid: str) -> None:
    """Put a window into the state and reply with its id."""
    transport_of(handler).environments.put_window(p, eid)
    handler.write(p["id"])


def compare_envs(original: Callable[..., None]) -> Callable[..., None]:
    """Make the function for a stock page that asks for a comparison. Visdom's own goes on to make the combined windows."""
    remember_compare_envs(original)

    def show_comparison(state: Any, eids: list[str], socket: Any, store: Any = None, show_all: bool = False) -> None:
        _show(socket, feed_names.comparison(eids, show_all=show_all))

    return show_comparison
