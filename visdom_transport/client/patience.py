"""How long a call waits for room before the program has to go on. No clock of its own."""

from __future__ import annotations


class Patience:
    """What was heard of the server, and when."""

    def __init__(self, now: float) -> None:
        self.keeps = True
        """Whether what the server has applied is kept until it is durable, even if there is no room left."""
        self._answered_at = self._confirmed_at = now

    def answered(self, now: float, *, confirmed: bool) -> None:
        """The server has answered, and maybe confirmed that something is durable."""
        self._answered_at = now
        if confirmed:
            self._confirmed_at, self.keeps = now, True

    def wait_s(self, began: float, now: float, answer_within_s: float, durable_within_s: float) -> float | None:
        """How long a call that has waited since ``began`` goes on waiting. None if the server counts as silent now."""
        answer_by = max(began, self._answered_at) + answer_within_s
        durable_by = max(began, self._confirmed_at) + durable_within_s
        if now >= answer_by:
            return None
        if now >= durable_by and self.keeps:
            self.keeps = False
            return 0.0
        return (min(answer_by, durable_by) if self.keeps else answer_by) - now
