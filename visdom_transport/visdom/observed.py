"""The observed state: `app.state`, which tells when environments and windows are set or removed.

Visdom's handlers change the state in many places. They all do it through these dictionaries, so none of them needs to be known.
Changes *inside* a window are not seen here; who makes them reports them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from typing import Any, Protocol


class Files(Protocol):
    """The environments on disk."""

    def exists(self, eid: str) -> bool:
        """Whether there is anything under the name of the environment's file."""

    def listed(self, known: Collection[str] = ()) -> list[str]:
        """The environments on disk, but for those that are known."""

    def read_with_file(self, eid: str) -> tuple[dict[str, Any], list[int] | None]:
        """The environment, and what tells the file that was read, if it can be told. Raises what says why it cannot be read."""

    def size(self, eid: str) -> int:
        """How many bytes the environment's file has; 0 when there is none."""

    def refusal(self, eid: str) -> str | None:
        """Why the environment must not, or cannot, be written to its file; None if it may be."""

    def delete(self, eid: str) -> None:
        """Remove the environment's file, if it has one."""


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


class Unobserved:
    """Takes no notice of anything: the observer of a state that nobody observes yet."""

    def environments_changed(self) -> None: ...
    def environment_replaced(self, eid: str, before: set[str] | None) -> None: ...
    def environment_found(self, eid: str) -> None: ...
    def window_set(self, eid: str, win: str) -> None: ...
    def window_removed(self, eid: str, win: str) -> None: ...
    def member_set(self, eid: str, name: str) -> None: ...


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

    def __init__(self, windows: Mapping[str, Any], eid: str, state: State) -> None:
        super().__init__(windows)
        self._eid = eid
        self._state = state

    def __setitem__(self, win: str, window: Any) -> None:
        super().__setitem__(win, window)
        self._state.observer.window_set(self._eid, win)

    def __delitem__(self, win: str) -> None:
        super().__delitem__(win)
        self._state.observer.window_removed(self._eid, win)


class Environment(_Dict):
    """One environment: ``jsons`` (its windows), ``reload``, and whatever else Visdom keeps there."""

    def __init__(self, content: Mapping[str, Any], eid: str, state: State) -> None:
        super().__init__(content)
        self.file: list[int] | None = None
        """Size and time of change of the file that was read, if this is what it says."""
        self._eid = eid
        self._state = state
        dict.__setitem__(self, "jsons", Windows(content["jsons"], eid, state))

    def __setitem__(self, key: str, value: Any) -> None:
        if key != "jsons":
            super().__setitem__(key, value)
            self._state.observer.member_set(self._eid, key)
            return
        before = set(self["jsons"])
        super().__setitem__(key, Windows(value, self._eid, self._state))
        self._state.observer.environment_replaced(self._eid, before)


class State(_Dict):
    """All environments by id. Those on disk that nobody has looked into are `Unread`.

    Visdom's functions that are given nothing but the state find here what else they need.

    Args:
        files: the environments on disk; None where nothing is kept.
        save: writes an environment to its file.
    """

    def __init__(self, environments: Mapping[str, Any], files: Files | None, save: Callable[[str, Any], None]) -> None:
        super().__init__()
        self.files = files
        self.save = save
        self.observer: Observer = Unobserved()
        for eid, content in environments.items():
            super().__setitem__(eid, self._observed(eid, content))

    def _observed(self, eid: str, content: Any) -> Any:
        if isinstance(content, Unread) and content.is_observed:
            content = copy.deepcopy(content)  # it is that of another name
        if not isinstance(content, Unread):
            return Environment(content, eid, self)
        content.observe(self)
        return content

    def observe(self, observer: Observer) -> None:
        """Tell ``observer`` what changes from now on."""
        self.observer = observer

    def find(self, eid: str) -> Any:
        """The environment, read from disk if need be, or None when there is none. A file that appeared after the start is found.

        Raises:
            ValueError: its file cannot be read, or holds something else.
        """
        environment: Any = self.get(eid)
        if environment is None and self.files is not None and self.files.exists(eid):
            environment = Unread(self.files, eid)
        if is_unread(environment):
            environment.lazy_load_data()
            if eid not in self:
                self.take_up(eid, environment)
        return environment

    def listed(self) -> list[str]:
        """Environments whose files have appeared since the start, and which nobody has asked for."""
        return self.files.listed(self) if self.files is not None else []

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


def creation_index(window: Any) -> tuple[bool, float]:
    """Sort key of windows in creation order; those without an index come last."""
    index = window.get("i") if isinstance(window, dict) else None
    return (False, index) if isinstance(index, int | float) else (True, 0)


class Unread(Mapping[str, Any]):
    """An environment on disk that is read when somebody looks into it, as Visdom's LazyEnvData. Copies of it are plain.

    Looking into it raises ValueError as long as its file holds no environment.
    """

    def __init__(self, files: Files, eid: str) -> None:
        self._files = files
        self._eid = eid
        self._raw_dict: dict[str, Any] | None = None
        self._file: list[int] | None = None
        self._state: State | None = None
        self._failed = False

    @property
    def is_observed(self) -> bool:
        return self._state is not None

    def observe(self, state: State) -> None:
        """Tell the observer of ``state`` what changes in it from now on."""
        self._state = state
        if self._raw_dict is not None:
            self._raw_dict = Environment(self._raw_dict, self._eid, state)
            self._raw_dict.file = self._file

    def lazy_load_data(self) -> None:
        """Read it, unless that was done.

        Raises:
            ValueError: its file holds no environment, or is gone.
        """
        if self._raw_dict is not None:
            return
        failed_before, self._failed = self._failed, True
        self.adopt(*self._files.read_with_file(self._eid), failed_before=failed_before)

    def adopt(self, content: dict[str, Any], file: list[int] | None, *, failed_before: bool | None = None) -> None:
        """Take what was read from its file, unless it has that already."""
        if self._raw_dict is not None:
            return
        failed_before = self._failed if failed_before is None else failed_before
        self._raw_dict, self._file, self._failed = content, file, False
        if self._state is not None:
            self.observe(self._state)
            if failed_before:
                self._state.observer.environment_found(self._eid)

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
