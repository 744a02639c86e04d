"""Why an update does not happen."""

from __future__ import annotations

from typing import NoReturn

from visdom_transport.core.errors import TransportError


class UpdateRefused(TransportError):
    """The update cannot be carried out. ``status`` is the HTTP status, ``field`` names what is wrong."""

    def __init__(self, status: int, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.status = status
        self.field = field
        self.message = message


class UnknownUpdate(TransportError):
    """Not a kind of window this package knows: leave the update to Visdom and publish the whole window."""


def refuse(field: str, message: str, status: int = 400) -> NoReturn:
    """Refuse a bad request, naming the field."""
    raise UpdateRefused(status, field, message)
