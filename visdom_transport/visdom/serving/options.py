"""What Visdom's command line takes."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

from visdom_transport.links import event_loop
from visdom_transport.operators import log_format


def base_url(given: str) -> str:
    """The base URL as Visdom's routes need it: empty, or with a slash at its beginning and none at its end."""
    way = given.strip("/")
    return f"/{way}" if way else ""


def of_command_line(argparse: ModuleType) -> Any:
    """Make the argparse of Visdom's command line, which takes a base URL however its slashes are written.

    The server starts when it has parsed them, and chooses its loop and the form of its log before.
    """

    class ArgumentParser(argparse.ArgumentParser):  # type: ignore[misc, name-defined]
        def parse_args(self, *args: Any, **kwargs: Any) -> Any:
            options = super().parse_args(*args, **kwargs)
            # Of the root Visdom's own default is a slash.
            options.base_url = base_url(options.base_url) or "/"
            event_loop.choose()
            log_format.choose()
            return options

    return SimpleNamespace(**{**vars(argparse), "ArgumentParser": ArgumentParser})
