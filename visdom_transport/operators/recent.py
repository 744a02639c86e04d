"""The newest problems that were logged, for the operator's page."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

MOST: Final = 100


class Recent:
    """What was logged of clients, newest last. Times are seconds since 1970."""

    def __init__(self) -> None:
        self._lines: deque[dict[str, Any]] = deque(maxlen=MOST)

    def add(self, time: float, client: str, cause: str, advice: str, detail: str) -> None:
        self._lines.append({"time": round(time, 3), "client": client, "cause": cause, "advice": advice, "detail": detail})

    def part(self, _: float) -> dict[str, Any]:
        """For the board."""
        return {"recent": list(self._lines)}
