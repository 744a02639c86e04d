"""What can go wrong between a client and the hub.

TransportError
├── GapError        a delta does not fit the value it is applied to
├── MessageError    a message is answered with an error; the link stays
└── LinkClosed      the link ends with a close code

"""

from __future__ import annotations

from enum import IntEnum


class TransportError(Exception):
    """Root of every error this package raises."""


class GapError(TransportError):
    """A delta operation does not fit the value: the replica has missed something."""


class MessageError(TransportError):
    """A message or command that cannot be carried out. ``code`` is one of the protocol's error codes."""

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field

    def as_json(self) -> dict[str, str | None]:
        return {"code": self.code, "message": self.message, "field": self.field}


class CloseCode(IntEnum):
    """Why a link ends (docs/protocol.md, section 7). Below 4050 the client connects again by itself."""

    REPLACED = 4000
    GOING_AWAY = 4001
    SILENT = 4002
    UNKNOWN_LINK = 4003
    TOO_SLOW = 4004
    LIMIT = 4005
    UNAUTHORIZED = 4050
    WRONG_SECRET = 4051
    PROTOCOL = 4052
    ORIGIN = 4053

    @property
    def reason(self) -> str:
        return self.name.lower()


class LinkClosed(TransportError):
    """The link must end now, with this code."""

    def __init__(self, code: CloseCode, message: str = "") -> None:
        super().__init__(message or code.reason)
        self.code = code
