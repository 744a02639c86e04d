"""The dashboard's saved views: one file, `<env_path>/view/layouts.json`. What cannot be read is left as it is."""

from __future__ import annotations

import errno
import json
import locale
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visdom.server.defaults import LAYOUT_FILE

from visdom_transport.visdom.durability.environments import is_empty
from visdom_transport.writing import write_atomically

logger = logging.getLogger("visdom_transport")


def load_layouts(load: Callable[..., str]) -> Callable[..., str]:
    """Wrap Application.load_layouts: when the file cannot be read there are no views, and none are saved over it."""

    def load_or_leave(app: Any) -> str:
        if app.env_path is None:
            return load(app)
        try:
            layouts = load(app)
            if layouts:
                json.loads(layouts)  # a page stops at what is not JSON
        except (OSError, ValueError, RecursionError) as error:
            logger.error("%s cannot be read, so there are no saved views: %s. It is left as it is", file_of(app), error)
            app.foreign_layouts = True
            return ""
        return layouts

    return load_or_leave


def save_layouts(save: Callable[..., None]) -> Callable[..., None]:
    """Wrap Application.save_layouts, which raises OSError when the file is one that could not be read."""

    def save_unless_foreign(app: Any) -> None:
        if app.env_path is not None:
            path = file_of(app)
            if os.path.lexists(path) and not is_empty(path) and getattr(app, "foreign_layouts", False):
                raise OSError(
                    errno.EEXIST, f"{path.name} could not be read and is left as it is until somebody moves it away", str(path)
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            # Visdom reads it in the encoding of the locale.
            write_atomically(path, app.layouts.encode(locale.getpreferredencoding(False)))
        else:
            save(app)  # says that this has no effect
        app.foreign_layouts = False

    return save_unless_foreign


def file_of(app: Any) -> Path:
    return Path(app.env_path, "view", LAYOUT_FILE)
