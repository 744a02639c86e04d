"""The event loop of a server or relay that a command line starts: uvloop, where it is installed.

Programs that start a server themselves have a loop of their own choice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module

from visdom_transport.settings import Settings, SettingsError


def factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop that costs least; None for Python's own."""
    try:
        if Settings.from_env().loop == "auto":
            make: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
            return make
    except (ImportError, SettingsError):  # who starts the server says which setting it is
        pass
    return None


def choose() -> None:
    """Make that the loop of this thread, which has none yet."""
    make = factory()
    if make is not None:
        asyncio.set_event_loop(make())
