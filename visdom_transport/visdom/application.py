"""The seams of Visdom's Application: every one of them gets a transport of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visdom.server.defaults import DEFAULT_ENV_PATH, LAYOUT_FILE
from visdom.utils import server_utils

from visdom_transport.settings import Settings
from visdom_transport.visdom.durability.environments import Environments, set_aside, set_aside_unreadable
from visdom_transport.visdom.state.observed import State, is_lazy, is_unread

logger = logging.getLogger("visdom_transport")


def with_transport(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap Application.__init__: add the transport and its routes."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        from visdom_transport.visdom.access.gate import Doors
        from visdom_transport.visdom.publishing.exactly_once import PublishHandler
        from visdom_transport.visdom.serving.handlers import routes
        from visdom_transport.visdom.serving.shutdown import stop_on_signals
        from visdom_transport.visdom.transport import Transport

        settings = Settings.from_env()
        init(self, *args, **kwargs)
        if self.env_path is not None:
            if not hasattr(self, "storage"):
                name_by_file(Path(self.env_path), self.state)
            set_aside_corrupt(Path(self.env_path), self.state)
        # Visdom forces debug mode, in which its error page shows tracebacks to whoever asks.
        self.settings["debug"] = False
        # What is larger than allowed is refused with a code of ours. Tornado only cuts the connection.
        self.settings.setdefault("websocket_max_message_size", 2 * settings.max_message_bytes)
        self.transport = Transport(self, settings)
        publish = (rf"{self.base_url}/transport/publish", PublishHandler, {"app": self})
        self.add_handlers(".*", [publish, *routes(self)])
        Doors(self.transport).install()
        stop_on_signals(self)

    return __init__


def name_by_file(folder: Path, state: Any) -> None:
    """Give environments with ".json" in their names these names again: 0.2.4 takes it out wherever it is when it reads them."""
    files = {path.name.removesuffix(".json"): path for path in folder.glob("*.json")}
    for eid, path in files.items():
        taken_for = path.name.replace(".json", "")
        if taken_for != eid:
            state[eid] = server_utils.LazyEnvData(str(path))
            if taken_for in files:
                state[taken_for] = server_utils.LazyEnvData(str(files[taken_for]))
            else:
                state.pop(taken_for, None)


def set_aside_corrupt(folder: Path, state: Any) -> None:
    """Set aside what Visdom has tried to read at its start, and could not: the next save would overwrite it."""
    for path in folder.glob("*.json"):
        content = state.get(path.name.removesuffix(".json"))
        if content is None or (not is_lazy(content) and not content.get("jsons")):
            set_aside_unreadable(path)


def serialize_env(state: Any, eids: Any, env_path: Any = DEFAULT_ENV_PATH) -> list[str]:
    """In the place of 0.2.4's: files are written as a whole or not at all. What was not read yet is saved already."""
    known = [eid for eid in eids if eid in state]
    if env_path is not None:
        for eid in known:
            save(Environments(Path(env_path)), state, eid, state[eid])
    return known


def save_in_store(_: Any) -> Callable[..., bool]:
    """Make 0.3.0's JSONStore.serialize_env, likewise."""

    def serialize_env(store: Any, eid: str, env_data: Any) -> bool:
        save(Environments(Path(store.env_path), store), getattr(store, "state", None), eid, env_data)
        return not is_unread(env_data)

    return serialize_env


def save(environments: Environments, state: Any, eid: str, content: Any) -> None:
    if is_unread(content):
        return
    if isinstance(state, State):
        transport: Any = state.observer
        transport.keeper.save(eid, content)
        return
    try:
        environments.save(eid, content)
    except OSError as error:
        # Visdom saves its first environment before it serves anybody. It can serve without that.
        logger.error("environment %s could not be saved: %s", eid, error)


def load_from_store(load_env: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap 0.3.0's JSONStore.load_env: a file that cannot be read is set aside, and the environment is empty."""

    def load(store: Any, eid: str) -> Any:
        environment = load_env(store, eid)
        broken = not all(isinstance(environment.get(name), dict) for name in ("jsons", "reload"))
        if broken and store.env_path is not None and set_aside_unreadable(store._resolve_existing(eid)):
            return {"jsons": {}, "reload": {}}
        return environment

    return load


def load_layouts(load: Callable[..., str]) -> Callable[..., str]:
    """Wrap Application.load_layouts: a file that is no text is set aside, and there are no saved views."""

    def load_or_set_aside(app: Any) -> str:
        try:
            return load(app)
        except UnicodeDecodeError as error:
            set_aside(Path(app.env_path) / "view" / LAYOUT_FILE, error)
            return ""

    return load_or_set_aside


def gather_existing(gather_envs: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Wrap 0.2.4's gather_envs: a directory that does not exist holds no environments."""

    def gather(state: Any, env_path: Any = DEFAULT_ENV_PATH) -> list[str]:
        return gather_envs(state, env_path if env_path is not None and Path(env_path).is_dir() else None)

    return gather


def delete_environment(handler: Any, args: Any) -> None:
    """In the place of 0.2.4's DeleteEnvHandler.wrap_func, which fails after the deletion when the environment was never saved."""
    from visdom_transport.visdom.transport import escape_eid

    eid = escape_eid("main" if args.get("eid") is None else args["eid"])
    handler.application.transport.commands.delete_environment(eid)
