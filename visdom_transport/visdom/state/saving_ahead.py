"""Copies and writes environments before whatever saves them is carried out: whoever saves a large one waits, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from visdom_transport.core.encoding import decode
from visdom_transport.core.errors import MessageError
from visdom_transport.core.session import Session
from visdom_transport.visdom.durability.journal import Journal
from visdom_transport.visdom.durability.steps import copied, copying, taken
from visdom_transport.visdom.observed import is_unread
from visdom_transport.visdom.state.commands import Commands
from visdom_transport.visdom.state.environments import Environments

ATTEMPTS = 2
"""So often is a window copied in steps, if it changes meanwhile; then without a turn for others."""

SAVING = ("save", "save_all")
"""The commands that are prepared."""

_MARKS = tuple(b'"%b"' % name.encode() for name in SAVING)
"""What a message has in it that gives one of them."""

Prepared = AbstractContextManager[None]
"""Inside, what was prepared is not done again."""


class SavingAhead:
    """Of one application. What cannot be prepared is left to the command, which says why."""

    def __init__(self, app: Any, environments: Environments, journal: Journal, commands: Commands) -> None:
        self._app = app
        self._environments = environments
        self._journal = journal
        self._commands = commands

    def before(self, session: Session | None, message: Any) -> Coroutine[Any, Any, Prepared] | None:
        """What to wait for before acting on a page's ``message``, encoded or not, and in what to act on it then. None if it is
        no command that saves."""
        parsed = _parsed(message)
        command = _command(parsed)
        if session is None or command is None or self._app.readonly:
            return None
        number = parsed.get("id")
        if isinstance(number, int) and number <= session.last_command:
            return None  # it was carried out before
        return self._save(command) if command["cmd"] == "save" else self._save_all(command)

    async def _save(self, command: dict[str, Any]) -> Prepared:
        try:
            positions, previous, eid = self._commands.checked_save(command)
        except MessageError:
            return nullcontext()
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
        written = await self._journal.write_ahead(eid)
        if eid not in state:
            return nullcontext()  # it was deleted meanwhile
        return self._done({eid} if written else set(), eid if eid != previous else None)

    async def _save_all(self, command: dict[str, Any]) -> Prepared:
        written = set()
        for eid, environment in list(self._environments.state.items()):
            if not is_unread(environment) and await self._journal.write_ahead(eid):
                written.add(eid)
        return self._done(written, None)

    @contextmanager
    def _done(self, written: set[str], copied: str | None) -> Iterator[None]:
        self._commands.copied = copied
        try:
            with self._journal.written_ahead(written):
                yield
        finally:
            self._commands.copied = None

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
        for _ in range(ATTEMPTS):
            with self._journal.watch(eid, win) as watch:
                window = await taken(copying(windows.get(win)))
                await asyncio.sleep(0)
            if not watch.changed:
                return window
        return copied(windows.get(win))


def _command(parsed: dict[str, Any]) -> dict[str, Any] | None:
    """The command in a message of a page, if it is one that saves."""
    command = parsed.get("command") if parsed.get("type") == "command" else parsed
    return command if isinstance(command, dict) and command.get("cmd") in SAVING else None


def _parsed(message: Any) -> dict[str, Any]:
    if isinstance(message, str | bytes):
        # Most messages are acknowledgements.
        text = message if isinstance(message, bytes) else message.encode(errors="surrogatepass")
        if not any(mark in text for mark in _MARKS):
            return {}
        try:
            message = decode(text)
        except ValueError:
            return {}
    return message if isinstance(message, dict) else {}
