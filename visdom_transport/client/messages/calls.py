"""What Visdom's calls become: messages that need nothing of the caller's, and take in later ones where that changes nothing.

Two messages may become one only if the state afterwards is the same for every state before, whatever the server refuses
(`docs/publisher.md` has the rules). Everything else is sent as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import orjson

from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.window_ids import window_id

Window: TypeAlias = tuple[str, str | None]
"""Environment and window id; None stands for all windows of the environment."""

OTHERWISE: Final = "otherwise"
"""The member that says how a message differs if the window is not as its sender believes: see `appends`."""

ENDPOINTS = frozenset({"events", "update", "close", "embedding"})
"""What only publishes. Everything else has to know an answer."""

MAX_FOLDED_BYTES = 256_000
"""A message takes in others up to about this size, so that a batch can hold several and the oldest can be dropped alone."""

_ATOMS = frozenset({float, int, str, bool, type(None)})
_POINT_UPDATE = frozenset({"data", "win", "eid", "layout", "opts", "name", "append", OTHERWISE})
_TEXT_UPDATE = frozenset({"data", "win", "eid", "opts"})
_WITH_CONTENT = frozenset({"text", "image", "image_history", "properties", "network"})
_UNSURE = frozenset({"embeddings", "plot_history", "image_compare", "table"})
_ESCAPED = str.maketrans({"/": "_", "\\": "_", "\n": "-", "\r": "-"})
_BOUNDS = ("max_points", "max_lines", "max_images", "max_old_content")
_CHOICES = {"detail": (None, "screen", "full"), "keep": (None, "newest", "overview")}
_LOOKED_AT = frozenset({"comment", *_BOUNDS, *_CHOICES})


def window_of(eid: object, win: object) -> Window:
    """The window that a server means by these names. It writes some characters of an environment differently."""
    return str(eid).translate(_ESCAPED), None if win is None else str(window_id(win))


class Message:
    """One call, as it will be sent.

    Attributes:
        endpoint: where Visdom would post it.
        window: what it is about.
        size_bytes: about what it takes in memory and on the wire.
        calls: how many calls are in it.
        has_other_form: whether the server is told what to do if the window is not as the endpoint expects.
        replaces: whether earlier messages for the window need not be sent any more.
        creates: whether it makes the window if there is none, and is not refused.
        makes: whether there surely is a window afterwards.
        alone: whether it stays apart from all other messages for the window.
    """

    __slots__ = (
        "_body",
        "alone",
        "calls",
        "creates",
        "eid",
        "endpoint",
        "has_other_form",
        "makes",
        "replaces",
        "size_bytes",
        "window",
    )

    def __init__(self, endpoint: str, body: Mapping[str, Any], encoded: bytes | None = None) -> None:
        self.endpoint = endpoint
        self.eid = body.get("eid")
        win = body.get("win")
        self.window = window_of(self.eid, "embedding" if win is None and endpoint == "embedding" else win)
        self.calls = 1
        self.has_other_form = OTHERWISE in body
        self.makes = endpoint == "events" and is_well_formed(body)
        self.replaces = self.makes and not self.has_other_form
        appends = bool(body.get("append"))
        self.creates = endpoint == "events" or appends or body.get(OTHERWISE) is not None
        # Whether a window is made decides on its place among the others, so what may be refused stays where it is.
        self.alone = not self.replaces and (appends or endpoint != "update" or not _is_plain(body.get("opts")))
        self._body = encode(body) if encoded is None else encoded
        self.size_bytes = len(self._body)

    def growth_bytes(self, later: Message) -> int | None:
        """By how much this message would grow if it took in ``later``, or None if it must not."""
        return None

    def fold(self, later: Message) -> None:
        """Take in a later message for which `growth_bytes` is a number."""
        raise TypeError("nothing can be folded into this message")

    def body(self) -> bytes:
        """What is posted, as JSON. From then on the message takes in no other."""
        return self._body

    def one_form(self, window_exists: bool) -> Message | None:
        """The form that is right, for a server that knows nothing of the other one. None if there is nothing to tell it."""
        body = decode(self.body())
        other = body.pop(OTHERWISE)
        if window_exists == (self.endpoint == "update"):
            return Message(self.endpoint, body)
        return None if other is None else Message("update" if window_exists else "events", body | other)

    def if_missing(self) -> Message:
        """A message that makes the window as this one does, if there is none by then, and changes nothing otherwise."""
        return Message("events", decode(self.body()) | {OTHERWISE: None})


class Points(Message):
    """Points that are added to the traces of a plot, or take the place of those that are there."""

    __slots__ = ("_appends", "_frame", "_parts")

    def __init__(self, body: Mapping[str, Any], frame: bytes, parts: list[tuple[bytes, bytes]]) -> None:
        super().__init__("update", body, b"")
        self.makes = self.creates
        self.alone = False
        self._frame = frame
        self._parts = [([x], [y]) for x, y in parts]
        self._appends = bool(body.get("append"))
        self.size_bytes = len(frame) + _size(parts)

    def growth_bytes(self, later: Message) -> int | None:
        if type(later) is not Points or later._frame != self._frame:
            return None
        growth = later.size_bytes - len(later._frame)
        if not self._appends:
            return growth + len(self._frame) - self.size_bytes
        return growth if self.size_bytes + growth <= MAX_FOLDED_BYTES else None

    def fold(self, later: Message) -> None:
        assert isinstance(later, Points)
        self.size_bytes += self.growth_bytes(later) or 0
        self.calls += later.calls
        if not self._appends:
            self._parts = later._parts
            return
        for (x, y), (more_x, more_y) in zip(self._parts, later._parts, strict=True):
            x += more_x
            y += more_y

    def body(self) -> bytes:
        if not self._body:
            body = orjson.loads(self._frame)
            for trace, axes in zip(body["data"], self._parts, strict=True):
                trace["x"], trace["y"] = (orjson.Fragment(b"[" + b",".join(parts) + b"]") for parts in axes)
            self._body = orjson.dumps(body)
            self._frame, self._parts = b"", []
        return self._body


class Lines(Message):
    """Lines that are added to a text window."""

    __slots__ = ("_frame", "_lines")

    def __init__(self, body: Mapping[str, Any], frame: bytes, line: str) -> None:
        super().__init__("update", body, b"")
        self._frame = frame
        self._lines = [line]
        self.size_bytes = len(frame) + len(line)

    def growth_bytes(self, later: Message) -> int | None:
        if type(later) is not Lines or later._frame != self._frame:
            return None
        growth = later.size_bytes - len(later._frame) + 4
        return growth if self.size_bytes + growth <= MAX_FOLDED_BYTES else None

    def fold(self, later: Message) -> None:
        assert isinstance(later, Lines)
        self.size_bytes += self.growth_bytes(later) or 0
        self.calls += later.calls
        self._lines += later._lines

    def body(self) -> bytes:
        if not self._body:
            body = orjson.loads(self._frame)
            # What the server itself puts between two lines.
            body["data"][0]["content"] = "<br>".join(self._lines)
            self._body = orjson.dumps(body)
            self._frame, self._lines = b"", []
        return self._body


def capture(endpoint: str, body: Mapping[str, Any]) -> Message:
    """Make a message of what Visdom would post; the caller may change ``body`` afterwards.

    Raises:
        TypeError: the body cannot be written as JSON.
    """
    if endpoint == "update":
        try:
            return _points(body) or _lines(body) or Message(endpoint, body)
        except orjson.JSONEncodeError:
            # Legal for json, not for orjson (such as a name with a lone surrogate): too rare to be folded.
            pass
    return Message(endpoint, body)


def is_well_formed(body: Mapping[str, Any]) -> bool:
    """Whether the server will surely take this ``/events`` body: a window is not forgotten for one that may be refused."""
    data, opts = body.get("data"), body.get("opts", {})
    if not isinstance(data, list) or not data or not isinstance(data[0], dict) or not isinstance(opts, dict):
        return False
    if not isinstance(body.get("win"), str) or not isinstance(body.get("eid"), str) or body.get("func") is not None:
        return False
    if not _is_plain(opts):
        return False
    kind = data[0].get("type")
    if kind in _WITH_CONTENT:
        return "content" in data[0]
    return isinstance(kind, str) and kind not in _UNSURE and isinstance(body.get("layout"), dict)


def _is_plain(opts: Any) -> bool:
    """Whether these options are taken, and end with the window: a comment outlives it."""
    if opts is None:
        return True
    if not isinstance(opts, dict):
        return False
    if _LOOKED_AT.isdisjoint(opts):
        return True
    if "comment" in opts:
        return False
    if any(opts.get(name) not in words for name, words in _CHOICES.items()):
        return False
    return all(opts.get(name) is None or (type(opts[name]) is int and opts[name] > 0) for name in _BOUNDS)


def _points(body: Mapping[str, Any]) -> Points | None:
    if not _is_point_update(body):
        return None
    name, frames, parts = body.get("name"), [], []
    for trace in body["data"]:
        if not _is_trace_of_points(trace) or (name is not None and trace.get("name") != name):
            return None
        frame = trace.copy()
        parts.append((orjson.dumps(frame.pop("x"))[1:-1], orjson.dumps(frame.pop("y"))[1:-1]))
        frames.append(frame)
    return Points(body, orjson.dumps({**body, "data": frames}), parts)


def _is_point_update(body: Mapping[str, Any]) -> bool:
    """Whether it does nothing but add points, as far as is seen without a look at them."""
    data, opts = body.get("data"), body.get("opts", {})
    if not body.keys() <= _POINT_UPDATE or not isinstance(data, list) or not data:
        return False
    if not isinstance(opts, dict) or not _is_plain(opts) or not isinstance(body.get("layout"), dict):
        return False
    if OTHERWISE in body and not _makes_plot(body[OTHERWISE]):
        return False
    # A legend renames traces, after which a name may mean another one.
    if body.get("name") is not None and ("legend" in opts or len(data) > 1):
        return False
    return "legend" not in opts or _names_anyway(opts["legend"], data)


def _is_trace_of_points(trace: Any) -> bool:
    if not isinstance(trace, dict) or trace.get("type") not in ("scatter", "scattergl") or "z" in trace:
        return False
    x, y, marker = trace.get("x"), trace.get("y"), trace.get("marker")
    if not _is_axis(x) or not _is_axis(y) or not _is_seen(x):
        return False
    return marker is None or (isinstance(marker, dict) and "color" not in marker)


def _names_anyway(legend: Any, data: list[Any]) -> bool:
    """Whether traces have the names already that a legend gives those in the window: new ones are renamed by the next update."""
    names = [trace.get("name") if isinstance(trace, dict) else None for trace in data]
    return isinstance(legend, list) and names[: len(legend)] == legend[: len(names)]


def _makes_plot(other: Any) -> bool:
    return isinstance(other, dict) and other.keys() == {"layout"} and isinstance(other["layout"], dict)


def _is_axis(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and set(map(type, values)) <= _ATOMS


def _is_seen(x: Any) -> bool:
    """Whether the server takes these points: it skips those that have no x value at all."""
    return any(value is not None and (type(value) is not float or value - value == 0.0) for value in x)


def _lines(body: Mapping[str, Any]) -> Lines | None:
    data, opts = body.get("data"), body.get("opts", {})
    if not body.keys() <= _TEXT_UPDATE or not isinstance(data, list) or len(data) != 1 or not isinstance(opts, dict):
        return None
    line = data[0]
    if not isinstance(line, dict) or line.get("type") != "text" or line.keys() != {"type", "content"} or not _is_plain(opts):
        return None
    if type(line["content"]) is not str:
        return None
    frame = orjson.dumps({**body, "data": [{"type": "text"}]})
    orjson.dumps(line["content"])
    return Lines(body, frame, line["content"])


def _size(parts: list[tuple[bytes, bytes]]) -> int:
    return sum(len(x) + len(y) + 2 for x, y in parts)
