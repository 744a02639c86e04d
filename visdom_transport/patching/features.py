"""Which of several known Visdoms is installed, by what it has: development snapshots carry the version of a release too."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, TypeAlias

from visdom_transport.patching.seam import SeamError

OLDEST = (0, 2, 4)
"""0.2.3 has the same parts as 0.2.4, but no test runs with it."""

Features: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""What a Visdom has, and what it must not have. Each is a "module", a "module:path" in it, or a "module:path(parameters)"."""


def recognise(known: Mapping[str, Features]) -> str:
    """The name of the first of the known Visdoms that is installed.

    Raises:
        SeamError: none of them is.
    """
    version = str(getattr(importlib.import_module("visdom"), "__version__", "unknown"))
    if _is_older(version):
        raise SeamError(f"this Visdom (version {version}) is older than {'.'.join(map(str, OLDEST))}, the oldest that is tested")
    for name, (has, lacks) in known.items():
        if all(map(_exists, has)) and not any(map(_exists, lacks)):
            return name
    raise SeamError(f"this Visdom (version {version}) has neither the parts of {' nor those of '.join(known)}")


def _is_older(version: str) -> bool:
    """Whether this is the version of a release before the oldest that is tested. One that is no number may be a snapshot's."""
    numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return numbers is not None and tuple(int(number or 0) for number in numbers.groups()) < OLDEST


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
