"""Where the original of a seam is held, and what takes its place."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from visdom_transport.patching.seam import Seam, SeamError


@dataclass(slots=True)
class Location:
    """An attribute of a module or class, or an item of a dictionary."""

    owner: Any
    key: str
    is_item: bool

    def get(self) -> Any:
        """What is there now, as stored (a static method is not unwrapped), or None."""
        if self.is_item:
            return self.owner.get(self.key)
        return inspect.getattr_static(self.owner, self.key, None)

    def put(self, value: Any) -> None:
        if self.is_item:
            self.owner[self.key] = value
        else:
            setattr(self.owner, self.key, value)

    def remove(self) -> None:
        if self.is_item:
            self.owner.pop(self.key, None)
        else:
            delattr(self.owner, self.key)

    def holds(self) -> bool:
        """Whether something is stored here itself, not inherited."""
        return self.key in (self.owner if self.is_item else vars(self.owner))


@dataclass(slots=True)
class Replacement:
    """A seam, resolved: what was there, what comes instead, and every location that held it."""

    seam: Seam
    original: Any
    new: Any
    locations: list[tuple[Location, bool]]
    """With whether the location held the original itself, rather than inheriting or lacking it."""

    def holds_at(self, location: Location) -> bool:
        """Whether it is in place at this location, or in the class that the class there was made of."""
        first = self.locations[0][0]
        owners = (location.owner, first.owner)
        is_derived = all(isinstance(owner, type) for owner in owners) and issubclass(*owners)
        return first.get() is self.new and (location.owner is first.owner or is_derived)

    def put(self) -> None:
        for location, _ in self.locations:
            location.put(self.new)

    def undo(self) -> None:
        for location, held in self.locations:
            if held:
                location.put(self.original)
            else:
                location.remove()


def locate(seam: Seam) -> Location:
    """Where the object of a seam, "a.b" or "settings[key]" of its module, is stored.

    Raises:
        SeamError: the module or something on the way is not there.
    """
    match = re.fullmatch(r"([\w.]+)\[(\w+)\]", seam.name)
    *way, last = (match[1] if match else seam.name).split(".") + ([match[2]] if match else [])
    owner: Any = _module(seam.module)
    for step in way:
        owner = getattr(owner, step, None)
        if owner is None:
            raise SeamError(f"{seam} is not there")
    if match and not isinstance(owner, MutableMapping):
        raise SeamError(f"{seam.module}.{match[1]} is not a dictionary")
    return Location(owner, last, is_item=bool(match))


def replace(seam: Seam, original: Any) -> Any:
    """What takes the place of ``original``."""
    if seam.replacement:
        new = _load(seam.replacement)
    elif seam.wrapper:
        wrapper: Callable[[Any], Any] = _load(seam.wrapper)
        new = wrapper(original.__func__ if isinstance(original, staticmethod | classmethod) else original)
    else:
        return seam.value
    if isinstance(original, staticmethod | classmethod) and not isinstance(new, staticmethod | classmethod):
        new = type(original)(new)
    return new


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SeamError(f"{name} cannot be imported: {error}") from error


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
