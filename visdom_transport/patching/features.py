"""Which of several known Visdoms is installed, by what it has: development snapshots carry the version of a release too."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, TypeAlias

from visdom_transport.patching.seam import SeamError

Features: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""What a Visdom has, and what it must not have. Each is a "module", a "module:path" in it, or a "module:path(parameters)"."""


def recognise(known: Mapping[str, Features]) -> str:
    """The name of the first of the known Visdoms that is installed.

    Raises:
        SeamError: none of them is.
    """
    for name, (has, lacks) in known.items():
        if all(map(_exists, has)) and not any(map(_exists, lacks)):
            return name
    version = getattr(importlib.import_module("visdom"), "__version__", "unknown")
    raise SeamError(f"this Visdom (version {version}) has neither the parts of {' nor those of '.join(known)}")


def _exists(feature: str) -> bool:
    path, _, parameters = feature.rstrip(")").partition("(")
    module, _, name = path.partition(":")
    try:
        if not name:
            return find_spec(module) is not None
        found: Any = importlib.import_module(module)
        for step in name.split("."):
            found = inspect.getattr_static(found, step)
    except (ImportError, AttributeError):
        return False
    return not parameters or (callable(found) and ", ".join(inspect.signature(found).parameters) == parameters)
