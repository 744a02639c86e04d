"""The event loop of a server that Visdom's command line starts: uvloop, where it is installed.

Programs that start a server themselves have a loop of their own choice.
"""

from __future__ import annotations

import asyncio
from importlib import import_module

from visdom_transport.settings import Settings, SettingsError


def choose() -> None:
    """Make the loop of this thread, which has none yet, the one that costs least."""
    try:
        if Settings.from_env().loop == "auto":
            asyncio.set_event_loop(import_module("uvloop").new_event_loop())
    except (ImportError, SettingsError):  # the application says which setting it is
        return
