"""What browsers and sources ask for: Visdom's commands (contract of `SocketHandler.on_message`), each checked before it acts."""

from __future__ import annotations

import copy
import logging
import uuid
from collections.abc import Callable
from typing import Any

from visdom_transport import feed_names
from visdom_transport.core.errors import MessageError
from visdom_transport.core.hub import Hub
from visdom_transport.core.session import Session
from visdom_transport.visdom.durability.journal import Journal
from visdom_transport.visdom.observed import is_unread
from visdom_transport.visdom.state.changes import Changes
from visdom_transport.visdom.state.environments import Environments, escape_eid
from visdom_transport.visdom.state.panes import Panes
from visdom_transport.visdom.storage import Storage
from visdom_transport.visdom.updates import UpdateRefused, pop_embeddings
from visdom_transport.writing import unwritable

logger = logging.getLogger("visdom_transport.commands")

Action = Callable[[Session, dict[str, Any]], Any]


class Commands:
    """Carries out commands on one application's state.

    Args:
        app: the application, which has the saved views, and may be read-only.
        show: has a stock page show what is saved under another name.
    """

    def __init__(
        self,
        app: Any,
        environments: Environments,
        changes: Changes,
        hub: Hub,
        storage: Storage,
        journal: Journal,
        panes: Panes,
        show: Callable[[Session, str], None],
    ) -> None:
        self._app = app
        self._environments = environments
        self._changes = changes
        self._hub = hub
        self._storage = storage
        self._journal = journal
        self._panes = panes
        self._show = show
        self.changed: str | None = None
        """The environment in which what the command that is carried out changes was changed before it."""
        self._actions: dict[str, Action] = {
            "close": self._close,
            "save": self._save,
            "delete_env": self._delete_env,
            "save_layouts": self._save_layouts,
            "forward_to_vis": self._forward_to_vis,
            "layout_item_update": self._layout_item_update,
            "pop_embeddings_pane": self._pop_embeddings_pane,
            "echo": self._echo,
        }
        if storage.has_undo:
            self._actions |= {
                "undo": self._undo,
                "save_all": self._save_all,
                "update_plot_layout": self._update_plot_layout,
                "update_comment": self._update_comment,
            }

    def carry_out(self, session: Session, command: dict[str, Any]) -> Any:
        """Do what ``command`` says.

        Raises:
            MessageError: it cannot be done; nothing was changed.
        """
        name = command.get("cmd")
        action = self._actions.get(name) if isinstance(name, str) else None
        if action is None:
            raise MessageError("unknown_command", f"no command {str(name)[:50]!r}", "cmd")
        if self._app.readonly and name != "echo":
            raise MessageError("readonly", "this server is read only", "cmd")
        try:
            return action(session, command)
        except MessageError:
            raise
        except OSError as error:
            unwritable.log(error, "command %s failed: %s", str(name))
            raise MessageError("failed", f"could not be written: {unwritable.cause(error)}") from error
        except Exception as error:
            logger.exception("command %s failed", name)
            raise MessageError("failed", f"{type(error).__name__}: {error}") from error

    def knows(self, name: str) -> bool:
        """Whether there is such a command in this Visdom."""
        return name in self._actions

    # --- what commands name ---

    def _environment(self, eid: Any, field: str = "eid") -> Any:
        if not isinstance(eid, str):
            raise MessageError("bad_field", f"{field} must be a string", field)
        environment = self._environments.get(eid)
        if environment is None:
            raise MessageError("unknown_env", f"no environment {eid[:100]!r}", field)
        return environment

    def _window(self, eid: Any, win: Any, field: str) -> Any:
        windows = self._environment(eid)["jsons"]
        if not isinstance(win, str):
            raise MessageError("bad_field", f"{field} must be a string", field)
        if win not in windows:
            raise MessageError("unknown_window", f"no window {win[:100]!r} in environment {eid!r}", field)
        return windows[win]

    @staticmethod
    def _object(value: Any, field: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise MessageError("bad_field", f"{field} must be an object", field)
        return value

    # --- windows ---

    def _close(self, session: Session, command: dict[str, Any]) -> None:
        eid, win = str(command.get("eid")), command.get("data")
        windows = self._environment(command.get("eid"))["jsons"]
        if not isinstance(win, str):
            raise MessageError("bad_field", "data must be a window id", "data")
        window = windows.get(win)
        if window is None:
            return  # closed before, by somebody else: what was asked for holds
        pane_data = self._panes.pane_data(eid, win, window)
        del windows[win]
        event = {"event_type": "close", "target": win, "eid": eid}
        self._hub.publish(feed_names.EVENTS, event, pane_data)
        self._changes.windows_closed(eid, [(win, window)])

    def _undo(self, session: Session, command: dict[str, Any]) -> None:
        eid = command.get("eid")
        windows = self._environment(eid)["jsons"]
        popped = self._storage.pop_closed(str(eid))
        if popped:
            win, window = popped
            if isinstance(window, dict):
                # Through /win_data anything can be put in a window's place.
                indices = (other.get("i") for other in windows.values() if isinstance(other, dict))
                window["i"] = max((index for index in indices if isinstance(index, int)), default=-1) + 1
            windows[win] = window
        self._changes.closed_windows_changed(str(eid))

    def _layout_item_update(self, session: Session, command: dict[str, Any]) -> None:
        win = command.get("win")
        if not isinstance(win, str):
            raise MessageError("bad_field", "win must be a string", "win")
        self._environment(command.get("eid"))["reload"][win] = command.get("data")
        self._changes.member_set(str(command.get("eid")), "reload")

    def _pop_embeddings_pane(self, session: Session, command: dict[str, Any]) -> None:
        packet = self._object(command.get("data"), "data")
        eid, win = packet.get("eid"), packet.get("target")
        try:
            delta = pop_embeddings(self._window(eid, win, "data.target"))
        except UpdateRefused as refusal:
            raise MessageError("failed", refusal.message, f"data.{refusal.field}") from refusal
        self._changes.window_updated(str(eid), str(win), delta)

    def _update_plot_layout(self, session: Session, command: dict[str, Any]) -> None:
        patch = self._object(command.get("data"), "data")
        window = self._window(command.get("eid"), command.get("win"), "win")
        content = window.get("content")
        if window.get("type") == "plot_history":
            frame = command.get("frame")
            if not isinstance(content, list) or not isinstance(frame, int) or not 0 <= frame < len(content):
                raise MessageError("bad_field", "frame must be the index of a frame of the window", "frame")
            content = content[frame]
        if not isinstance(content, dict):
            raise MessageError("failed", "the window has no plot", "win")
        content.setdefault("layout", {}).update(patch)
        window["contentID"] = str(uuid.uuid4())
        self._changes.window_changed(str(command.get("eid")), str(command.get("win")))

    def _update_comment(self, session: Session, command: dict[str, Any]) -> None:
        eid = self.changed or self.comment(command)
        # Visdom saves a copy from another thread. By the time that is written it may be older than what is on disk already.
        try:
            self._save_environment(eid)
        except OSError as error:
            unwritable.log(error, "environment %.200r could not be saved: %s", eid)

    def comment(self, command: dict[str, Any]) -> str:
        """Change the comment of a window. Returns its environment, which is to be saved then.

        Raises:
            MessageError: it cannot be carried out.
        """
        eid, win, comment = command.get("eid"), command.get("win"), command.get("data")
        if not isinstance(comment, str):
            raise MessageError("bad_field", "data must be a string", "data")
        window = self._window(eid, win, "win")
        window["comment"] = comment
        window["version"] = window.get("version", 1) + 1
        window["contentID"] = str(uuid.uuid4())
        self._changes.window_changed(str(eid), str(win))
        return str(eid)

    # --- environments ---

    def _save(self, session: Session, command: dict[str, Any]) -> None:
        positions, previous, eid = self.checked_save(command)
        state = self._environments.state
        if eid not in (previous, self.changed):
            state[eid] = copy.deepcopy(self._environment(previous))
        if state[eid]["reload"] != positions:
            state[eid]["reload"] = positions
        self._save_environment(eid)
        if session.dialect == "stock":
            self._show(session, feed_names.environment(eid))

    def fork(self, previous: str, eid: str) -> None:
        """Save a copy of an environment under another name. Forked to its own name, it is saved.

        Raises:
            OSError: it could not be written.
        """
        state = self._environments.state
        if eid not in (previous, self.changed):
            state[eid] = copy.deepcopy(self._environment(previous))
        self._save_environment(eid)

    def checked_save(self, command: dict[str, Any]) -> tuple[dict[str, Any], str, str]:
        """What a command to save says: where the panes are, which environment is saved, and under which name.

        Raises:
            MessageError: it cannot be carried out.
        """
        positions, previous = self._object(command.get("data"), "data"), command.get("prev_eid")
        self._environment(previous, "prev_eid")
        eid = command.get("eid")
        if not isinstance(eid, str) or not eid:
            raise MessageError("bad_field", "eid must be a name", "eid")
        eid = escape_eid(eid)
        self._check_savable(eid)
        return positions, str(previous), eid

    def _check_savable(self, eid: str) -> None:
        refusal = self._journal.refusal(eid)
        if refusal is not None:
            raise MessageError("bad_field", f"environment {eid[:100]!r} cannot be saved: {refusal}", "eid")

    def _save_environment(self, eid: str) -> None:
        self._storage.save(self._environments.state, eid)

    def _save_all(self, session: Session, command: dict[str, Any]) -> None:
        refused = []
        for eid, environment in list(self._environments.state.items()):
            refusal = self._journal.refusal(eid) if not is_unread(environment) else None
            if refusal is None:
                self._save_environment(eid)
            else:
                refused.append(f"environment {eid[:100]!r} cannot be saved: {refusal}")
        if refused:
            raise MessageError("failed", "; ".join(refused))

    def _delete_env(self, session: Session, command: dict[str, Any]) -> None:
        eid = command.get("eid")
        if not isinstance(eid, str):
            raise MessageError("bad_field", "eid must be a string", "eid")
        self.delete_environment(escape_eid(eid))

    def delete_environment(self, eid: str) -> None:
        """Remove an environment from the state and from disk. One that is not there is no error: what was asked for holds.

        Raises:
            MessageError: what is under the name of its file holds no environment; it stays.
        """
        if eid == "main" and self._storage.keeps_main:
            raise MessageError("failed", "the main environment cannot be deleted", "eid")
        state, files = self._environments.state, self._environments.state.files
        if files is None:
            state.pop(eid, None)
            return
        exists, problem = files.exists(eid), self._environments.problem(eid)
        if exists and problem is not None:
            raise MessageError("failed", f"environment {eid[:100]!r} cannot be deleted: {problem}", "eid")
        refusal = files.refusal(eid)
        state.pop(eid, None)
        if exists or refusal is None:
            self._storage.forget_closed(eid)
        if refusal is None:
            files.delete(eid)

    def _save_layouts(self, session: Session, command: dict[str, Any]) -> None:
        layouts = command.get("data")
        if not isinstance(layouts, str):
            raise MessageError("bad_field", "data must be a string", "data")
        try:
            layouts.encode()
        except UnicodeEncodeError as error:
            raise MessageError("bad_field", f"data must be Unicode: {error}", "data") from error
        before, self._app.layouts = self._app.layouts, layouts
        try:
            self._app.save_layouts()
        except OSError:
            self._app.layouts = before
            raise
        self._changes.layouts_changed()

    # --- events ---

    def _forward_to_vis(self, session: Session, command: dict[str, Any]) -> None:
        event = dict(self._object(command.get("data"), "data"))
        eid, win, pane_data = event.get("eid"), event.get("target"), None
        if event.get("pane_data") is False:
            self._environment(eid, "data.eid")
        else:
            # Whatever the page sent: what the pane holds now, which a later change must not touch.
            event.pop("pane_data", None)
            window = self._window(eid, win, "data.target")
            pane_data = self._panes.pane_data(str(eid), str(win), window)
        self._hub.publish(feed_names.EVENTS, event, pane_data)

    def _echo(self, session: Session, command: dict[str, Any]) -> None:
        if session.role != "source":
            raise MessageError("unknown_command", "echo is for sources", "cmd")
        self._hub.publish(feed_names.EVENTS, command)
