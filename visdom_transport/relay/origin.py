"""The origin as a relay knows it: where it is, how to get in, and whether it is there."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from visdom_transport.core.link import nothing
from visdom_transport.core.status import seconds_since
from visdom_transport.links.flusher import clock
from visdom_transport.relay.link import CONNECT_S, Away

COOKIE = "user_password"
"""As Visdom names it."""


class Origin:
    """One server that a relay follows.

    Args:
        url: with the base URL.
        username, password: what the relay logs in with, where the origin asks for that.
        relay: what the relay calls itself there.
    """

    def __init__(self, url: str, username: str = "", password: str = "", *, relay: str = "") -> None:
        self.relay = relay
        self.url = url.rstrip("/")
        self.base_url = urlsplit(self.url).path
        self.server: str | None = None
        """The process that was there last."""
        self.on_change: Callable[[], None] = nothing
        """Called when it is there again, or away."""
        self._here = asyncio.Event()
        self._heard_at = clock()
        self._why = "not asked yet"
        self._since = clock()
        self._username = username
        self._password = hashlib.sha256(password.encode()).hexdigest()
        """As Visdom's client sends it."""
        self._cookie: str | None = None
        self.asks_for_login = bool(username)
        """As far as is known."""

    def socket_url(self, path: str) -> str:
        return "ws" + self.url.removeprefix("http") + path

    @property
    def is_here(self) -> bool:
        """Whether it answers, as far as is known."""
        return self._here.is_set()

    async def until_here(self) -> None:
        """Wait until it answers."""
        await self._here.wait()

    def here(self, server: str) -> None:
        """It has answered."""
        self.server, self._why = server, ""
        if not self.is_here:
            self._since = clock()
            self._here.set()
            self.on_change()

    def heard(self) -> None:
        """It has said something, or shown that it lives."""
        self._heard_at = clock()

    def away(self, why: str) -> None:
        """It does not answer, or not as it should."""
        self._why = why
        if self.is_here:
            self._since = clock()
            self._here.clear()
            self.on_change()

    def as_source(self) -> dict[str, Any]:
        """What viewers are told of it."""
        return {"type": "source", "url": self.url, "here": self.is_here, "heard_s": seconds_since(self._heard_at, clock())}

    def status(self) -> dict[str, Any]:
        """What ``/transport/status`` of the relay tells of it."""
        state = "here" if self.is_here else "away"
        return {
            "url": self.url,
            "server": self.server,
            "state": state,
            "for_s": round(clock() - self._since, 3),
            "heard_s_ago": seconds_since(self._heard_at, clock()),
            "why": self._why,
        }

    async def own_headers(self) -> dict[str, str]:
        """What lets the relay itself in. Raises `Away`."""
        if self._username and self._cookie is None:
            self._cookie = await self._log_in()
        return {"Cookie": f"{COOKIE}={self._cookie}"} if self._cookie is not None else {}

    def refused(self) -> None:
        """It has not let somebody in: a login has ended, or is missing. The relay's next link logs in again."""
        self._cookie = None
        self.asks_for_login = True

    async def _log_in(self) -> str:
        body = json.dumps({"username": self._username, "password": self._password})
        request = HTTPRequest(
            f"{self.url}/", "POST", body=body, connect_timeout=CONNECT_S, request_timeout=CONNECT_S, follow_redirects=False
        )
        try:
            answer = await AsyncHTTPClient().fetch(request, raise_error=False)
        except OSError as error:
            raise Away(f"no login: {error}") from None
        for header in answer.headers.get_list("Set-Cookie"):
            try:
                found = SimpleCookie(header).get(COOKIE)
            except CookieError:
                continue
            if found is not None:
                return found.coded_value
        raise Away(f"no login: {answer.code} {answer.reason}")
