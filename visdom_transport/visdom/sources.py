"""Where the feeds read their values: Visdom's state."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import visdom.utils.server_utils as server_utils

if TYPE_CHECKING:
    from .transport import Transport


class WindowSource:
    """The windows of one environment, which need not exist yet."""

    def __init__(self, transport: Transport, eid: str) -> None:
        self._transport = transport
        self._eid = eid

    def _part(self, name: str) -> dict[str, Any]:
        """Empty if there is nothing that can be shown: the page learns of what comes later."""
        environment = self._transport.readable(self._eid)
        return environment[name] if environment is not None else {}

    def keys(self) -> Collection[str]:
        windows = self._part("jsons")
        return sorted(windows, key=lambda win: creation_index(windows[win]))

    def value(self, key: str) -> Any:
        return self._part("jsons")[key]

    def content_id(self, key: str) -> str | None:
        window = self._part("jsons")[key]
        return window.get("contentID") if isinstance(window, dict) else None

    def header(self) -> Any:
        header: dict[str, Any] = {"reload": self._part("reload")}
        problem = self._transport.problem(self._eid)
        if problem is not None:
            return {**header, "problem": problem}
        return {**header, "restored": self._transport.keeper.restored(self._eid)}


def creation_index(window: Any) -> tuple[bool, float]:
    """Sort key of windows in creation order; those without an index come last."""
    index = window.get("i") if isinstance(window, dict) else None
    return (False, index) if isinstance(index, int | float) else (True, 0)


class SharedSource:
    """What every tab shows: environment list, layouts, and how many closed windows can be brought back."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def keys(self) -> Collection[str]:
        return ["layouts", "envs", *(f"undo/{eid}" for eid in self._transport.undoable)]

    def value(self, key: str) -> Any:
        if key == "layouts":
            return self._transport.app.layouts
        if key == "envs":
            return list(self._transport.app.state)
        try:
            return server_utils.count_deleted(self._transport.app.storage, key.removeprefix("undo/"))
        except ValueError:
            return 0  # an id that cannot be a file's name

    def content_id(self, key: str) -> str | None:
        return None

    def header(self) -> Any:
        return None
