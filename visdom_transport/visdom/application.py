"""The seams of Visdom's Application: every one of them gets a transport of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from visdom.server.defaults import DEFAULT_ENV_PATH

from ..settings import Settings
from .state import is_unread


def with_transport(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap Application.__init__: add the transport and its routes."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        from .handlers import routes
        from .publish_endpoint import PublishHandler
        from .transport import Transport

        settings = Settings.from_env()
        init(self, *args, **kwargs)
        # Visdom forces debug mode, in which its error page shows tracebacks to whoever asks.
        self.settings["debug"] = False
        self.settings.setdefault("websocket_max_message_size", settings.max_message_bytes)
        self.transport = Transport(self, settings)
        publish = (rf"{self.base_url}/transport/publish", PublishHandler, {"app": self})
        self.add_handlers(".*", [publish, *routes(self)])

    return __init__


def save_unread(serialize_env: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap 0.2.4's serialize_env: it writes `null` over the file of an environment that it has not read.

    What is on disk only is saved already.
    """

    def save_read(state: Any, eids: Any, *args: Any, **kwargs: Any) -> Any:
        known = [eid for eid in eids if eid in state]
        serialize_env(state, [eid for eid in known if not is_unread(state[eid])], *args, **kwargs)
        return known

    return save_read


def gather_existing(gather_envs: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Wrap 0.2.4's gather_envs: a directory that does not exist holds no environments."""

    def gather(state: Any, env_path: Any = DEFAULT_ENV_PATH) -> list[str]:
        return gather_envs(state, env_path if env_path is not None and Path(env_path).is_dir() else None)

    return gather


def delete_environment(handler: Any, args: Any) -> None:
    """In the place of 0.2.4's DeleteEnvHandler.wrap_func, which fails after the deletion when the environment was never saved."""
    from .transport import escape_eid

    eid = escape_eid("main" if args.get("eid") is None else args["eid"])
    handler.application.transport.commands.delete_environment(eid)
