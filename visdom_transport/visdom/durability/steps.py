"""Large values, encoded and copied in steps: others have their turn between them."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from visdom_transport.core.encoding import encode
from visdom_transport.visdom.durability.settling import settle
from visdom_transport.visdom.durability.sizes import estimated_bytes

T = TypeVar("T")

STEP_BYTES = 250_000
"""About so much is encoded or copied at once."""

TURN_S = 0.005
"""Others have their turn when steps have taken so long."""

REST_S = 0.005
"""And the thread rests for so long: on a busy machine one that computes without a break waits for all other programs, for a
quarter of a second and more, and with it everybody whom the event loop serves."""

DEEPEST = 20
"""What is nested more deeply is one step."""

_PLAIN = frozenset({int, float, str, bool, type(None)})


async def taken(steps: Generator[Any, None, T]) -> T:
    """What a generator returns whose every item is the end of a step."""
    began = time.monotonic()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if time.monotonic() - began > TURN_S:
            await asyncio.sleep(REST_S)
            began = time.monotonic()


@dataclass(frozen=True, slots=True)
class Form:
    """How JSON is written."""

    encode: Callable[[Any], bytes]
    comma: bytes = b","
    colon: bytes = b":"


COMPACT = Form(encode)


def encoding(value: Any, form: Form = COMPACT) -> Generator[None, None, list[bytes]]:
    """Encode ``value``: the pieces make its JSON. None of them ends inside of a character.

    Raises:
        TypeError: as `encode`.
    """
    pieces: list[bytes] = []
    for piece in _pieces(value, 0, form):
        pieces.append(piece)
        yield
    return pieces


def _pieces(value: Any, depth: int, form: Form) -> Iterator[bytes]:
    size = estimated_bytes(value)
    if size <= STEP_BYTES or depth > DEEPEST or not value:
        yield form.encode(value)
    elif type(value) is list:
        yield from _array_pieces(value, size, depth, form)
    elif isinstance(value, dict) and all(type(name) is str for name in value):
        mark = b"{"
        for name, item in list(value.items()):
            yield b"%b%b%b" % (mark, form.encode(name), form.colon)
            yield from _pieces(item, depth + 1, form)
            mark = form.comma
        yield b"}"
    else:
        yield form.encode(value)


def _array_pieces(value: list[Any], size: int, depth: int, form: Form) -> Iterator[bytes]:
    mark, count = b"[", max(1, len(value) * STEP_BYTES // size)
    for start in range(0, len(value), count):
        items = value[start : start + count]
        yield mark
        if count == 1:
            yield from _pieces(items[0], depth + 1, form)
        else:
            yield form.encode(items)[1:-1]
        mark = form.comma
    yield b"]"


def copying(value: Any, depth: int = 0) -> Generator[None, None, Any]:
    """Copy a value that is JSON."""
    size = estimated_bytes(value)
    if size <= STEP_BYTES or depth > DEEPEST:
        yield
        return copied(value)
    if type(value) is list:
        items: list[Any] = []
        count = max(1, len(value) * STEP_BYTES // size)
        for start in range(0, len(value), count):
            part = value[start : start + count]
            items += copied(part) if count > 1 else [(yield from copying(part[0], depth + 1))]
            yield
        settle()
        return items
    if type(value) is dict:
        members = {}
        for name, item in list(value.items()):
            members[name] = yield from copying(item, depth + 1)
        return members
    return copied(value)


def copied(value: Any) -> Any:
    """A copy of a value that is JSON: of long rows of numbers a hundred times as fast as a deep copy."""
    if type(value) is list:
        return value[:] if _PLAIN.issuperset(map(type, value)) else [copied(item) for item in value]
    if type(value) is dict:
        return {name: copied(item) for name, item in value.items()}
    return value if type(value) in _PLAIN else copy.deepcopy(value)
