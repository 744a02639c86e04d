"""The observed state: `app.state`, which tells when environments and windows are set or removed.

Visdom's handlers change the state in many places. They all do it through these dictionaries, so none of them needs to be known.
Changes *inside* a window are not seen here; who makes them reports them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol

from visdom_transport.visdom.durability.environments import set_aside_unreadable


class Observer(Protocol):
    """Who wants to know."""

    def environments_changed(self) -> None:
        """An environment was added or removed."""

    def environment_replaced(self, eid: str, before: set[str] | None) -> None:
        """All windows of ``eid`` were replaced at once; ``before`` are the ids that existed, if they were known."""

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
    """All environments by id. Environments that Visdom has not read from disk yet stay unread (`observe_loaded`)."""

    def __init__(self, environments: Mapping[str, Any], observer: Observer) -> None:
        super().__init__()
        self.observer = observer
        for eid, content in environments.items():
            super().__setitem__(eid, self._observed(eid, content))

    def _observed(self, eid: str, content: Any) -> Any:
        if not is_lazy(content):
            return Environment(content, eid, self.observer)
        if hasattr(content, "_observation"):
            # A copy of another environment. Unread it would stand for whatever that one's file holds by the time it is read.
            content.lazy_load_data()
        content._observation = _Observation(eid, self.observer)
        observe_loaded(content)
        return content

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


class _Observation:
    """Whom a LazyEnvData belongs to. Its copies belong to nobody, until they are put into a `State` themselves."""

    def __init__(self, eid: str, observer: Observer) -> None:
        self.eid = eid
        self.observer = observer

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        return None


def is_lazy(content: Any) -> bool:
    """Whether ``content`` is Visdom's LazyEnvData."""
    return hasattr(content, "lazy_load_data")


def is_unread(content: Any) -> bool:
    """Whether ``content`` is still only on disk."""
    return is_lazy(content) and content._raw_dict is None


def observe_loaded(lazy: Any) -> None:
    """Observe the content of a LazyEnvData that belongs to a `State`, if it has been read."""
    observation = getattr(lazy, "_observation", None)
    if observation is not None and lazy._raw_dict is not None and not isinstance(lazy._raw_dict, Environment):
        lazy._raw_dict = Environment(lazy._raw_dict, observation.eid, observation.observer)


def observing_load(lazy_load_data: Any) -> Any:
    """Wrap LazyEnvData.lazy_load_data so that what it reads is observed. An unreadable file of 0.2.4's is set aside."""

    def load(self: Any) -> None:
        try:
            lazy_load_data(self)
            if not all(isinstance(self._raw_dict[name], dict) for name in ("jsons", "reload")):
                raise ValueError("the file is JSON, but not an environment")
            observe_loaded(self)
        except Exception:
            self._raw_dict = None  # it is no environment, and must not pass for one that was read
            if not set_aside_unreadable(getattr(self, "_env_path_file", None)):
                raise
            self._raw_dict = {"jsons": {}, "reload": {}}
            observe_loaded(self)

    return load
