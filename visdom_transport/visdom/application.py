"""The seams of Visdom's Application: every one of them gets a transport of its own."""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visdom.server.defaults import DEFAULT_ENV_PATH

from visdom_transport.settings import Settings
from visdom_transport.visdom.durability.environments import Environments, Refused, environments_of
from visdom_transport.visdom.durability.reading import Unreadable
from visdom_transport.visdom.durability.starting import prepare, tell_unreadable
from visdom_transport.visdom.state.environments import escape_eid
from visdom_transport.visdom.state.observed import State, Unread, is_unread
from visdom_transport.writing import unwritable

logger = logging.getLogger("visdom_transport")


def with_transport(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap Application.__init__: add the transport and its routes."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        from visdom_transport.visdom.access.gate import RequestGate
        from visdom_transport.visdom.publishing.exactly_once import PublishHandler
        from visdom_transport.visdom.serving.handlers import routes
        from visdom_transport.visdom.serving.log import log_request
        from visdom_transport.visdom.serving.shutdown import stop_on_signals
        from visdom_transport.visdom.serving.signature import Signature
        from visdom_transport.visdom.transport import Transport

        settings = Settings.of_server()
        given = inspect.signature(init).bind(self, *args, **kwargs)
        given.arguments["base_url"] = base_url(given.arguments.get("base_url", ""))
        prepare(given.arguments.get("env_path", DEFAULT_ENV_PATH))
        init(*given.args, **given.kwargs)
        # Visdom forces debug mode, in which its error page shows tracebacks to whoever asks.
        self.settings["debug"] = False
        self.settings.setdefault("log_function", log_request)
        # What is larger than allowed is refused with a code of ours. Tornado only cuts the connection.
        self.settings.setdefault("websocket_max_message_size", 2 * settings.max_message_bytes)
        self.transport = Transport(self, settings)
        publish = (rf"{self.base_url}/transport/publish", PublishHandler, {"app": self})
        self.add_handlers(".*", [publish, *routes(self)])
        RequestGate(self.transport).install()
        self.add_transform(Signature)
        stop_on_signals(self)

    return __init__


def base_url(given: str) -> str:
    """The base URL as Visdom's routes need it. The default of its own start_server, a slash, would serve nothing."""
    way = given.strip("/")
    return f"/{way}" if way else ""


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


def delete_environment(handler: Any, args: Any) -> None:
    """In the place of Visdom's DeleteEnvHandler.wrap_func: what holds no environment is not deleted, and it is no error to delete
    what was never saved."""
    is_new = handler.application.transport.storage.keeps_main
    eid = args.get("eid") if is_new or args.get("eid") is not None else "main"
    if eid is not None and not (is_new and eid == "main"):
        handler.application.transport.commands.delete_environment(escape_eid(eid))
