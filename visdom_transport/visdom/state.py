"""The observed state: `app.state`, which tells when environments and windows are set or removed.

Visdom's handlers change the state in many places. They all do it through these dictionaries, so none of them needs to be known.
Changes *inside* a window are not seen here; who makes them reports them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Protocol

from .durability.environments import Environments
from .durability.reading import Unreadable


class Observer(Protocol):
    """Who wants to know."""

    def environments_changed(self) -> None:
        """An environment was added or removed."""

    def environment_replaced(self, eid: str, before: set[str] | None) -> None:
        """All windows of ``eid`` were replaced at once; ``before`` are the ids that existed, if they were known."""

    def environment_found(self, eid: str) -> None:
        """``eid`` was read from disk, after it was not there, or could not be read."""

    def window_set(self, eid: str, win: str) -> None:
        """A window was created or replaced as a whole."""

    def window_removed(self, eid: str, win: str) -> None:
        """A window was removed."""

    def member_set(self, eid: str, name: str) -> None:
        """What an environment holds besides its windows was set."""


class _Dict(dict[str, Any]):
    """A dict whose every change goes through ``__setitem__`` and ``__delitem__``. Copies of it are plain."""

    popitem = MutableMapping.popitem
    clear = MutableMapping.clear
    update = MutableMapping.update
    setdefault = MutableMapping.setdefault

    def pop(self, key: str, *default: Any) -> Any:
        try:
            value = self[key]
        except KeyError:
            if default:
                return default[0]
            raise
        del self[key]
        return value

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]
        self.update(other)
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return {key: copy.deepcopy(value, memo) for key, value in self.items()}

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    copy = __copy__

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class Windows(_Dict):
    """The windows of one environment, by id."""

    def __init__(self, windows: Mapping[str, Any], eid: str, observer: Observer) -> None:
        super().__init__(windows)
        self._eid = eid
        self._observer = observer

    def __setitem__(self, win: str, window: Any) -> None:
        super().__setitem__(win, window)
        self._observer.window_set(self._eid, win)

    def __delitem__(self, win: str) -> None:
        super().__delitem__(win)
        self._observer.window_removed(self._eid, win)


class Environment(_Dict):
    """One environment: ``jsons`` (its windows), ``reload``, and whatever else Visdom keeps there."""

    def __init__(self, content: Mapping[str, Any], eid: str, observer: Observer) -> None:
        super().__init__(content)
        self.file: list[int] | None = None
        """Size and time of change of the file that was read, if this is what it says."""
        self._eid = eid
        self._observer = observer
        dict.__setitem__(self, "jsons", Windows(content["jsons"], eid, observer))

    def __setitem__(self, key: str, value: Any) -> None:
        if key != "jsons":
            super().__setitem__(key, value)
            self._observer.member_set(self._eid, key)
            return
        before = set(self["jsons"])
        super().__setitem__(key, Windows(value, self._eid, self._observer))
        self._observer.environment_replaced(self._eid, before)


class State(_Dict):
    """All environments by id. Those on disk that nobody has looked into are `Unread`."""

    def __init__(self, environments: Mapping[str, Any], observer: Observer) -> None:
        super().__init__()
        self.observer = observer
        for eid, content in environments.items():
            super().__setitem__(eid, self._observed(eid, content))

    def _observed(self, eid: str, content: Any) -> Any:
        if isinstance(content, Unread) and content.is_observed:
            content = copy.deepcopy(content)  # it is that of another name
        if not isinstance(content, Unread):
            return Environment(content, eid, self.observer)
        content.observe(self.observer)
        return content

    def take_up(self, eid: str, environment: Unread) -> None:
        """An environment was found on disk. Nothing in it has changed, so there is nothing to save."""
        super().__setitem__(eid, self._observed(eid, environment))
        self.observer.environments_changed()
        self.observer.environment_found(eid)

    def __setitem__(self, eid: str, content: Any) -> None:
        existed = eid in self
        before = None
        if existed and not is_unread(self[eid]):
            before = set(self[eid]["jsons"])
        super().__setitem__(eid, self._observed(eid, content))
        if not existed:
            self.observer.environments_changed()
        self.observer.environment_replaced(eid, before)

    def __delitem__(self, eid: str) -> None:
        before = None if is_unread(self[eid]) else set(self[eid]["jsons"])
        super().__delitem__(eid)
        self.observer.environments_changed()
        self.observer.environment_replaced(eid, before)


class Unread(Mapping[str, Any]):
    """An environment on disk that is read when somebody looks into it, as Visdom's LazyEnvData. Copies of it are plain.

    Looking into it raises `Unreadable` as long as its file holds no environment.
    """

    def __init__(self, environments: Environments, eid: str) -> None:
        self._environments = environments
        self._eid = eid
        self._raw_dict: dict[str, Any] | None = None
        self._file: list[int] | None = None
        self._observer: Observer | None = None
        self._failed = False

    @property
    def is_observed(self) -> bool:
        return self._observer is not None

    def observe(self, observer: Observer) -> None:
        """Tell ``observer`` what changes in it from now on."""
        self._observer = observer
        if self._raw_dict is not None:
            self._raw_dict = Environment(self._raw_dict, self._eid, observer)
            self._raw_dict.file = self._file

    def lazy_load_data(self) -> None:
        """Read it, unless that was done.

        Raises:
            Unreadable: its file holds no environment, or is gone.
        """
        if self._raw_dict is not None:
            return
        try:
            self._raw_dict, self._file = self._environments.read_with_file(self._eid)
        except Unreadable:
            self._failed = True
            raise
        if self._observer is not None:
            self.observe(self._observer)
            if self._failed:
                self._observer.environment_found(self._eid)

    def _content(self) -> dict[str, Any]:
        self.lazy_load_data()
        assert self._raw_dict is not None
        return self._raw_dict

    def __getitem__(self, key: str) -> Any:
        return self._content()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._content()[key] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._content())

    def __len__(self) -> int:
        return len(self._content())

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return copy.deepcopy(self._content(), memo)


def is_lazy(content: Any) -> bool:
    """Whether ``content`` was on disk when the server began, or appeared there later."""
    return isinstance(content, Unread)


def is_unread(content: Any) -> bool:
    """Whether ``content`` is still only on disk."""
    return isinstance(content, Unread) and content._raw_dict is None
