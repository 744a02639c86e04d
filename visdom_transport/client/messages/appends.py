"""Appends say what makes the window and what adds to it in one message, so that the server can decide.

Visdom's client asks whether the window exists, and then either makes it or adds to it. When several begin a window at
once, all of them are told that there is none, and each replaces what the others had sent. So what its methods send is given
a member `otherwise`, which says how the message differs if the window is not as the answer had it. `docs/protocol.md`,
section 9, is the authority for it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import orjson
import visdom

from visdom_transport.client.messages.calls import OTHERWISE

_visdom: Any = visdom

OtherForm: TypeAlias = "Callable[[str, Mapping[str, Any]], dict[str, Any] | None]"
"""Given an endpoint and a body: the members in which the other form differs from it, or None if that is not known."""

_HISTORIES = frozenset({"image_history", "plot_history"})
_MAX_LAYOUTS = 1_000

_layouts: dict[tuple[bytes, bool], dict[str, Any]] = {}
"""Layouts by the options they are made of: a loop gives the same ones each time."""


class _Calls(threading.local):
    """The call of a method of Visdom's that this thread is in."""

    other_form: OtherForm | None = None


_calls = _Calls()


def with_other_form(endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a method of Visdom's client sends, and how it differs if the window is not as the client believes."""
    other_form = _calls.other_form
    if other_form is None or endpoint not in ("events", "update") or body.get("win") is None:
        return body
    other = other_form(endpoint, body)
    return body if other is None else {**body, OTHERWISE: other}


def _call(other_form: OtherForm, method: Callable[..., Any], *args: Any) -> Any:
    before = _calls.other_form
    _calls.other_form = other_form
    try:
        return method(*args)
    finally:
        _calls.other_form = before


def _of_history(endpoint: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """A history is made by the same body that adds to it."""
    # In 0.2.4 a plot keeps none, whatever its options say.
    return {} if any(each["type"] in _HISTORIES for each in body["data"]) else None


def _of_plot(name: Any, endpoint: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Points make a plot with a layout, and are added without one."""
    if endpoint == "events":
        return {"append": True, "layout": {}, "name": name}
    layout = _layout(body["opts"], any("z" in each for each in body["data"]))
    return None if layout is None else {"layout": layout}


def _layout(opts: Any, is_3d: bool) -> dict[str, Any] | None:
    """The layout that Visdom's scatter makes of its options, if it makes a window. None if they make none."""
    try:
        key = (orjson.dumps(opts), is_3d)
    except orjson.JSONEncodeError:
        key = None
    layout = _layouts.get(key) if key is not None else None
    if layout is not None:
        return layout
    try:
        made: dict[str, Any] = _visdom._opts2layout(opts, is_3d)
    except Exception:
        # Visdom does not look at the layout of an append, so options that make none are no reason to fail.
        return None
    if key is not None:
        if len(_layouts) >= _MAX_LAYOUTS:
            _layouts.clear()
        _layouts[key] = made
    return made


# --- what takes the place of methods of Visdom's ---


def scatter_in_both_forms(original: Callable[..., Any]) -> Callable[..., Any]:
    """For `Visdom.scatter`, through which lines go too."""

    @functools.wraps(original)
    def scatter(
        self: Any, X: Any, Y: Any = None, win: Any = None, env: Any = None, opts: Any = None, update: Any = None, name: Any = None
    ) -> Any:
        if update == "append":
            return _call(functools.partial(_of_plot, name), original, self, X, Y, win, env, opts, update, name)
        if update is None and _keeps_history(opts):
            return _call(_of_history, original, self, X, Y, win, env, opts, update, name)
        return original(self, X, Y, win, env, opts, update, name)

    return scatter


def image_in_both_forms(original: Callable[..., Any]) -> Callable[..., Any]:
    """For `Visdom.image`."""

    @functools.wraps(original)
    def image(self: Any, img: Any, win: Any = None, env: Any = None, opts: Any = None) -> Any:
        if _keeps_history(opts):
            return _call(_of_history, original, self, img, win, env, opts)
        return original(self, img, win, env, opts)

    return image


def _keeps_history(opts: Any) -> bool:
    return isinstance(opts, Mapping) and bool(opts.get("store_history"))


def send_in_both_forms(original: Callable[..., Any]) -> Callable[..., Any]:
    """For `Visdom._send`, which all methods call."""

    @functools.wraps(original)
    def _send(
        self: Any, msg: dict[str, Any], endpoint: str = "events", quiet: bool = False, from_log: bool = False, create: bool = True
    ) -> Any:
        # Without sending, the message is the answer.
        said = with_other_form(endpoint, msg) if self.send and not self.offline else msg
        return original(self, said, endpoint, quiet, from_log, create)

    return _send


def log_in_one_form(original: Callable[..., None]) -> Callable[..., None]:
    """For `Visdom._log`: a log is replayed as it happened."""

    @functools.wraps(original)
    def _log(self: Any, msg: dict[str, Any], endpoint: str) -> None:
        said = {key: value for key, value in msg.items() if key != OTHERWISE} if OTHERWISE in msg else msg
        original(self, said, endpoint)

    return _log
