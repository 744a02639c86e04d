"""Starting where nothing can be written or read: Visdom serves all the same, and the log says once that nothing is kept."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..writing import has_unfinished, take_up, unwritable
from .durability.files import FOLDER, JournalFiles

logger = logging.getLogger("visdom_transport")

SUBFOLDERS = ("view", ".undo")


def prepare(env_path: str | None) -> None:
    """Before Visdom looks into its directory: see whether it can be written, and finish what a killed server has left."""
    if env_path is None or unwritable.probe(Path(env_path)) is not None:
        return
    folders = [folder for folder in _folders(Path(env_path)) if has_unfinished(folder)]
    if not folders:
        return
    files = JournalFiles(Path(env_path) / FOLDER)
    try:
        if files.acquire():
            for folder in folders:
                take_up(folder)
    except OSError as error:
        logger.error("what a killed server has left in %s could not be finished: %s", env_path, error)
    finally:
        files.release()


def _folders(folder: Path) -> set[Path]:
    """Where the files of a directory are: files that are links are written where they lead to."""
    linked = {Path(os.path.realpath(path)).parent for path in folder.glob("*.json") if path.is_symlink()}
    return {folder, *(folder / name for name in SUBFOLDERS), *linked}


def make_folder(_: Any) -> Callable[[str], None]:
    """Make what takes the place of Visdom's ensure_dir_exists: a directory that cannot be made is said, not fatal."""

    def ensure_dir_exists(path: str) -> None:
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if not unwritable.is_known(Path(path)):
                unwritable.failed(Path(path), error)

    return ensure_dir_exists


def load_user_settings(load: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Wrap Application.load_user_settings: a style that cannot be read is none."""

    def load_or_leave(app: Any) -> Any:
        try:
            return load(app)
        except (OSError, UnicodeDecodeError) as error:
            logger.error("the user's style cannot be read: %s", error)
            return {"config_dir": "", "user_css": ""}

    return load_or_leave


def tell_unreadable(env_path: str) -> None:
    """Say so when the environments in a directory cannot be listed. There are none then."""
    try:
        os.scandir(env_path).close()
    except OSError as error:
        if os.path.isdir(env_path):  # otherwise there is nothing to read, and it was said that it cannot be made
            logger.error("the environments in %s cannot be read: %s", env_path, unwritable.cause(error))
