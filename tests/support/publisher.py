"""Visdom's own client as a producer whose failures are heard."""

from __future__ import annotations

import warnings
from typing import Any

from visdom import Visdom

from tests.support.served import REQUEST_TIMEOUT_S
from tests.support.server import VisdomServer


class Publisher(Visdom):  # type: ignore[misc]
    """Posts to one environment of a server. Unlike Visdom's client it raises when the server answers an error."""

    # Visdom's own type stubs do not know these.
    session: Any
    properties: Any

    def __init__(self, server: VisdomServer, env: str) -> None:
        login: dict[str, Any] = {}
        if server.login:
            login = {"username": server.login.username, "password": server.login.password}
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            super().__init__(
                server="http://127.0.0.1",
                port=server.port,
                base_url=server.base_url or "/",
                env=env,
                use_incoming_socket=False,
                raise_exceptions=True,
                **login,
            )

    def _handle_post(self, url: str, data: Any = None) -> str:
        answer = self.session.post(url, data=data or {}, timeout=REQUEST_TIMEOUT_S)
        if not answer.ok:
            raise AssertionError(f"{url} answered {answer.status_code}: {answer.text[:200]}")
        return str(answer.text)

    def close_session(self) -> None:
        """Give back the connection to the server."""
        self.session.close()
