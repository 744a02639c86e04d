"""Requests to one server over one HTTP session: logged in if need be, bounded in time, and sent where the server has moved to."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import logging
import netrc  # noqa: F401
import time
from typing import Any, Final

import requests
import urllib3

from visdom_transport.client.asking.address import Address
from visdom_transport.client.asking.answers import Answer
from visdom_transport.client.asking.errors import Away, LoginRefused
from visdom_transport.client.asking.proof import NOT_NOW, is_logged_in, login_refusal, stranger
from visdom_transport.client.asking.redirects import MAX_MOVES, moved_base, moves_too_often, redirects

# `requests` imports netrc with its first request. A process that is forked in that moment could never import it: see
# tests/client/test_imports.py.

logger = logging.getLogger("visdom_transport.client")

CONNECT_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 60.0
QUESTION_TIMEOUT_S = 5.0
"""For what somebody waits for."""
SLOWEST_BYTES_PER_S: Final = 20_000
"""What is large has more time, so much that this pace is enough."""
MAX_TOLD: Final = 100
MAX_READS: Final = 10
"""Of environment variables that change while they are read."""
ACCEPTED: Final = "application/json, */*"

_PIECE_BYTES: Final = 65_536
_SECRETS: Final = frozenset({"authorization", "cookie"})
_FAILURES: Final = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError, ValueError)
"""What `requests` raises, and what it lets through."""

_told: set[tuple[str, str]] = set()
"""The moves that the log has."""


class Exchange:
    """Asks one server. Any thread may, but each request is one thread's.

    Args:
        address: where the server is.
        session: somebody else's, logged in already; otherwise the first request makes one.
    """

    def __init__(self, address: Address, session: requests.Session | None = None) -> None:
        self.address = address
        self.session = session
        self.base = address.url
        """Where requests go: what the address says, or where a redirect has led since."""
        self._kept: dict[str, tuple[requests.PreparedRequest, dict[str, Any]]] = {}

    def ask(self, path: str, body: bytes, *, within_s: float, keep: bool = False) -> Answer:
        """Post ``body``, and return what answers, whoever that is.

        Args:
            path: below the base URL, with a slash in front.
            body: JSON.
            within_s: when there must be an answer, if both are small.
            keep: the request is prepared once for all of this path, which takes half the time.

        Raises:
            Away: nobody answers, or not now.
        """
        return self._follow(self.open(), path, body, within_s, keep)

    def open(self) -> requests.Session:
        """The session, logged in.

        Raises:
            Away: there is none to be had. `LoginRefused` when that is the reason.
        """
        if self.session is None:
            session = new_session(self.address)
            if self.address.username:
                self.log_in(session)
            self.session = session
        return self.session

    def log_in(self, session: requests.Session) -> None:
        """Let the session in.

        Raises:
            Away: it is not known whether it would be. `LoginRefused` when it is not.
        """
        body = json.dumps({"username": self.address.username, "password": self.address.password}).encode()
        answer = self._follow(session, "", body, QUESTION_TIMEOUT_S)
        if is_logged_in(answer):
            return
        session.close()
        refusal = login_refusal(answer)
        if refusal is not None:
            raise LoginRefused(refusal)
        raise Away(f"something else answers the login in its place: {answer.describe()}", "stranger")

    def close(self) -> None:
        """End the connections; the next request makes others, to the first address."""
        if self.session is not None:
            self.session.close()
        self.forget()

    def forget(self) -> None:
        """Leave the connections to the process this one was forked from."""
        self.session = None
        self.base = self.address.url
        self._kept.clear()

    # --- inside ---

    def _follow(self, session: requests.Session, path: str, body: bytes, within_s: float, keep: bool = False) -> Answer:
        for _ in range(MAX_MOVES + 1):
            answer = self._send(session, path, body, within_s, keep)
            if answer.status in NOT_NOW:
                raise stranger(answer)
            if not redirects(answer):
                return answer
            self._move(session, path, answer)
        self.close()
        raise moves_too_often(self.base)

    def _move(self, session: requests.Session, path: str, answer: Answer) -> None:
        has_login = bool(self.address.has_login or session.auth) or any(name.lower() in _SECRETS for name in session.headers)
        try:
            self.base = moved_base(self.base, path, answer, has_login=has_login)
        except Away:
            self.close()
            raise
        self._kept.clear()
        if (self.address.url, self.base) not in _told and len(_told) < MAX_TOLD:
            _told.add((self.address.url, self.base))
            logger.warning(
                "the Visdom server at %s is redirected (%d) to %s. Requests go there; use that address.",
                self.address.shown,
                answer.status,
                self.base,
            )

    def _send(self, session: requests.Session, path: str, body: bytes, within_s: float, keep: bool) -> Answer:
        within_s += len(body) / SLOWEST_BYTES_PER_S
        try:
            request, around = self._prepare(session, self.base + path, keep)
            # A stream is sent in pieces, each of which has its time: as a whole, a slow way would never be done with it.
            request.prepare_body(io.BytesIO(body) if body else b"", None)
            with session.send(request, allow_redirects=False, timeout=(CONNECT_TIMEOUT_S, within_s), **around) as reply:
                answer = _answer(reply, within_s)
        except _FAILURES as error:
            self.close()
            raise Away(_reason(error, within_s)) from error
        if "set-cookie" in answer.headers:
            self._kept.clear()
        return answer

    def _prepare(self, session: requests.Session, url: str, keep: bool) -> tuple[requests.PreparedRequest, dict[str, Any]]:
        """The request, and what the environment says about proxies and certificates."""
        kept = self._kept.get(url) if keep else None
        if kept is not None:
            return kept
        # Who asks for JSON is told in it why something is refused.
        request = session.prepare_request(requests.Request("POST", url, headers={"Accept": ACCEPTED}))
        around = environment_settings(session, url)
        if keep:
            self._kept[url] = request, around
        return request, around


def environment_settings(session: requests.Session, url: str) -> dict[str, Any]:
    """What the session and the environment say about proxies and certificates.

    `requests` goes through all environment variables. The program may set or delete one meanwhile, in another thread; then they
    are read again.

    Raises:
        Away: they change with every read.
    """
    for _ in range(MAX_READS):
        with contextlib.suppress(KeyError, RuntimeError):
            return dict(session.merge_environment_settings(url, {}, True, None, None))
    raise Away("the environment variables change all the time")


def new_session(address: Address) -> requests.Session:
    """A session for this server, not logged in."""
    session = requests.Session()
    session.proxies.update(address.proxies or {})
    session.verify = address.verify
    return session


def copy_of(theirs: requests.Session) -> requests.Session:
    """A session with connections of its own and what another one has: its login, headers, proxies and certificates."""
    session = requests.Session()
    session.cookies.update(theirs.cookies)
    session.headers.update(theirs.headers)
    session.proxies.update(theirs.proxies)
    session.auth, session.cert, session.verify, session.trust_env = theirs.auth, theirs.cert, theirs.verify, theirs.trust_env
    return session


def _answer(reply: requests.Response, within_s: float) -> Answer:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    content = _content(reply, within_s)
    length = headers.get("content-length", "")
    if length.isdecimal() and "content-encoding" not in headers and len(content) != int(length[:20]):
        raise http.client.IncompleteRead(content[:0], int(length[:20]))
    return Answer(reply.status_code, headers, content)


def _content(reply: requests.Response, within_s: float) -> bytes:
    # What there is, of a urllib3 that can tell: otherwise each piece has to be complete.
    read: Any = getattr(reply.raw, "read1", reply.raw.read)
    content = bytearray()
    began = time.monotonic()
    while piece := read(_PIECE_BYTES, decode_content=True):
        content += piece
        if time.monotonic() - began > within_s + len(content) / SLOWEST_BYTES_PER_S:
            raise TimeoutError("the answer does not end")
    return bytes(content)


def _reason(error: Exception, within_s: float) -> str:
    if isinstance(error, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError | TimeoutError):
        return f"no answer within {within_s:.0f} s"
    if isinstance(error, http.client.HTTPException | urllib3.exceptions.HTTPError):
        return f"what answers is broken ({type(error).__name__})"
    return f"{type(error).__name__}: {error}"[:300]
