"""The status of a server as a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tornado import template


def status_page(status: Mapping[str, Any]) -> bytes:
    """The same as the JSON, in tables."""
    return _template().generate(status=status, tables=list(_tables(status)))


@cache
def _template() -> template.Template:
    return template.Loader(str(Path(__file__).parent), autoescape="xhtml_escape").load("status.html")


def _tables(status: Mapping[str, Any]) -> Any:
    yield "server", [(name, _said(value)) for name, value in status.items() if not isinstance(value, dict | list)]
    yield "durability", [(name, _said(value)) for name, value in status["durability"].items()]
    yield "relays", _rows(status["relays"])
    yield "sessions", _rows(status["sessions"])
    feeds = [(name, *map(_said, feed.values())) for name, feed in status["feeds"].items()]
    yield "feeds", [("name", *next(iter(status["feeds"].values()))), *feeds] if feeds else []
    yield "totals", [(name, _said(value)) for name, value in status["totals"].items()]


def _rows(entries: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [tuple(entries[0]), *(tuple(map(_said, entry.values())) for entry in entries)] if entries else []


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return f"{value:,}" if isinstance(value, int) else str(value)
