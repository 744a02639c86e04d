"""JSON as the wire speaks it: UTF-8, NaN and infinities as ``null``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import orjson


def encode(value: Any) -> bytes:
    """Return ``value`` as JSON bytes. Every value that ``json.loads`` can produce is accepted, unless hundreds of levels deep.

    Raises:
        TypeError: for a value that is not JSON (a set, an object), or is nested too deeply.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        # orjson refuses lone surrogates, integers beyond 64 bits and non-string keys, all of which json accepts.
        try:
            return json.dumps(_without_nan(value), separators=(",", ":"), allow_nan=False).encode()
        except RecursionError:
            raise TypeError("nested too deeply") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def decode(data: bytes | str, parse_constant: Callable[[str], Any] | None = _refuse_constant) -> Any:
    """Parse JSON. Integers beyond 64 bits become floats, as they do in a browser.

    Args:
        parse_constant: as `json.loads` has it, for NaN and infinities, which are refused otherwise. None takes them.

    Raises:
        ValueError: when ``data`` is not JSON.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # orjson refuses lone surrogate escapes, which JavaScript's JSON.stringify produces, and a byte order mark.
        try:
            return json.loads(data, parse_constant=parse_constant)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
