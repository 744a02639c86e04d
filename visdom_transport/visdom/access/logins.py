"""Logging out, which Visdom cannot: its cookie opens the server for 31 days, wherever a copy of it is."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

COOKIE = "user_password"
"""As Visdom names it."""

MAX_ENDED = 10_000


class Logins:
    """The logins that have been ended since the server started."""

    def __init__(self) -> None:
        self._ended: OrderedDict[str, None] = OrderedDict()

    def end(self, login: str) -> None:
        """Refuse this login from now on."""
        self._ended[login] = None
        if len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)

    def has_ended(self, login: str) -> bool:
        return login in self._ended


def login_of(handler: Any) -> str | None:
    """The login of a request: a digest, since the cookie itself is a key. Empty where none is needed; None without one."""
    if not handler.application.login_enabled:
        return ""
    return digest(handler) if handler.current_user else None


def digest(handler: Any) -> str:
    return hashlib.sha256((handler.get_cookie(COOKIE) or "").encode()).hexdigest()


def unless_ended(get_current_user: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Wrap get_current_user of Visdom's handlers: who has logged out is nobody."""

    def current_user(handler: Any) -> Any:
        user = get_current_user(handler)
        return None if user and handler.application.transport.logins.has_ended(digest(handler)) else user

    return current_user
