"""The connections of a source: a WebSocket or polls, in our protocol or, with a server without it, in Visdom's own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import requests
import websocket
from requests.cookies import get_cookie_header

from visdom_transport.client.asking.address import Address
from visdom_transport.client.asking.answers import Answer
from visdom_transport.client.asking.errors import Away, LoginRefused
from visdom_transport.client.asking.exchange import Exchange, copy_of, environment_settings
from visdom_transport.client.asking.posting import exchange_of
from visdom_transport.client.asking.proof import JSON, stranger
from visdom_transport.client.asking.redirects import MAX_MOVES, moved_base, moves_too_often, redirects
from visdom_transport.client.asking.stock import comes_from_stock
from visdom_transport.client.source.stream import LinkLost, Message
from visdom_transport.core.encoding import decode, encode

SUBPROTOCOL: Final = "visdom-transport.v1"
CONNECT_TIMEOUT_S: Final = 10.0
REPLY_MARGIN_S: Final = 10.0
"""A poll's reply may come this much later than it was asked for."""
RECEIVE_BYTES: Final = 65_536
STOCK_POLL_INTERVAL_S: Final = 0.1
"""As Visdom's client does it."""


class Access:
    """How one `visdom.Visdom` reaches its server: address, login, proxies, certificates."""

    def __init__(self, vis: Any) -> None:
        self._vis = vis

    @property
    def address(self) -> Address:
        return Address.of(self._vis)

    @property
    def can_log_in(self) -> bool:
        return bool(self._vis.username)

    def log_in(self) -> bool:
        """Log in again, for Visdom's own requests as well. Returns False when the server refuses the user.

        Raises:
            Away: the server cannot be asked.
            requests.RequestException: likewise.
        """
        try:
            exchange_of(self._vis).log_in(self._vis.session)
        except LoginRefused:
            return False
        return True

    def http(self) -> Exchange:
        """Connections of its own for polls, with what Visdom's session has."""
        return Exchange(self.address, copy_of(self._vis.session))

    def open_socket(self) -> BufferedSocket:
        """A WebSocket to the server, wherever it has moved.

        Raises:
            Away: what answers is no WebSocket.
        """
        base = self.address.url
        for _ in range(MAX_MOVES + 1):
            # Parsing a message checks it too. The library's own check is in Python, and takes a second for 3 MB.
            connection = BufferedSocket(sslopt=self._certificates(base), skip_utf8_validation=True)
            try:
                self._connect(connection, base)
            except websocket.WebSocketException as error:
                answer = _handshake_answer(connection, error)
                if answer is None:
                    raise
                if not redirects(answer):
                    raise stranger(answer) from error
                base = moved_base(base, "/vis_socket", answer, has_login=self.address.has_login)
            else:
                return connection
        raise moves_too_often(base)

    def _connect(self, connection: websocket.WebSocket, base: str) -> None:
        vis = self._vis
        path = f"{base}/vis_socket"
        cookie = get_cookie_header(vis.session.cookies, requests.Request("GET", path).prepare())  # type: ignore[no-untyped-call]
        connection.connect(  # type: ignore[no-untyped-call]
            path.replace("http", "ws", 1),
            timeout=CONNECT_TIMEOUT_S,
            # As the library's own option it would refuse servers that do not answer it.
            header=[f"Sec-WebSocket-Protocol: {SUBPROTOCOL}"],
            cookie=cookie,
            suppress_origin=True,
            http_proxy_host=vis.http_proxy_host,
            http_proxy_port=vis.http_proxy_port,
            # The library would take the login along to wherever it is sent.
            redirect_limit=0,
        )
        if connection.getstatus() != 101:
            raise websocket.WebSocketException("no WebSocket")

    def _certificates(self, base: str) -> dict[str, Any]:
        verify = getattr(self._vis, "ssl_verify", True)
        if verify is True:
            # What the environment says (REQUESTS_CA_BUNDLE) holds here too, where it holds for Visdom's requests.
            verify = environment_settings(self._vis.session, base)["verify"]
        if isinstance(verify, str):
            place = "ca_cert_path" if os.path.isdir(verify) else "ca_certs"
            return {"cert_reqs": ssl.CERT_REQUIRED, place: verify}
        return {} if verify else {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}


def _handshake_answer(connection: websocket.WebSocket, error: websocket.WebSocketException) -> Answer | None:
    """What answered instead of a WebSocket, if anything did."""
    if isinstance(error, websocket.WebSocketBadStatusException):
        headers, content = error.resp_headers or {}, getattr(error, "resp_body", None) or b""
        return Answer(error.status_code, {name.lower(): value for name, value in headers.items()}, content)
    response = connection.handshake_response
    if response is None or response.status == 101:
        return None
    return Answer(response.status, {name.lower(): value for name, value in response.headers.items()})


class BufferedSocket(websocket.WebSocket):
    """Takes whatever has arrived at once. The library asks for two bytes of a message, then for some more."""

    has_moved = False
    """Whether a part of the next message has arrived."""
    _arrived = memoryview(b"")

    def _recv(self, bufsize: int) -> bytes:
        if not self._arrived:
            self._arrived = memoryview(super()._recv(RECEIVE_BYTES))  # type: ignore[no-untyped-call]
        self.has_moved = True
        part, self._arrived = self._arrived[:bufsize], self._arrived[bufsize:]
        return bytes(part)


