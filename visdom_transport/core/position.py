"""Positions as clients present them (docs/protocol.md, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from visdom_transport.core.errors import MessageError


def reach(position: Mapping[str, Any]) -> int:
    """The offset that a feed must have come to before it can go on from ``position``."""
    offset: int = position["offset"]
    ahead: Mapping[str, int] = position.get("ahead") or {}
    return max(offset, *ahead.values()) if ahead else offset


def check_position(position: Any, max_keys: int) -> None:
    """Raise `MessageError` naming the field when ``position`` is not a position or None, or names more than ``max_keys`` keys."""
    if position is None:
        return
    if not isinstance(position, dict):
        raise MessageError("bad_field", "a position is an object or null", "position")
    if not isinstance(position.get("epoch"), str):
        raise MessageError("bad_field", "epoch must be a string", "position.epoch")
    if not _is_offset(position.get("offset")):
        raise MessageError("bad_field", "offset must be an integer of at least -1", "position.offset")
    ahead = position.get("ahead")
    if not _maps(ahead, _is_offset):
        raise MessageError("bad_field", "ahead must map keys to offsets", "position.ahead")
    if not _is_offset(position.get("part", 0)):
        raise MessageError("bad_field", "part must be a number of entries", "position.part")
    have = position.get("have")
    if not _maps(have, _is_text):
        raise MessageError("bad_field", "have must map keys to content ids", "position.have")
    near = position.get("near")
    if near is not None and not (isinstance(near, list) and all(map(_is_text, near))):
        raise MessageError("bad_field", "near must be a list of keys", "position.near")
    for name, keys in (("ahead", ahead), ("have", have), ("near", near)):
        if keys is not None and len(keys) > max_keys:
            raise MessageError("limit", f"more than max_position_keys={max_keys}", f"position.{name}")


def _maps(found: Any, is_right: Callable[[Any], bool]) -> bool:
    """Whether ``found`` is an object with such values, or is not there."""
    return found is None or (isinstance(found, dict) and all(map(is_right, found.values())))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_offset(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= -1
