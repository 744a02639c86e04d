"""Text windows: a line is added at the end, and the oldest lines go when there are too many."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, TypeAlias

from visdom_transport.core.delta import Operation
from visdom_transport.visdom.updates.check import first_entry, member
from visdom_transport.visdom.updates.errors import refuse

SEPARATOR = "<br>"

Memo: TypeAlias = MutableMapping[str, tuple[int, int]]
"""How many lines the windows updated last have, so that an update need not count: content id -> (length, lines)."""

_MEMO_ENTRIES = 1024


def update(
    window: dict[str, Any], args: dict[str, Any], bound: int | None, content_id: str, memo: Memo | None
) -> list[Operation]:
    """Add ``data[0].content`` to the window and trim it; ``content_id`` is what it goes by from now on."""
    if not isinstance(window.get("content"), str):
        refuse("win", "its content is not text")
    message = member(first_entry(args), "content", "data[0]")
    if not isinstance(message, str):
        refuse("data[0].content", f"must be text, not {message!r:.80}")
    addition = SEPARATOR + message
    known = memo.pop(window.get("contentID", ""), None) if memo is not None else None

    content: str = window["content"]
    length = len(content)
    lines = 0
    if bound is not None:
        lines = known[1] if known is not None and known[0] == length else content.count(SEPARATOR) + 1
        lines += addition.count(SEPARATOR)
    window["content"] = None
    # Nothing else refers to the string now, which lets CPython grow it in place.
    content += addition
    window["content"] = content

    operations: list[Operation] = [["append", ["content"], addition]]
    if bound is not None:
        operations += trim(window, bound, lines)
        if memo is not None:
            _remember(memo, content_id, len(window["content"]), min(lines, bound))
    return operations


def trim(window: dict[str, Any], bound: int | None, lines: int | None = None) -> list[Operation]:
    """Drop the oldest lines beyond ``bound``; ``lines`` is how many there are, when that is known."""
    if bound is None or not isinstance(window.get("content"), str):
        return []
    content: str = window["content"]
    if lines is None:
        lines = content.count(SEPARATOR) + 1
    if lines <= bound:
        return []
    start = 0
    for _ in range(lines - bound):
        start = content.index(SEPARATOR, start) + len(SEPARATOR)
    window["content"] = content[start:]
    return [["drop", ["content"], start]]


def _remember(memo: Memo, content_id: str, length: int, lines: int) -> None:
    memo[content_id] = (length, lines)
    while len(memo) > _MEMO_ENTRIES:
        del memo[next(iter(memo))]