class NotOurs(Exception):
    """What answers a long poll of ours does not know it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.describe())
        self.answer = answer


class Link(Protocol):
    """One connection. Its methods raise `LinkLost`, `Away`, and errors of `websocket`, when it is of no more use."""

    is_ours: bool
    """Whether the other side speaks our protocol."""
    polls: bool
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
    polls = False

    id: str | None = None

    def __init__(self, access: Access, hello: Message, opened: BufferedSocket | None = None) -> None:
        self._socket = access.open_socket() if opened is None else opened
        headers = self._socket.getheaders() or {}
        self.is_ours = headers.get("sec-websocket-protocol") == SUBPROTOCOL
        if not self.is_ours:
            return
        try:
            self.send([hello])
        except BaseException:
            # It may be cut before the first word, and nobody else knows of it.
            self.release()
            raise

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
        self._socket.has_moved = False
        try:
            opcode, frame = self._socket.recv_data_frame(control_frame=True)
        except websocket.WebSocketTimeoutException:
            # A large message may take longer, and nothing can be said behind it.
            return [] if self._socket.has_moved else None
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


class LongPollLink:
    """Our protocol over long polls."""

    is_ours = True
    acknowledges = False
    polls = True

    def __init__(self, http: Exchange, hello: Message) -> None:
        self._http = http
        self._waiting: list[Message] = [hello]
        self.id: str | None = None
        self._secret: str | None = None
        self._first = self._poll(0.0, hello["feeds"])

    def send(self, messages: list[Message]) -> None:
        # The poll itself is the sign of life.
        self._waiting += [message for message in messages if message["type"] not in ("ping", "pong")]

    def receive(self, wait_s: float, feeds: Mapping[str, Any]) -> list[Message]:
        first, self._first = self._first, []
        return first or self._poll(wait_s, feeds)

    def _poll(self, wait_s: float, feeds: Mapping[str, Any]) -> list[Message]:
        body = {"link": self.id, "secret": self._secret, "wait_s": wait_s, "feeds": feeds, "messages": self._waiting}
        answer = self._http.ask("/transport/poll", encode(body), within_s=wait_s + REPLY_MARGIN_S)
        messages = _poll_reply(answer, is_first=self.id is None)
        if messages is None:
            raise NotOurs(answer) if self.id is None else stranger(answer)
        self._waiting = []
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
    polls = True

    def __init__(self, http: Exchange, pause: Callable[[float], object]) -> None:
        self._http = http
        self._pause = pause
        self.id: str | None = None

    def send(self, messages: list[Message]) -> None:
        """A source has nothing to say in this dialect."""

    def receive(self, wait_s: float, feeds: Mapping[str, Any]) -> list[Message]:
        if self.id is None:
            self.id = self._ask({"message_type": "init"}, "sid", str)
        else:
            self._pause(STOCK_POLL_INTERVAL_S)
        messages: list[Any] = self._ask({"message_type": "query", "sid": self.id}, "messages", list)
        return [decode(each) for each in messages]

    def drop(self) -> None:
        """What waits ends with the reply, or with the process."""

    def release(self) -> None:
        self._http.close()

    def _ask(self, body: Mapping[str, Any], member: str, kind: type) -> Any:
        answer = self._http.ask("/vis_socket_wrap", json.dumps(body).encode(), within_s=REPLY_MARGIN_S)
        reply = answer.json() if answer.status == 200 else None
        if isinstance(reply, dict) and reply.get("success") is False:
            raise LinkLost(str(reply.get("detail") or reply.get("reason"))[:200])
        if not isinstance(reply, dict) or not isinstance(reply.get(member), kind):
            raise stranger(answer)
        return reply[member]


def connect(
    access: Access, hello: Message, *, polling: bool, pause: Callable[[float], object], opened: BufferedSocket | None = None
) -> Link:
    """Open a link and, where the other side speaks our protocol, say hello.

    Args:
        pause: waits between polls of Visdom's own.
        opened: a WebSocket to use.

    Raises:
        Away: the server is not there, or something else answers in its place.
    """
    if opened is not None or not polling:
        return SocketLink(access, hello, opened)
    http = access.http()
    try:
        return _poll_link(access, http, hello, pause)
    except BaseException:
        http.close()
        raise


def _poll_link(access: Access, http: Exchange, hello: Message, pause: Callable[[float], object]) -> Link:
    try:
        return LongPollLink(http, hello)
    except NotOurs as not_ours:
        answer = not_ours.answer
        # One odd answer does not make a server one without our protocol: without it, events of an outage are lost.
        try:
            if comes_from_stock(answer, http):
                return StockPollLink(http, pause)
        except Away as away:
            if away.kind == "login" and access.can_log_in:
                access.log_in()
            raise
        raise stranger(answer) from None


def _poll_reply(answer: Answer, *, is_first: bool) -> list[Message] | None:
    """The messages of a reply to a poll (docs/protocol.md, section 1), if that is what this is."""
    reply = answer.json() if answer.status == 200 and answer.media_type in (JSON, "") else None
    messages = reply.get("messages") if isinstance(reply, dict) else None
    if not isinstance(messages, list) or not all(map(_is_message, messages)):
        return None
    opens = any(message["type"] in ("welcome", "close") for message in messages)
    return messages if opens or not is_first else None


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    return message["type"] != "welcome" or all(isinstance(message.get(name), str) for name in ("link", "secret"))
