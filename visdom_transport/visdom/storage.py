"""Where Visdom keeps environments, and the windows that were closed: one interface for all versions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from visdom.server import defaults
from visdom.utils import server_utils

from visdom_transport.visdom import flavour
from visdom_transport.writing import unwritable

logger = logging.getLogger("visdom_transport")


class Storage:
    """Files of one folder, as in Visdom 0.2.4 and the main branch of July 2023. Closed windows are gone."""

    has_undo = False
    """Whether closed windows can be brought back."""
    makes_environments = False
    """Whether an update of an environment that is not there makes it."""
    keeps_main = False
    """Whether the environment ``main`` cannot be deleted."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def combine(self, state: Any, eids: list[str], socket: Any, *, show_all: bool) -> None:
        """Have Visdom combine environments for its comparison view, and write the result to ``socket``."""
        _compare_envs()(state, eids, socket, self._app.env_path)

    def save(self, state: Any, eid: str) -> None:
        """Have Visdom save an environment."""
        server_utils.serialize_env(state, [eid], env_path=self._app.env_path)

    def push_closed(self, eid: str, closed: Sequence[tuple[str, Any]]) -> None:
        """Keep closed windows, the last one first to be brought back."""

    def pop_closed(self, eid: str) -> tuple[str, Any] | None:
        """Take out the window that was closed last, if there is one."""
        return None

    def count_closed(self, eid: str) -> int:
        """How many closed windows can be brought back."""
        return 0

    def forget_closed(self, eid: str) -> None:
        """Forget the closed windows of an environment."""


class StoreStorage(Storage):
    """The JSONStore of Visdom 0.3.0."""

    has_undo = True
    makes_environments = True
    keeps_main = True

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self._store = app.storage

    def combine(self, state: Any, eids: list[str], socket: Any, *, show_all: bool) -> None:
        _compare_envs()(state, eids, socket, self._store, show_all=show_all)

    def save(self, state: Any, eid: str) -> None:
        self._store.save_env(eid, state[eid])

    def push_closed(self, eid: str, closed: Sequence[tuple[str, Any]]) -> None:
        # Of more than it keeps Visdom would write them all, each with those before it.
        for win, window in closed[-defaults.DEFAULT_MAX_UNDO_HISTORY :]:
            self._push_closed(eid, win, window)

    def _push_closed(self, eid: str, win: str, window: Any) -> None:
        try:
            server_utils.push_deleted(self._store, eid, win, window)
        except OSError as error:
            unwritable.log(error, "window %.200r cannot be brought back: %s", win)
        except (ValueError, TypeError) as error:  # an id that cannot be a file's name, a window that is nested too deeply
            logger.error("window %.200r of environment %.200r cannot be brought back: %s", win, eid, error)

    def pop_closed(self, eid: str) -> tuple[str, Any] | None:
        popped: tuple[str, Any] | None = server_utils.pop_deleted(self._store, eid)
        return popped

    def count_closed(self, eid: str) -> int:
        try:
            return int(server_utils.count_deleted(self._store, eid))
        except ValueError:
            return 0  # an id that cannot be a file's name

    def forget_closed(self, eid: str) -> None:
        server_utils.clear_deleted(self._store, eid)


def storage_of(app: Any) -> Storage:
    """The storage of an application of this Visdom."""
    return StoreStorage(app) if flavour.recognise() == "0.3.0" else Storage(app)


_original: Callable[..., None] | None = None


def remember_compare_envs(original: Callable[..., None]) -> None:
    """Keep Visdom's own compare_envs, whose place another function takes."""
    global _original
    _original = original


def _compare_envs() -> Callable[..., None]:
    assert _original is not None, "the seam is in place before there is an application"
    return _original
