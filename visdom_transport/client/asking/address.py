"""Where a server is, and how to get in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """What a client was told about its server."""

    url: str
    """With the base URL and without a slash at the end."""
    proxies: Mapping[str, str] | None = None
    verify: bool | str = True
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    """As Visdom's client sends it."""

    @property
    def shown(self) -> str:
        """The URL for a log: without a user name and password that are part of it."""
        netloc = urlsplit(self.url).netloc
        return self.url.replace(netloc, netloc.rpartition("@")[2], 1)

    @property
    def has_login(self) -> bool:
        return bool(self.username) or self.shown != self.url

    @classmethod
    def of(cls, vis: Any) -> Address:
        """What a `visdom.Visdom` was told."""
        return cls(
            url=f"{vis.server}:{vis.port}{vis.base_url}",
            proxies=getattr(vis, "proxies", None),
            verify=getattr(vis, "ssl_verify", True),
            username=vis.username,
            password=getattr(vis, "password", None),
        )
