"""What a command says while it works: one line that changes on a terminal, lines from time to time elsewhere."""

from __future__ import annotations

import time
from typing import Final, TextIO

_EVERY_S: Final = 0.2
_EVERY_S_IN_A_FILE: Final = 10.0


class Terminal:
    """Prints lines, and progress between them."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._width = 0
        self._at = time.monotonic()

    def progress(self, text: str) -> None:
        """Show how far it is, unless that was shown a moment ago."""
        now = time.monotonic()
        if now - self._at < (_EVERY_S if self._is_terminal else _EVERY_S_IN_A_FILE):
            return
        self._at = now
        if self._is_terminal:
            self._out.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._out.write(text + "\n")
        self._out.flush()

    def line(self, text: str) -> None:
        """Print a line that stays."""
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._width = 0
        self._out.write(text + "\n")
        self._out.flush()
