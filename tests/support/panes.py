"""What a page shows and what it should show, in one comparable form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.served import Window

TRACE_MEMBERS = ("type", "name", "mode", "x", "y", "z", "text", "labels", "values")


@dataclass(frozen=True, slots=True)
class Pane:
    """One window as a person sees it. `content` depends on the type; only plain JSON values."""

    id: str
    type: str
    title: str
    content: Any


def expected(window: Window) -> Pane:
    """What a page should show for a window of `/win_data`."""
    return Pane(str(window["id"]), str(window["type"]), str(window["title"]), _content(window))


def _content(window: Window) -> Any:
    content = window["content"]
    match window["type"]:
        case "plot":
            return [_trace(trace) for trace in content["data"]]
        case "text":
            return content
        case "image":
            return {"src": content["src"], "caption": content.get("caption") or ""}
        case "image_history":
            frame = content[window.get("selected", 0)]
            return {"src": frame["src"], "caption": frame.get("caption") or ""}
        case "properties":
            return [[item["name"], _plain(str(item["value"]))] for item in content]
        case _:
            return None  # drawn on a canvas, or by d3 once and never again


def _trace(trace: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(trace[name]) for name in TRACE_MEMBERS if trace.get(name) is not None}


def _plain(value: Any) -> Any:
    """Numbers compare as numbers; what JSON cannot say is what a browser is told instead: null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def first_difference(wanted: Mapping[str, Pane], shown: Mapping[str, Pane]) -> str | None:
    """What is wrong with a page, in one line; None if nothing is."""
    if missing := sorted(wanted.keys() - shown.keys()):
        return f"not shown: {missing}"
    if extra := sorted(shown.keys() - wanted.keys()):
        return f"shown but not on the server: {extra}"
    for key, pane in wanted.items():
        other = shown[key]
        if (pane.type, pane.title) != (other.type, other.title):
            return f"{key}: server {pane.type} {pane.title!r}, page {other.type} {other.title!r}"
        if difference := _difference(pane.content, other.content):
            return f"{key} ({pane.type}): {difference}"
    return None


def _difference(wanted: Any, shown: Any, path: str = "content") -> str | None:
    if isinstance(wanted, list) and isinstance(shown, list):
        if len(wanted) != len(shown):
            return f"{path}: server has {len(wanted)} elements, page {len(shown)}{_tails(wanted, shown)}"
        pairs = ((f"{path}[{index}]", a, b) for index, (a, b) in enumerate(zip(wanted, shown, strict=True)))
    elif isinstance(wanted, dict) and isinstance(shown, dict):
        names = wanted.keys() | shown.keys()
        pairs = ((f"{path}.{name}", wanted.get(name), shown.get(name)) for name in sorted(names))
    else:
        return None if wanted == shown else f"{path}: server {_short(wanted)}, page {_short(shown)}"
    return next((found for name, a, b in pairs if (found := _difference(a, b, name))), None)


def _tails(wanted: list[Any], shown: list[Any]) -> str:
    return f"; ends: {_short(wanted[-2:])} and {_short(shown[-2:])}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:80]} ... {text[-70:]}"
