"""The client's half of commands (docs/protocol.md, section 6), without I/O."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Outbox:
    """Commands that are kept until their reply arrives."""

    session: str | None = None
    last_id: int = 0
    """The newest id used in this session; a client that comes back to a session must remember it."""
    pending: deque[dict[str, Any]] = field(default_factory=deque)

    def add(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Keep ``command`` and return the message that carries it."""
        self.last_id += 1
        message = {"type": "command", "id": self.last_id, "command": copy.deepcopy(dict(command))}
        self.pending.append(message)
        return message

    def welcomed(self, session: str) -> list[dict[str, Any]]:
        """A link is open: return the messages to send again. Another session counts from 1."""
        if session != self.session:
            self.session = session
            for number, message in enumerate(self.pending, 1):
                message["id"] = number
            self.last_id = len(self.pending)
        return list(self.pending)

    def replied(self, command_id: int) -> dict[str, Any] | None:
        """The command that is done, or None when it was already."""
        for message in self.pending:
            if message["id"] == command_id:
                self.pending.remove(message)
                return message
        return None
