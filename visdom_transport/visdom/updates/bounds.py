"""Bounds: how much of its past a window keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeGuard

from visdom_transport.core.delta import Operation, Path
from visdom_transport.visdom.updates.errors import refuse
from visdom_transport.visdom.updates.operations import assign


@dataclass(frozen=True, slots=True)
class WindowBounds:
    """Bounds for every window of a server; ``None`` is off. The option of the same name on a window goes before."""

    max_points: int | None = None
    """Points of each trace of a scatter or line plot."""
    max_lines: int | None = None
    """Lines of a text window, which are joined by ``<br>``."""
    max_images: int | None = None
    """Entries of an image or plot history."""
    max_old_content: int | None = None
    """Former point sets of an embeddings window."""
    keep: Literal["newest", "overview"] = "newest"
    """What `max_points` keeps: the newest points, or fewer of the whole run. Everything else is kept first in, first out."""


BOUNDS = tuple(field.name for field in fields(WindowBounds) if field.name != "keep")

_NAMES = frozenset(BOUNDS)


def read_bounds(opts: object) -> dict[str, int]:
    """Return the bounds among a request's ``opts``; null is as good as absent.

    Raises:
        UpdateRefused: a bound is not a positive integer.
    """
    if not isinstance(opts, Mapping) or _NAMES.isdisjoint(opts):
        return {}
    bounds = {}
    for name in BOUNDS:
        value = opts.get(name)
        if _is_bound(value):
            bounds[name] = value
        elif value is not None:
            refuse(f"opts.{name}", f"must be a positive integer, not {value!r:.80}")
    return bounds


def assign_bounds(window: dict[str, Any], bounds: Mapping[str, int]) -> list[Operation]:
    """Return what keeps bounds with a window."""
    return [operation for name, bound in bounds.items() for operation in assign(window, [], name, bound)]


def limit(
    name: str, window: Mapping[str, Any], server_bounds: WindowBounds, bounds: Mapping[str, int] | None = None
) -> int | None:
    """Return the bound that holds for a window: the one just given, its own, or the server's."""
    for value in ((bounds or {}).get(name), window.get(name), getattr(server_bounds, name, None)):
        if _is_bound(value):
            return value
    return None


def drop(path: Path, length: int, bound: int | None) -> list[Operation]:
    """Return what drops the oldest items of a list of this length."""
    return [["drop", path, length - bound]] if bound is not None and length > bound else []


def _is_bound(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
