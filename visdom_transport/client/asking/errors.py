"""Why a server could not be asked."""

from __future__ import annotations

from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["silent", "stranger", "login"]
"""Nobody answers or the server does not serve now; something else answers for the server; a login is asked for."""


class Away(Exception):
    """The server cannot be reached, does not serve now, or something else answers in its place. The message says why.

    Nobody knows what has become of the request. `retry_after_s` is how long the answer asks to wait, if it does.
    """

    def __init__(self, reason: str, kind: Kind = "silent", retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.kind = kind
        self.retry_after_s = retry_after_s


class LoginRefused(Away):
    """The server does not accept the user name and the password."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "login")


class TooLarge(Exception):
    """The server, or a proxy before it, takes no request of this size, and takes smaller ones. Nothing of it arrived."""
