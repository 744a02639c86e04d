"""Which Visdom this is, recognised by what it has."""

from __future__ import annotations

from functools import cache
from typing import Final

from visdom_transport import patching

_APP: Final = "visdom.server.app"
_SOCKET: Final = "visdom.server.handlers.socket_handlers"
_UTILS: Final = "visdom.utils.server_utils"

KNOWN: Final[dict[str, patching.Features]] = {
    "0.2.4": ((f"{_UTILS}:hash_md_window", f"{_APP}:HashHandler"), ("visdom.data_model", f"{_SOCKET}:AnySocketWrapper")),
    # The main branch of July 2023.
    "m23": ((f"{_SOCKET}:AnySocketWrapper", f"{_UTILS}:LazyEnvData"), ("visdom.data_model", f"{_UTILS}:hash_md_window")),
    "0.3.0": (("visdom.data_model.json_store:JSONStore", f"{_UTILS}:notify"), ("visdom.server.server_state",)),
}


@cache
def recognise() -> str:
    """Which of the known Visdoms is installed.

    Raises:
        SeamError: none of them.
    """
    return patching.recognise(KNOWN)
