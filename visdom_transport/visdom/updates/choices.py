"""Options of a plot that are one of a few words: how much of it pages draw, and what it keeps beyond its bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from visdom_transport.core.delta import Operation
from visdom_transport.visdom.updates.errors import refuse
from visdom_transport.visdom.updates.operations import assign

CHOICES: Final = {"detail": ("screen", "full"), "keep": ("newest", "overview")}

_PLOTS = frozenset({"plot", "plot_history"})


def check_choice(name: str, value: object) -> None:
    """Raises `UpdateRefused` for what is none of the option's words; null is as good as absent."""
    if value is not None and value not in CHOICES[name]:
        refuse(f"opts.{name}", f"must be one of {', '.join(CHOICES[name])}, not {value!r:.80}")


def assign_choices(window: dict[str, Any], opts: object) -> list[Operation]:
    """Return what keeps the choices that a request's ``opts`` make for a new window, if that is a plot.

    Raises:
        UpdateRefused: there is no such word.
    """
    operations: list[Operation] = []
    if not isinstance(opts, Mapping) or window.get("type") not in _PLOTS:
        return operations
    for name in CHOICES:
        value = opts.get(name)
        check_choice(name, value)
        if value is not None:
            operations += assign(window, [], name, value)
    return operations
