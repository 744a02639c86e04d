"""Which environments are journaled, and what changes in them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from visdom_transport.core.delta import Delta
from visdom_transport.visdom.durability.changes import Changes, Part
from visdom_transport.visdom.durability.environments import Environments, encoded_members
from visdom_transport.visdom.durability.sizes import estimated_bytes
from visdom_transport.visdom.observed import Environment, is_lazy, is_unread

logger = logging.getLogger("visdom_transport.durability")


@dataclass(slots=True, eq=False)
class Watch:
    """Of one part."""

    changed: bool = False


@dataclass(slots=True, eq=False)
class Tracked:
    """An environment that is journaled, since it began or was read."""

    base: int | None = None
    """The records up to this number are in its file."""
    file_bytes: int = 0
    """The size of its file, or of the one that would be written."""


class Tracking:
    """Notices what changes, at no cost for environments that are not journaled.

    Args:
        app: the application; its ``state`` is what is kept.
        everything: an environment is journaled from its first change on. Otherwise those that a publisher feeds are.
        changed: called when there is something to be written.
    """

    def __init__(self, app: Any, environments: Environments | None, *, everything: bool, changed: Callable[[], None]) -> None:
        self._app = app
        self._environments = environments
        self._everything = everything
        self._changed = changed
        self.on = False
        self.is_closed = False
        """What changes is not kept any more: it would be in a part of what is being written."""
        self.changes = Changes(self._read)
        self.tracked: dict[str, Tracked] = {}
        self.published: set[str] = set()
        """Environments that a publisher feeds, which waits until they are on disk."""
        self.unsaved: set[str] = set()
        """Environments that are not as they were loaded, or saved last."""
        self._watches: dict[Part, list[Watch]] = {}

    @contextmanager
    def watch(self, part: Part) -> Iterator[Watch]:
        """Notice whether the part changes while it is read in steps."""
        watch = Watch()
        watches = self._watches.setdefault(part, [])
        watches.append(watch)
        try:
            yield watch
        finally:
            watches.remove(watch)
            if not watches and self._watches.get(part) is watches:
                del self._watches[part]

    def _touched(self, part: Part) -> None:
        for watch in self._watches.get(part, ()):
            watch.changed = True

    # --- what changes ---

    def track(self, eid: str) -> None:
        """A publisher feeds this environment: from now on it is journaled, and nothing in it waits.

        If it cannot be read, from when it starts over.
        """
        if self.on and eid not in self.published:
            self.published.add(eid)
            if eid not in self.tracked and eid in self._app.state and not is_unread(self._app.state[eid]):
                self.begin(eid)

    def untrack_missing(self, eid: str) -> None:
        """What was meant for this environment has been carried out, or refused: one that is not there is not kept."""
        if eid not in self._app.state:
            self.published.discard(eid)

    def environment_replaced(self, eid: str, *, begins: bool) -> None:
        """All of the environment is new, or it is gone. ``begins``: there was none of that name, or none that was read."""
        for part in self._watches:
            if part[0] == eid:
                self._touched(part)
        if self.is_closed:
            return
        if eid in self._app.state and not is_unread(self._app.state[eid]):
            if begins:
                self.began(eid)
            self.unsaved.add(eid)
            if eid in self.tracked or self._wants(eid):
                self.begin(eid)
            return
        if self._environments is not None:
            self._environments.ended(eid)
        self.unsaved.discard(eid)
        self.published.discard(eid)
        if self.tracked.pop(eid, None) is not None:
            self.changes.end(eid)
            self._changed()

    def began(self, eid: str) -> None:
        """An environment begins that was not read from its file."""
        refusal = self._environments.began(eid) if self._environments is not None else None
        if refusal is not None:
            where = "in the journal" if self.on else "nowhere but in memory"
            logger.warning("environment %.200r has no file and is kept %s: %s", eid, where, refusal)

    def part_replaced(self, eid: str, kind: str, name: str) -> None:
        """A window or member is new, replaced or gone."""
        self._touched((eid, kind, name))
        if self._follows(eid):
            self.changes.replaced((eid, kind, name))
            self._changed()

    def window_updated(self, eid: str, win: str, delta: Delta) -> None:
        """``delta`` has been applied to the window."""
        self._touched((eid, "window", win))
        if self._follows(eid):
            self.changes.updated((eid, "window", win), delta)
            self._changed()

    def _follows(self, eid: str) -> bool:
        """Whether a change of the environment is recorded. The first one that is begins it."""
        if self.is_closed:
            return False
        if eid not in self.tracked and self._wants(eid):
            self.begin(eid)
        self.unsaved.add(eid)
        return eid in self.tracked

    def begin_if_wanted(self, eid: str) -> None:
        """An environment is to be saved while it may change: its changes are recorded if any would be."""
        if eid not in self.tracked and self._wants(eid):
            self.begin(eid)

    def _wants(self, eid: str) -> bool:
        return self.on and (self._everything or eid in self.published)

    def stop(self) -> None:
        """Nothing is journaled any more."""
        self.on = False
        self.tracked.clear()
        self.changes.clear()

    def saved(self, eid: str, content: Any) -> None:
        """An environment was written to its file as it is, or a copy of it; the journal does not know."""
        if eid in self.tracked:
            self.begin(eid)
            return
        self.unsaved.discard(eid)
        environment = content_of(self._app.state.get(eid))
        if self._environments is not None and environment is not None and environment is content_of(content):
            environment.file = self._environments.file(eid)

    # --- what is recorded ---

    def begin(self, eid: str) -> None:
        """Record all there is in the environment, or that it goes on from its file if nothing had changed before."""
        assert self._environments is not None
        content = self._app.state[eid]
        file = self._environments.file(eid)
        was_tracked = eid in self.tracked
        tracked = self.tracked[eid] = Tracked()
        environment = content_of(content)
        was_read = environment is not None and environment.file is not None and environment.file == file
        if file and was_read and not was_tracked and eid not in self.unsaved:
            tracked.file_bytes = file[0]
            self.changes.go_on(eid, file)
        else:
            self.changes.begin(eid, file, whole=was_tracked or file is not None)
            tracked.file_bytes = estimated_bytes(content["jsons"])
            for part in self.parts(eid):
                self.changes.replaced(part)
        self._changed()

    def forget_files(self) -> None:
        """What is in the environments' files is not known."""
        for eid in self.tracked:
            self.tracked[eid] = Tracked()

    def begin_anew(self) -> None:
        """Record everything that is not in the environments' files: what was recorded is lost."""
        lost = [eid for eid in self.tracked if self.is_dirty(eid) or self.changes.has_unsealed(eid)]
        self.changes.clear()
        for eid in lost:
            self.begin(eid)

    def parts(self, eid: str) -> list[Part]:
        """The windows and members of the environment."""
        environment: Mapping[str, Any] = self._app.state[eid]
        windows: list[Part] = [(eid, "window", win) for win in environment["jsons"]]
        return windows + [(eid, "member", name) for name in encoded_members(environment)]

    def is_owed(self, eid: str) -> bool:
        """Whether everything that has changed in the environment has to be in the next block: a publisher is told so."""
        return eid in self.published

    def is_dirty(self, eid: str) -> bool:
        """Whether there are records that are not in the environment's file."""
        base = self.tracked[eid].base
        return base is None or base < self.changes.last(eid)

    def _read(self, part: Part) -> Any:
        environment = self._app.state[part[0]]
        return environment["jsons"][part[2]] if part[1] == "window" else environment[part[2]]


def content_of(content: Any) -> Environment | None:
    """An environment of the state as it was read."""
    environment = content._raw_dict if is_lazy(content) else content
    return environment if isinstance(environment, Environment) else None
