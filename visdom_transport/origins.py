"""Origins and hosts as browsers write them, in one form, so that equal ones compare equal."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


class Host(NamedTuple):
    """A host name and its port; None is the default port of whatever scheme."""

    name: str
    port: int | None

    def port_in(self, scheme: str) -> int | None:
        return self.port if self.port is not None else DEFAULT_PORTS.get(scheme)


class Origin(NamedTuple):
    """A scheme, a host name, and a port."""

    scheme: str
    name: str
    port: int | None

    def names(self, host: Host | None) -> bool:
        """Whether a page of this origin asked this host. The `Host` of a request does not say by which scheme."""
        return host is not None and (self.name, self.port) == (host.name, host.port_in(self.scheme))


@lru_cache(maxsize=256)  # every request has one, most often the same
def parse_host(text: str) -> Host | None:
    """The value of a `Host`: upper case, a trailing dot and other ways to write an IPv6 address make no difference."""
    if not text or any(character in text for character in "/?#@\\") or text != text.strip():
        return None
    try:
        parts = urlsplit(f"//{text}")
        name, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        return None
    if ":" in name:
        name = str(ipaddress.ip_address(name.partition("%")[0]))  # checked by urlsplit
    return Host(name.lower(), port) if name else None


def parse_origin(text: str) -> Origin | None:
    """The value of an `Origin`; None for what is none, such as "null"."""
    scheme, separator, rest = text.partition("://")
    host = parse_host(rest)
    if not separator or not scheme or host is None:
        return None
    scheme = scheme.lower()
    return Origin(scheme, host.name, host.port_in(scheme))
