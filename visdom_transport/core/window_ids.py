"""What a window's id may be."""

from __future__ import annotations

from typing import Any


def window_id(win: Any) -> Any:
    """Return the id of a window as text. Visdom keeps a window that was made with a number under its text.

    Whatever can be no id is returned as it is.
    """
    return str(win) if isinstance(win, int | float) else win
