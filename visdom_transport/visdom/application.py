"""The seams of Visdom's Application: every one of them gets a transport of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from visdom.server.defaults import DEFAULT_ENV_PATH

from visdom_transport.operators.log_format import write_as_json
from visdom_transport.settings import Settings
from visdom_transport.visdom.durability.starting import prepare
from visdom_transport.visdom.serving.options import base_url
from visdom_transport.visdom.state.environments import escape_eid


def with_transport(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap Application.__init__: add the transport and its routes."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        from visdom_transport.visdom.access.gate import RequestGate
        from visdom_transport.visdom.publishing import routes as publishing
        from visdom_transport.visdom.reporting.log import log_request
        from visdom_transport.visdom.serving import routes as serving
        from visdom_transport.visdom.serving.in_progress import InProgress
        from visdom_transport.visdom.serving.refusals import Refusals
        from visdom_transport.visdom.serving.shutdown import stop_on_signals
        from visdom_transport.visdom.serving.signature import Signature
        from visdom_transport.visdom.transport import Transport

        settings = Settings.of_server()
        if settings.log_format == "json":
            write_as_json()
        given = inspect.signature(init).bind(self, *args, **kwargs)
        # The default of Visdom's own start_server, a slash, would serve nothing.
        given.arguments["base_url"] = base_url(given.arguments.get("base_url", ""))
        prepare(given.arguments.get("env_path", DEFAULT_ENV_PATH))
        init(*given.args, **given.kwargs)
        # Visdom forces debug mode, in which its error page shows tracebacks to whoever asks.
        self.settings["debug"] = False
        self.settings.setdefault("log_function", log_request)
        # What is larger than allowed is refused with a code of ours. Tornado only cuts the connection.
        self.settings.setdefault("websocket_max_message_size", 2 * settings.max_message_bytes)
        self.transport = Transport(self, settings)
        self.in_progress = InProgress()
        self.add_handlers(".*", [*publishing.routes(self), *serving.routes(self)])
        RequestGate(settings, self.transport.hub.causes, self.base_url).install(self)
        self.add_transform(Refusals)
        self.add_transform(Signature)
        stop_on_signals(self)

    return __init__


def delete_environment(handler: Any, args: Any) -> None:
    """In the place of Visdom's DeleteEnvHandler.wrap_func: what holds no environment is not deleted, and it is no error to delete
    what was never saved."""
    is_new = handler.application.transport.storage.keeps_main
    eid = args.get("eid") if is_new or args.get("eid") is not None else "main"
    if eid is not None and not (is_new and eid == "main"):
        handler.application.transport.commands.delete_environment(escape_eid(eid))
