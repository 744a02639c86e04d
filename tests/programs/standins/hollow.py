"""Modules that are there to be imported, with names that nobody uses."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


def unused(name: str) -> type:
    """A class to be named in annotations, as a base, as a default. Its instances can do nothing."""
    return type(name.rpartition(".")[2], (), {"__init__": lambda self, *_, **__: None})


def module(path: str, names: str = "", **members: Any) -> None:
    """Make a module with `members`, and with unused `names`."""
    made = sys.modules[path] = ModuleType(path)
    vars(made).update({name: unused(f"{path}.{name}") for name in names.split()} | members | {"__path__": []})
    parent, _, child = path.rpartition(".")
    setattr(sys.modules[parent], child, made)
