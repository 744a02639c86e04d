"""Where a proxy that moves everything to another address has moved a server to, if it is safe to go there. No I/O."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from visdom_transport.client.asking.answers import Answer
from visdom_transport.client.asking.errors import Away

MAX_MOVES: Final = 5

_MOVED: Final = frozenset({301, 302, 307, 308})
_ELSEWHERE: Final = _MOVED | {303}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def redirects(answer: Answer) -> bool:
    """Whether this answer says to ask elsewhere."""
    return answer.status in _ELSEWHERE and "location" in answer.headers


def moved_base(base: str, path: str, answer: Answer, *, has_login: bool) -> str:
    """The base URL that takes the place of ``base``, when asking it for ``path`` was answered with a redirect.

    It must be the same request that is to go to another place: a login page is no server. Nothing goes from https to http, and
    what opens a server goes to no other than the one it is meant for.

    Raises:
        Away: this redirect is not one to follow. The message names the address.
    """
    here, there = urlsplit(base), _target(base + path, answer)
    prefix = _prefix(path, here, there) if there is not None else None
    if there is None or prefix is None or answer.status not in _MOVED:
        place = f" to {_origin(there)}" if there is not None else ""
        raise Away(f"{answer.status} redirects{place}, to what is no Visdom server (a login page?)", "stranger")
    new = _origin(there) + prefix
    if (here.scheme, there.scheme) == ("https", "http"):
        raise Away(f"{answer.status} redirects to {new}, without encryption; if that is the server, use that address", "stranger")
    if has_login and not _may_know(here, there):
        raise Away(f"{answer.status} redirects to {new}, where the login is not sent; use that address", "stranger")
    return new


def moves_too_often(base: str) -> Away:
    """The outage of a server that goes on redirecting."""
    return Away(f"it redirects more than {MAX_MOVES} times, to {base} at last", "stranger")


def _target(url: str, answer: Answer) -> SplitResult | None:
    try:
        there = urlsplit(urljoin(url, answer.headers.get("location", "")))
        return there if there.scheme in _DEFAULT_PORTS and there.hostname and _port(there) else None
    except ValueError:
        return None


def _prefix(path: str, here: SplitResult, there: SplitResult) -> str | None:
    """What comes before ``path`` in the target; None if that is another path, or asks for more."""
    if there.query:
        return None
    if not path:  # the login, which is posted to the base URL itself
        return here.path if there.path.rstrip("/") == here.path else None
    prefix = there.path.rsplit("/", path.count("/"))[0]
    return prefix if unquote(there.path[len(prefix) :]) == unquote(path) else None


def _may_know(here: SplitResult, there: SplitResult) -> bool:
    """Whether the target is the same server, as far as its name and port tell."""
    is_upgrade = (here.scheme, there.scheme) == ("http", "https")
    return here.hostname == there.hostname and (is_upgrade or _port(here) == _port(there))


def _port(url: SplitResult) -> int:
    return url.port or _DEFAULT_PORTS[url.scheme]


def _origin(url: SplitResult) -> str:
    """Scheme, host and port. The rest of an address may hold a secret."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{url.scheme}://{host}:{_port(url)}"
