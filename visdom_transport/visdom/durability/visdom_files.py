"""What takes the place of Visdom's functions that load and save environments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visdom.server.defaults import DEFAULT_ENV_PATH

from visdom_transport.visdom.durability.environments import Environments, Refused, environments_of
from visdom_transport.visdom.durability.reading import Unreadable
from visdom_transport.visdom.durability.starting import tell_unreadable
from visdom_transport.visdom.observed import State, Unread, is_unread
from visdom_transport.writing import unwritable


def load_state(load: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Make Application.load_state: what is on disk is listed by its name, and read when somebody asks for it."""

    def load_or_list(app: Any) -> dict[str, Any]:
        if app.env_path is None:
            return load(app)
        tell_unreadable(app.env_path)
        environments = environments_of(app)
        state: dict[str, Any] = {eid: Unread(environments, eid) for eid in environments.listed()}
        if app.eager_data_loading:
            for environment in state.values():
                with contextlib.suppress(Unreadable):  # which was told
                    environment.lazy_load_data()
        if "main" not in state and environments.exists("main"):
            state["main"] = Unread(environments, "main")  # whoever asks for it is told what it is
        elif "main" not in state:
            state["main"] = {"jsons": {}, "reload": {}}
            save(environments, state, "main", state["main"])
        return state

    return load_or_list


def serialize_env(state: Any, eids: Any, env_path: Any = DEFAULT_ENV_PATH) -> list[str]:
    """In the place of 0.2.4's: files are written as a whole or not at all. What was not read yet is saved already."""
    known = [eid for eid in eids if eid in state]
    if env_path is None:
        return known
    return [eid for eid in known if save(Environments(Path(env_path)), state, eid, state[eid])]


def save_in_store(_: Any) -> Callable[..., bool]:
    """Make 0.3.0's JSONStore.serialize_env, likewise."""

    def serialize_env(store: Any, eid: str, env_data: Any) -> bool:
        saved = save(Environments(Path(store.env_path), store), getattr(store, "state", None), eid, env_data)
        return saved and not is_unread(env_data)

    return serialize_env


def save(environments: Environments, state: Any, eid: str, content: Any) -> bool:
    """Returns False for an environment that must not be saved under its name. Who asks for a save by hand is told before."""
    if is_unread(content):
        return True
    try:
        if isinstance(state, State):
            state.save(eid, content)
        else:
            save_first(environments, eid, content)
    except Refused:
        return False
    return True


def save_first(environments: Environments, eid: str, content: Any) -> None:
    """Visdom saves its first environment before it serves anybody. It can serve without that."""
    try:
        environments.save(eid, content)
    except OSError as error:
        unwritable.log(error, "environment %.200r could not be saved: %s", eid)


def load_from_store(_: Any) -> Callable[..., Any]:
    """Make 0.3.0's JSONStore.load_env, by which it adds to an environment and saves it: as it is now, wherever that is."""

    def load(store: Any, eid: str) -> dict[str, Any]:
        state = getattr(store, "state", None)
        if not isinstance(state, State):
            return {}
        environment = state.find(eid)
        return dict(environment) if environment is not None else {}

    return load


def gather_envs(state: Any, *args: Any, **kwargs: Any) -> list[str]:
    """In the place of Visdom's: all environments, those included whose files have appeared since the start."""
    found = state.listed() if isinstance(state, State) else []
    return sorted({*state, *found})
