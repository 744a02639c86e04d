"""Looking up environments: in the state, or on disk when they are there and not read yet."""

from __future__ import annotations

from typing import Any

from visdom.utils import server_utils

from visdom_transport.core.errors import MessageError
from visdom_transport.visdom.durability.reading import Unreadable
from visdom_transport.visdom.observed import State
from visdom_transport.visdom.storage import Storage


class CannotShow(ValueError):
    """What a page of 0.2.4's asks for cannot be shown. Later ones have a way to be told."""


class Environments:
    """The environments of one application."""

    def __init__(self, state: State, storage: Storage) -> None:
        self.state = state
        self._storage = storage

    def get(self, eid: str) -> Any:
        """The environment, read from disk if need be, or None when there is none. A file that appeared after the start is found.

        Raises:
            MessageError: its file cannot be read, or holds something else.
        """
        try:
            return self.state.find(eid)
        except Unreadable as error:
            raise MessageError("unknown_env", f"environment {eid[:100]!r} cannot be shown: {error}", "eid") from error

    def problem(self, eid: str) -> str | None:
        """Why an environment cannot be shown, if so."""
        try:
            self.get(eid)
        except MessageError as error:
            return error.message
        return None

    def readable(self, eid: str) -> Any:
        """The environment, read from disk if need be, or None when there is none that can be read."""
        return self.state.get(eid) if self.problem(eid) is None else None

    def begin(self, eid: str) -> Any:
        """The environment, for somebody who adds to it: made when there is none that can be read."""
        if self.readable(eid) is None:
            self.state[eid] = {"jsons": {}, "reload": {}}
        return self.state[eid]

    def put_window(self, window: dict[str, Any], eid: str) -> None:
        """Put a window into an environment, in the place of one with the same id."""
        windows = self.begin(eid)["jsons"]
        previous = windows.get(window["id"])
        if not isinstance(previous, dict):
            window["i"] = len(windows)
        else:
            # A window set through /win_data may have no index.
            window["i"] = previous.get("i", len(windows))
            if "comment" in window:
                window["comment"] = previous.get("comment", window["comment"])
        windows[window["id"]] = window

    def combine(self, eids: list[str], socket: Any, *, show_all: bool) -> None:
        """Have Visdom combine environments, as far as they can be shown, and write the result to ``socket``, which says what of
        them is to be combined."""
        known = [eid for eid in eids if self.readable(eid) is not None]
        if known:
            outlines = {eid: socket.outlined(eid, self.state[eid]) for eid in known}
            self._storage.combine(outlines, known, socket, show_all=show_all)


def escape_eid(eid: str) -> str:
    """The environment id as Visdom stores it."""
    escaped: str = server_utils.escape_eid(eid)
    return escaped
