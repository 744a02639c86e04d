"""Deltas: lists of small operations on one value (docs/protocol.md, section 4).

An operation is a JSON array: ``["set", path, value]``, ``["delete", path]``, ``["extend", path, items]``,
``["drop", path, k]``, ``["append", path, text]``, ``["insert", path, value]``. A path is an array of member names and array
indices from the top of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from visdom_transport.core.errors import GapError

Path: TypeAlias = Sequence[str | int]
Operation: TypeAlias = list[Any]
Delta: TypeAlias = list[Operation]


def apply(value: Any, delta: Iterable[Operation]) -> Any:
    """Apply ``delta`` to ``value`` in place and return it (or its replacement, when the whole value was set).

    Raises:
        GapError: an operation does not fit. ``value`` may then be half changed and must be thrown away.
    """
    top = [value]
    for operation in delta:
        try:
            _apply_one(top, operation)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise GapError(f"{operation!r:.200} does not fit: {error!r}") from error
    return top[0]


def _apply_one(top: list[Any], operation: Operation) -> None:
    name, path, *arguments = operation
    parent: Any = top
    last: Any = 0
    for step in path:
        parent = _member(parent, last)
        last = step
    if parent is top and name in ("insert", "delete"):
        raise ValueError("the whole value has no neighbours")
    _OPERATIONS[name](parent, last, *arguments)


def _set(parent: Any, last: Any, item: Any) -> None:
    if isinstance(parent, list):
        parent[_index(parent, last)] = item
    elif isinstance(parent, dict) and isinstance(last, str):
        parent[last] = item
    else:
        raise TypeError("no such member")


def _insert(parent: Any, last: Any, item: Any) -> None:
    if not isinstance(parent, list):
        raise TypeError("not an array")
    parent.insert(last if last == len(parent) else _index(parent, last), item)


def _delete(parent: Any, last: Any) -> None:
    _member(parent, last)
    del parent[last]


def _extend(parent: Any, last: Any, items: Any) -> None:
    target = _member(parent, last)
    if not isinstance(target, list) or not isinstance(items, list):
        raise TypeError("not an array")
    target.extend(items)


def _drop(parent: Any, last: Any, count: Any) -> None:
    target = _member(parent, last)
    if not isinstance(target, list | str):
        raise TypeError("neither an array nor a string")
    if not isinstance(count, int) or not 0 <= count <= len(target):
        raise ValueError("more than there is")
    if isinstance(target, str):
        parent[last] = target[count:]
    else:
        del target[:count]


def _append(parent: Any, last: Any, text: Any) -> None:
    target = _member(parent, last)
    if not isinstance(target, str) or not isinstance(text, str):
        raise TypeError("not a string")
    parent[last] = target + text


_OPERATIONS: dict[str, Callable[..., None]] = {
    "set": _set,
    "insert": _insert,
    "delete": _delete,
    "extend": _extend,
    "drop": _drop,
    "append": _append,
}


def _member(parent: Any, step: Any) -> Any:
    if isinstance(parent, list):
        return parent[_index(parent, step)]
    if isinstance(parent, dict) and isinstance(step, str):
        return parent[step]
    raise TypeError("no such member")


def _index(array: list[Any], step: Any) -> int:
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < len(array):
        raise IndexError(step)
    return step


def _are_apart(shape: Sequence[list[Any]]) -> bool:
    """Whether operations of these names and paths can be merged in any order: they renumber nothing, and none is in another."""
    if any(name in ("delete", "insert") for name, _ in shape):
        return False
    paths = sorted([str(step) for step in path] for _, path in shape)
    return all(below[: len(above)] != above for above, below in pairwise(paths))


def fold(deltas: Iterable[Delta]) -> Delta:
    """Return one delta with the effect of all of ``deltas``, applied in order.

    Appends to one path are concatenated, drops are added up, and a ``set`` replaces what was set, extended or appended at or
    below its path before. The arguments are not changed.
    """
    folder = _Folder()
    for delta in deltas:
        folder.add(delta)
    return [operation for operation in folder.operations if operation is not None]


_Key: TypeAlias = tuple[str, tuple[str | int, ...]]


class _Folder:
    """The folded operations so far, and where an operation that may still be merged with a later one stands."""

    def __init__(self) -> None:
        self.operations: list[Operation | None] = []
        self._open: dict[_Key, int] = {}
        self._shape: list[list[Any]] = []
        """Names and paths of the last delta's operations."""
        self._targets: list[Operation] | None = None
        """What the operations of another delta of that shape are merged into, once that is known to be right."""

    def add(self, delta: Delta) -> None:
        """Appends to one plot follow each other, alike but for the numbers: only the first is looked at closely."""
        shape = [operation[:2] for operation in delta]
        if shape != self._shape:
            self._shape, self._targets = shape, None
        elif self._targets is None and _are_apart(shape):
            self._targets = [self._standing(name, path) for name, path in shape]
        if self._targets is None:
            for operation in delta:
                self._add(operation)
            return
        for target, (name, _, argument) in zip(self._targets, delta, strict=True):
            if name == "set":
                target[2] = argument
            else:
                target[2] += argument

    def _standing(self, name: str, path: list[Any]) -> Operation:
        operation = self.operations[self._open[name, tuple(path)]]
        assert operation is not None
        return operation

    def _add(self, operation: Operation) -> None:
        name: str = operation[0]
        path = tuple(operation[1])
        if name == "set":
            self._add_set(path, operation)
        elif name == "extend":
            self._add_extend(path, operation)
        elif name == "drop":
            self._add_drop(path, operation)
        elif name == "append":
            self._add_append(path, operation)
        else:
            # "delete" and "insert" renumber their neighbours: nothing is merged across them.
            self._open.clear()
            self.operations.append(operation)

    def _add_set(self, path: tuple[str | int, ...], operation: Operation) -> None:
        for key in [key for key in self._open if key[1][: len(path)] == path]:
            self.operations[self._open.pop(key)] = None
        self._close([key for key in self._open if path[: len(key[1])] == key[1]])
        self._put(("set", path), list(operation))

    def _add_extend(self, path: tuple[str | int, ...], operation: Operation) -> None:
        self._close_drops_above(path)
        merged = self._merged(("extend", path))
        if merged is None:
            self._put(("extend", path), ["extend", operation[1], list(operation[2])])
        else:
            # It moves before a drop of the same array: they commute, because no drop exceeds the array it is applied to.
            merged[2].extend(operation[2])

    def _add_append(self, path: tuple[str | int, ...], operation: Operation) -> None:
        self._close_drops_above(path)
        merged = self._merged(("append", path))
        if merged is None:
            self._put(("append", path), list(operation))
        else:
            merged[2] += operation[2]

    def _add_drop(self, path: tuple[str | int, ...], operation: Operation) -> None:
        self._close_drops_above(path)
        # It renumbers the elements, so operations inside them are not merged across it.
        self._close([key for key in self._open if len(key[1]) > len(path) and key[1][: len(path)] == path])
        index = self._open.pop(("drop", path), -1)
        count = operation[2]
        if index >= 0:
            earlier = self.operations[index]
            assert earlier is not None
            count += earlier[2]
            self.operations[index] = None
        # The sum stands last, behind the extensions: the array may not have held that many items before them.
        self._put(("drop", path), ["drop", operation[1], count])

    def _put(self, key: _Key, operation: Operation) -> None:
        self._open[key] = len(self.operations)
        self.operations.append(operation)

    def _merged(self, key: _Key) -> Operation | None:
        index = self._open.get(key, -1)
        return self.operations[index] if index >= 0 else None

    def _close_drops_above(self, path: tuple[str | int, ...]) -> None:
        self._close([key for key in self._open if key[0] == "drop" and key[1] == path[: len(key[1])] and key[1] != path])

    def _close(self, keys: list[_Key]) -> None:
        """Merge no more into these. A ``set`` above them must then stay as well: they may need what it put there."""
        for key in keys:
            self._open.pop(key, None)
            for above in [o for o in self._open if o[0] == "set" and o[1] == key[1][: len(o[1])]]:
                del self._open[above]
