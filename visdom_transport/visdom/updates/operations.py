"""Making operations: assigning only what changes, and sharing nothing between an operation and the window."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Any

from visdom_transport.core.delta import Operation, Path, apply

_ATOMS = frozenset({str, int, float, bool, type(None)})


def assign(holder: dict[str, Any], path: Path, key: str, value: Any) -> list[Operation]:
    """Return what sets ``holder[key]``, the holder being at ``path``: nothing if it has that value already."""
    if key in holder and same(holder[key], value):
        return []
    return [["set", [*path, key], value]]


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are written alike: ``==`` that tells 1 from 1.0 and true. Costs the smaller one."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is list:
        if len(one) != len(other) or not all(map(is_, map(type, one), map(type, other))):
            return False
        return one == other if are_atoms(one) else all(map(same, one, other))
    if kind is dict:
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return bool(one == other)


def clone(value: Any) -> Any:
    """Copy a JSON value."""
    if type(value) is list:
        return value.copy() if are_atoms(value) else [clone(item) for item in value]
    if type(value) is dict:
        return {key: clone(item) for key, item in value.items()}
    return value


def are_atoms(values: Sequence[Any]) -> bool:
    """Whether no value is an array or object."""
    return _ATOMS.issuperset(map(type, values))


def carry_out(window: dict[str, Any], operations: list[Operation]) -> None:
    """Apply operations that fit to a window.

    The window gets copies of their values: operations are kept for slow clients, while the window goes on changing.
    """
    apply(window, [[name, path, *map(clone, values)] for name, path, *values in operations])
