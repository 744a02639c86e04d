"""Visdom's other files: closed windows that can be brought back, and the secret of its cookies."""

from __future__ import annotations

import locale
import os
from pathlib import Path
from typing import Any

from visdom.server.defaults import DEFAULT_ENV_PATH

from ..core.encoding import encode
from ..writing import write_atomically
from .durability.environments import ascii_json
from .durability.names import MAX_NAME_BYTES


def save_undo(store: Any, eid: str, stack: Any) -> str | None:
    """In the place of 0.3.0's JSONStore.save_undo, likewise. Returns where the windows that can be brought back are."""
    if store.env_path is None:
        return None
    _, plain, hashed = store._undo_paths(eid)
    target: str = plain if len(os.fsencode(Path(plain).name)) <= MAX_NAME_BYTES else hashed
    _write(Path(target), ascii_json(encode(stack)))
    return target


def set_cookie(value: str | None = None) -> None:
    """In the place of Visdom's: the secret, asked for if there is none, is written as a whole, in a directory that is made."""
    secret = value if value is not None else input("Please input your cookie secret key here: ")
    path = Path(DEFAULT_ENV_PATH) / "COOKIE_SECRET"
    try:
        _write(path, secret.encode(locale.getpreferredencoding(False)))
    except OSError as error:
        raise SystemExit(f"the secret for the cookies of logins cannot be written: {error}") from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
