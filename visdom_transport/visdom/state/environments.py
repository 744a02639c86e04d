"""Looking up environments: in the state, or on disk when they are there and not read yet."""

from __future__ import annotations

import logging
from typing import Any

from visdom.utils import server_utils

from visdom_transport.core.errors import MessageError
from visdom_transport.visdom.state.observed import State
from visdom_transport.visdom.storage import Storage

logger = logging.getLogger("visdom_transport")


class Environments:
    """The environments of one application."""

    def __init__(self, state: State, storage: Storage) -> None:
        self.state = state
        self._storage = storage

    def get(self, eid: str) -> Any:
        """The environment, read from disk if need be, or None when there is none.

        Raises:
            MessageError: its file cannot be read.
        """
        try:
            environment = self.state.get(eid)
            if environment is not None:
                environment["jsons"]
        except (ValueError, KeyError, TypeError) as error:  # a file that is JSON, but not an environment
            logger.error("environment %s cannot be read: %s", eid, error)
            raise MessageError("unknown_env", f"environment {eid!r} cannot be read", "eid") from error
        return environment

    def take_up(self, eid: str) -> None:
        """Take up an environment whose file appeared after the start."""
        if eid not in self.state and (unread := self._storage.unread(eid)) is not None:
            self.state[eid] = unread

    def combine(self, eids: list[str], socket: Any, *, show_all: bool) -> None:
        """Have Visdom combine environments for its comparison view and write the result to ``socket``."""
        known = [eid for eid in eids if self.get(eid) is not None]
        if known:
            self._storage.combine(self.state, known, socket, show_all=show_all)

    def put_window(self, window: dict[str, Any], eid: str) -> None:
        """Put a window into an environment, in the place of one with the same id."""
        if eid not in self.state:
            self.state[eid] = {"jsons": {}, "reload": {}}
        windows = self.state[eid]["jsons"]
        previous = windows.get(window["id"])
        if not isinstance(previous, dict):
            window["i"] = len(windows)
        else:
            # A window set through /win_data may have no index.
            window["i"] = previous.get("i", len(windows))
            if "comment" in window:
                window["comment"] = previous.get("comment", window["comment"])
        windows[window["id"]] = window


def escape_eid(eid: str) -> str:
    """The environment id as Visdom stores it."""
    escaped: str = server_utils.escape_eid(eid)
    return escaped
