"""The HTTP side of a publisher: one connection that stays open, logged in if need be."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from visdom_transport.core.encoding import decode

from .calls import Window
from .outbox import Request

logger = logging.getLogger("visdom_transport.client")

CONNECT_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 60.0
QUESTION_TIMEOUT_S = 5.0
"""For what the caller waits for."""

_NOT_NOW = frozenset({408, 425, 429, 502, 503, 504})
_ASKS_FOR_LOGIN = frozenset({400, 401})


class Away(Exception):
    """The server cannot be reached, or does not serve now. The message says why."""


class TooLarge(Exception):
    """The server, or a proxy before it, takes no request of this size."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and how to get in."""

    url: str
    """With the base URL and without a slash at the end."""
    proxies: Mapping[str, str] | None = None
    verify: bool | str = True
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    """As Visdom's client sends it."""


class Connection:
    """Requests to one server, in one thread."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.is_stock = False
        """Whether the server is one without this package."""
        self._session: requests.Session | None = None
        self._publishing: requests.PreparedRequest | None = None

    def publish(self, request: Request) -> dict[str, Any]:
        """Send the messages of a request, and return the server's reply.

        Raises:
            Away: it is not known which of the messages arrived.
            TooLarge: none of them did.
        """
        if self.is_stock:
            return self._publish_one_by_one(request)
        answer = self._post_prepared(request.encoded())
        if answer.status_code == 413:
            raise TooLarge
        reply = _reply(answer)
        if reply is not None:
            return reply
        self._check(answer)
        if self._is_ours():
            raise Away(f"it answers {answer.status_code}: {answer.text[:200]}")
        self.is_stock = True
        logger.warning(
            "the Visdom server at %s has no visdom-transport: calls are sent one by one, as Visdom's own client does, and one "
            "whose answer is lost may be applied twice.",
            self.address.url,
        )
        return self._publish_one_by_one(request)

    def exists(self, window: Window, timeout_s: float = QUESTION_TIMEOUT_S) -> bool:
        """Ask whether a window is there.

        Raises:
            Away: there is no answer.
        """
        answer = self._post("/win_exists", json.dumps({"eid": window[0], "win": window[1]}).encode(), timeout_s)
        self._check(answer)
        if answer.text not in ("true", "false"):
            raise Away(f"it answers {answer.status_code} to win_exists")
        return answer.text == "true"

    def make_environment(self, eid: str) -> None:
        """Make an environment if there is none of this name.

        Raises:
            Away: it may not be there.
        """
        self._check(self._post(f"/env/{eid}", json.dumps({"eid": eid}).encode()))

    def save(self, eids: list[str]) -> str:
        """Have environments written to their files. Returns what the server answers.

        Raises:
            Away: they may not be.
        """
        answer = self._post("/save", json.dumps({"data": eids}).encode())
        self._check(answer)
        return answer.text

    def close(self) -> None:
        """End the connection; the next request makes another one."""
        if self._session is not None:
            self._session.close()
            self.forget()

    def forget(self) -> None:
        """Leave the connection to the process this one was forked from."""
        self._session = self._publishing = None

    # --- inside ---

    def _post(self, path: str, body: bytes, timeout_s: float = REPLY_TIMEOUT_S) -> requests.Response:
        try:
            session = self._open()
            return session.post(self.address.url + path, data=body, timeout=(CONNECT_TIMEOUT_S, timeout_s))
        except requests.RequestException as error:
            self.close()
            raise Away(_reason(error)) from error

    def _post_prepared(self, body: bytes) -> requests.Response:
        """Publish, with a request of which only the body changes: this takes half the time, and time is what training needs."""
        try:
            session = self._open()
            if self._publishing is None:
                request = requests.Request("POST", f"{self.address.url}/transport/publish")
                self._publishing = session.prepare_request(request)
            self._publishing.prepare_body(body, None)
            return session.send(self._publishing, timeout=(CONNECT_TIMEOUT_S, REPLY_TIMEOUT_S))
        except requests.RequestException as error:
            self.close()
            raise Away(_reason(error)) from error

    def _open(self) -> requests.Session:
        if self._session is None:
            session = requests.Session()
            session.proxies.update(self.address.proxies or {})
            session.verify = self.address.verify
            # What the environment says about proxies and certificates is looked up once, and not for each request.
            found = session.merge_environment_settings(self.address.url, {}, None, None, None)
            session.proxies, session.verify = dict(found["proxies"]), found["verify"]
            session.trust_env = False
            if self.address.username:
                login = {"username": self.address.username, "password": self.address.password}
                timeout = (CONNECT_TIMEOUT_S, QUESTION_TIMEOUT_S)
                if not session.post(self.address.url, json=login, timeout=timeout).ok:
                    session.close()
                    raise Away("it does not accept the user name and password")
            self._session = session
        return self._session

    def _check(self, answer: requests.Response) -> None:
        if answer.status_code in _NOT_NOW:
            raise Away(f"it answers {answer.status_code}")
        if answer.status_code == 401 or (self.address.username and answer.status_code in _ASKS_FOR_LOGIN):
            # A server that was restarted may have forgotten who is logged in.
            self.close()
            raise Away("it asks for a login")

    def _is_ours(self) -> bool:
        try:
            timeout = (CONNECT_TIMEOUT_S, QUESTION_TIMEOUT_S)
            answer = self._open().get(f"{self.address.url}/transport/status", timeout=timeout)
        except requests.RequestException as error:
            raise Away(_reason(error)) from error
        if answer.status_code in _ASKS_FOR_LOGIN:
            raise Away("it asks for a login")
        self._check(answer)
        try:
            return isinstance(decode(answer.content), dict)
        except ValueError:
            return False

    def _publish_one_by_one(self, request: Request) -> dict[str, Any]:
        """As Visdom's own client does it. A message whose answer is lost may be applied twice."""
        refused = []
        applied = request.first - 1
        for item in request.items:
            try:
                answer = self._post(f"/{item.message.endpoint}", item.message.body())
                self._check(answer)
            except Away:
                self.is_stock = False  # what comes back may be another server
                if applied < request.first:
                    raise
                break
            applied += 1
            if not answer.ok:
                error = {"code": str(answer.status_code), "message": answer.text[:200] or "no reason given", "field": None}
                refused.append({"number": applied, "error": error})
        return {"server": "stock", "applied": applied, "durable": None, "refused": refused}


def _reply(answer: requests.Response) -> dict[str, Any] | None:
    if not answer.ok:
        return None
    try:
        reply = decode(answer.content)
    except ValueError:
        return None
    return reply if _is_reply(reply) else None


def _is_reply(reply: Any) -> bool:
    """Whether this is what docs/protocol.md, section 9, has a server say."""
    return (
        isinstance(reply, dict)
        and isinstance(reply.get("server"), str)
        and all(name in reply and (reply[name] is None or _is_number(reply[name])) for name in ("applied", "durable"))
        and isinstance(reply.get("refused"), list)
        and all(
            isinstance(refusal, dict) and _is_number(refusal.get("number")) and isinstance(refusal.get("error"), dict)
            for refusal in reply["refused"]
        )
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _reason(error: requests.RequestException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
