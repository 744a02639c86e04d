"""Changes and writes environments before whatever saves them is carried out: whoever saves a large one waits, and nobody else."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from visdom_transport.core.encoding import decode
from visdom_transport.core.session import Session
from visdom_transport.visdom.durability.saves import Saves
from visdom_transport.visdom.durability.steps import copied, copying
from visdom_transport.visdom.observed import is_unread
from visdom_transport.visdom.state.commands import Commands
from visdom_transport.visdom.state.environments import Environments

Prepared = AbstractContextManager[None]
"""Inside, what was prepared is not done again."""


class SavingAhead:
    """Of one application. What cannot be prepared is left to the command, which says why."""

    def __init__(self, app: Any, environments: Environments, saves: Saves, commands: Commands) -> None:
        self._app = app
        self._environments = environments
        self._saves = saves
        self._commands = commands
        self._preparations = {"save": self._save, "save_all": self._save_all, "update_comment": self._update_comment}
        # What a message has in it that gives one of them.
        self._marks = tuple(b'"%b"' % name.encode() for name in self._preparations)

    def before(self, session: Session | None, message: Any) -> Coroutine[Any, Any, Prepared] | None:
        """What to wait for before acting on a page's ``message``, encoded or not, and in what to act on it then. None if it is
        no command that saves."""
        parsed = self._parsed(message)
        command = parsed.get("command") if parsed.get("type") == "command" else parsed
        if session is None or not isinstance(command, dict) or self._app.readonly:
            return None
        name, number = command.get("cmd"), parsed.get("id")
        if not isinstance(name, str) or name not in self._preparations or not self._commands.knows(name):
            return None
        if isinstance(number, int) and number <= session.last_command:
            return None  # it was carried out before
        return self._prepare(name, command)

    async def _prepare(self, name: str, command: dict[str, Any]) -> Prepared:
        try:
            return await self._preparations[name](command)
        except Exception:
            return nullcontext()  # the command meets the same, and answers with it

    async def _save(self, command: dict[str, Any]) -> Prepared:
        positions, previous, eid = self._commands.checked_save(command)
        return await self.save(previous, eid, positions)

    async def save(self, previous: str, eid: str, positions: dict[str, Any] | None = None) -> Prepared:
        """Save an environment, or a copy of it under another name. ``positions`` are those of its panes, if they are others."""
        state = self._environments.state
        if eid != previous:
            content = await self._copied(previous)
            if content is None:
                return nullcontext()
            state[eid] = content
        if positions is not None:
            state[eid]["reload"] = positions
        return await self._written([eid], changed=eid if eid != previous else None)

    async def _save_all(self, command: dict[str, Any]) -> Prepared:
        return await self._written([eid for eid, each in self._environments.state.items() if not is_unread(each)])

    async def _update_comment(self, command: dict[str, Any]) -> Prepared:
        eid = self._commands.comment(command)
        return await self._written([eid], changed=eid)

    async def _written(self, eids: list[str], changed: str | None = None) -> Prepared:
        """Write environments, of which one was changed before the command that changes it."""
        written = {eid for eid in eids if await self._saves.write(eid)}
        if changed is not None and changed not in self._environments.state:
            return nullcontext()  # it was deleted meanwhile
        return self._done(written.intersection(self._environments.state), changed)

    @contextmanager
    def _done(self, written: set[str], changed: str | None) -> Iterator[None]:
        self._commands.changed = changed
        try:
            with self._saves.done(written):
                yield
        finally:
            self._commands.changed = None

    async def _copied(self, eid: str) -> dict[str, Any] | None:
        """A copy of an environment; None when it is gone, or was replaced meanwhile."""
        environment: Any = self._environments.state.get(eid)
        if environment is None:
            return None
        windows = environment["jsons"]
        copies = {}
        for win in list(windows):
            window = await self._copied_window(eid, windows, win)
            if window is not None:
                copies[win] = window
        now: Any = self._environments.state.get(eid)
        if now is None or now["jsons"] is not windows:
            return None
        members = {name: copied(value) for name, value in environment.items() if name != "jsons"}
        return {"jsons": copies, **members}

    async def _copied_window(self, eid: str, windows: dict[str, Any], win: str) -> Any:
        return await self._saves.steadily(eid, win, lambda: copying(windows.get(win)), lambda: copied(windows.get(win)))

    def _parsed(self, message: Any) -> dict[str, Any]:
        if isinstance(message, str | bytes):
            # Most messages are acknowledgements.
            text = message if isinstance(message, bytes) else message.encode(errors="surrogatepass")
            if not any(mark in text for mark in self._marks):
                return {}
            try:
                message = decode(text)
            except ValueError:
                return {}
        return message if isinstance(message, dict) else {}
