"""The connections of a source: a WebSocket or polls, in our protocol or, with a server without it, in Visdom's own."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import requests
import websocket
from requests.cookies import get_cookie_header

from visdom_transport.client.stream import LinkLost, Message
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.errors import CloseCode

SUBPROTOCOL: Final = "visdom-transport.v1"
CONNECT_TIMEOUT_S: Final = 10.0
REPLY_MARGIN_S: Final = 10.0
"""A poll's reply may come this much later than it was asked for."""
STOCK_POLL_INTERVAL_S: Final = 0.1
"""As Visdom's client does it."""

# Visdom answers 500 to what it does not know.
_NOT_THERE = frozenset({404, 405, 500})
_ASKS_FOR_LOGIN = frozenset({400, 401})


class Access:
    """How one `visdom.Visdom` reaches its server: address, login, proxies, certificates."""

    def __init__(self, vis: Any) -> None:
        self._vis = vis

    @property
    def url(self) -> str:
        return f"{self._vis.server}:{self._vis.port}{self._vis.base_url}"

    @property
    def can_log_in(self) -> bool:
        return bool(self._vis.username)

    def log_in(self) -> bool:
        """Log in again, for Visdom's own requests as well. Returns False when the server refuses the user."""
        body = {"username": self._vis.username, "password": self._vis.password}
        answer = self._vis.session.post(self.url, json=body, timeout=(CONNECT_TIMEOUT_S, REPLY_MARGIN_S))
        if answer.status_code not in _ASKS_FOR_LOGIN:
            answer.raise_for_status()
        return bool(answer.ok)

    def http(self) -> requests.Session:
        """A connection of its own for polls, with what Visdom's has."""
        theirs = self._vis.session
        session = requests.Session()
        session.cookies.update(theirs.cookies)
        session.headers.update(theirs.headers)
        session.proxies.update(theirs.proxies)
        session.auth, session.cert, session.verify = theirs.auth, theirs.cert, theirs.verify
        return session

    def websocket(self) -> websocket.WebSocket:
        vis = self._vis
        path = f"{self.url}/vis_socket"
        secure = urlsplit(vis.server).scheme == "https"
        cookie = get_cookie_header(vis.session.cookies, requests.Request("GET", path).prepare())  # type: ignore[no-untyped-call]
        return websocket.create_connection(
            f"{'wss' if secure else 'ws'}://{vis.server_base_name}:{vis.port}{vis.base_url}/vis_socket",
            timeout=CONNECT_TIMEOUT_S,
            # As the library's own option it would refuse servers that do not answer it.
            header=[f"Sec-WebSocket-Protocol: {SUBPROTOCOL}"],
            cookie=cookie,
            suppress_origin=True,
            http_proxy_host=vis.http_proxy_host,
            http_proxy_port=vis.http_proxy_port,
            sslopt=self._certificates(),
        )

    def _certificates(self) -> dict[str, Any]:
        verify = getattr(self._vis, "ssl_verify", True)
        if isinstance(verify, str):
            return {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": verify}
        return {} if verify else {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}


class NotOurs(Exception):
    """The server does not know our long poll."""


class Link(Protocol):
    """One connection. Its methods raise `LinkLost`, and `requests` and `websocket` errors, when it is of no more use."""

    is_ours: bool
    """Whether the other side speaks our protocol."""
    acknowledges: bool
    id: str | None
    """What polls name the link by."""

    def send(self, messages: list[Message]) -> None: ...

    def receive(self, wait_s: float, feeds: Mapping[str, Any]) -> list[Message] | None:
        """Wait for messages. None says that there was not even a sign of life."""
        ...

    def drop(self) -> None:
        """Leave without a word. Any thread may do that; the `receive` of a WebSocket ends."""
        ...

    def release(self) -> None:
        """Give back the connection, in the thread that uses it."""
        ...


class SocketLink:
    """Either dialect over a WebSocket."""

    acknowledges = True

    id: str | None = None

    def __init__(self, access: Access, hello: Message) -> None:
        self._socket = access.websocket()
        headers = self._socket.getheaders() or {}
        self.is_ours = headers.get("sec-websocket-protocol") == SUBPROTOCOL
        if self.is_ours:
            self.send([hello])

    def send(self, messages: list[Message]) -> None:
        self._socket.settimeout(CONNECT_TIMEOUT_S)
        for message in messages:
            if self.is_ours:
                self._socket.send(encode(message).decode())
            elif message["type"] == "ping":
                self._socket.ping()

    def receive(self, wait_s: float, feeds: Mapping[str, Any]) -> list[Message] | None:
        # Zero would mean not to block at all.
        self._socket.settimeout(max(wait_s, 0.001))
        try:
            opcode, frame = self._socket.recv_data_frame(control_frame=True)
        except websocket.WebSocketTimeoutException:
            return None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code = struct.unpack("!H", frame.data[:2])[0] if len(frame.data) >= 2 else None
            raise LinkLost(f"closed by the server: {frame.data[2:].decode(errors='replace') or code}", code)
        if opcode in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
            return [decode(frame.data)]
        return []

    def drop(self) -> None:
        connection = self._socket.sock
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        self._socket.shutdown()  # type: ignore[no-untyped-call]


class PollLink:
    """Our protocol over long polls."""

    is_ours = True
    acknowledges = False

    def __init__(self, access: Access, hello: Message) -> None:
        self._url = f"{access.url}/transport/poll"
        self._http = access.http()
        self._waiting: list[Message] = [hello]
        self.id: str | None = None
        self._secret: str | None = None
        try:
            self._first = self._poll(0.0, hello["feeds"])
        except BaseException:
            self._http.close()
            raise

    def send(self, messages: list[Message]) -> None:
        # The poll itself is the sign of life.
        self._waiting += [message for message in messages if message["type"] not in ("ping", "pong")]

    def receive(self, wait_s: float, feeds: Mapping[str, Any]) -> list[Message]:
        first, self._first = self._first, []
        return first or self._poll(wait_s, feeds)

    def _poll(self, wait_s: float, feeds: Mapping[str, Any]) -> list[Message]:
        body = {"link": self.id, "secret": self._secret, "wait_s": wait_s, "feeds": feeds, "messages": self._waiting}
        answer = self._http.post(self._url, data=encode(body), timeout=(CONNECT_TIMEOUT_S, wait_s + REPLY_MARGIN_S))
        if answer.status_code in _NOT_THERE:
            raise NotOurs
        answer.raise_for_status()
        self._waiting = []
        messages: list[Message] = decode(answer.content)["messages"]
        for message in messages:
            if message["type"] == "welcome":
                self.id, self._secret = message["link"], message["secret"]
        return messages

    def drop(self) -> None:
        """What waits ends with the reply, or with the process."""

    def release(self) -> None:
        self._http.close()


class StockPollLink:
    """Visdom's own polling."""

    is_ours = False
    acknowledges = False

    def __init__(self, access: Access, pause: Callable[[float], object]) -> None:
        self._url = f"{access.url}/vis_socket_wrap"
        self._http = access.http()
        self._pause = pause
        self.id: str | None = None

    def send(self, messages: list[Message]) -> None:
        """A source has nothing to say in this dialect."""

    def receive(self, wait_s: float, feeds: Mapping[str, Any]) -> list[Message]:
        if self.id is None:
            self.id = str(self._ask({"message_type": "init"})["sid"])
        else:
            self._pause(STOCK_POLL_INTERVAL_S)
        return [decode(each) for each in self._ask({"message_type": "query", "sid": self.id})["messages"]]

    def drop(self) -> None:
        """What waits ends with the reply, or with the process."""

    def release(self) -> None:
        self._http.close()

    def _ask(self, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._http.post(self._url, data=json.dumps(body), timeout=(CONNECT_TIMEOUT_S, REPLY_MARGIN_S))
        if answer.status_code in _ASKS_FOR_LOGIN:
            raise LinkLost("it asks for a login", CloseCode.UNAUTHORIZED)
        answer.raise_for_status()
        reply: dict[str, Any] = decode(answer.content)
        if not reply.get("success", True):
            raise LinkLost(str(reply.get("detail") or reply.get("reason")))
        return reply


def connect(access: Access, hello: Message, *, polling: bool, pause: Callable[[float], object]) -> Link:
    """Open a link and, where the other side speaks our protocol, say hello. `pause` waits between polls of Visdom's own."""
    if not polling:
        return SocketLink(access, hello)
    try:
        return PollLink(access, hello)
    except NotOurs:
        return StockPollLink(access, pause)
