"""How many points of its lines a page draws of a plot: those that its screen can show, or all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from visdom_transport.core.delta import Operation
from visdom_transport.visdom.updates.errors import refuse
from visdom_transport.visdom.updates.operations import assign

DETAILS: Final = ("screen", "full")
OPTION = "detail"

_PLOTS = frozenset({"plot", "plot_history"})


def check_detail(value: object) -> None:
    """Raises `UpdateRefused` for what is no level of detail; null is as good as absent."""
    if value is not None and value not in DETAILS:
        refuse(f"opts.{OPTION}", f"must be one of {', '.join(DETAILS)}, not {value!r:.80}")


def assign_detail(window: dict[str, Any], opts: object) -> list[Operation]:
    """Return what keeps the level of detail that a request's ``opts`` give for a new window, if that is a plot.

    Raises:
        UpdateRefused: there is no such level.
    """
    value = opts.get(OPTION) if isinstance(opts, Mapping) and window.get("type") in _PLOTS else None
    check_detail(value)
    return [] if value is None else assign(window, [], OPTION, value)
