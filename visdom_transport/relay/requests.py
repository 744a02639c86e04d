"""The HTTP endpoints of a relay that are not simply passed on: the polls of its viewers, and its status."""

from __future__ import annotations

from typing import Any, Final

from tornado.httpclient import HTTPResponse
from tornado.httputil import HTTPHeaders
from tornado.web import RequestHandler, stream_request_body

from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.errors import CloseCode, LinkClosed
from visdom_transport.links.codings import may_be_coded
from visdom_transport.links.deflating import PollAnswering
from visdom_transport.links.longpoll import Answer, Client, close_message
from visdom_transport.relay.passing import answer_away, without_hops
from visdom_transport.relay.relay import Relay
from visdom_transport.relay.viewers import login_of

ALLOWED: Final = 200


class RelayHandler(RequestHandler):
    """What they share."""

    def initialize(self, relay: Relay) -> None:
        self._relay = relay

    def _pass_back(self, answer: HTTPResponse) -> None:
        """Answer with what another one has answered."""
        self.clear_header("Content-Type")
        self.set_status(answer.code, answer.reason)
        for name, value in without_hops(HTTPHeaders(answer.headers)).get_all():
            if name != "Content-Length":
                self.set_header(name, value)
        self.finish(answer.body)


@stream_request_body
class LinkHandler(PollAnswering, RelayHandler):
    """``/transport/poll`` and ``/transport/send``: of viewers that are here; others are passed on."""

    _gone = False

    def prepare(self) -> None:
        self._parts: list[bytes] = []
        self.request.connection.set_max_body_size(self._relay.settings.max_message_bytes)  # type: ignore[union-attr]

    def data_received(self, chunk: bytes) -> None:
        self._parts.append(chunk)

    async def post(self) -> None:
        body = b"".join(self._parts)
        try:
            request = decode(body)
        except ValueError:
            request = None
        if not isinstance(request, dict) or not self._is_for_here(request):
            await self._pass_on(body, request.get("link") if isinstance(request, dict) else None)
            return
        await self._answer(request)

    async def _answer(self, request: dict[str, Any]) -> None:
        client = Client(str(self.request.remote_ip), login_of(headers := self.request.headers), may_be_coded(headers, "deflate"))
        try:
            answer = await self._exchange(request, client)
        except LinkClosed as closed:
            answer = Answer([close_message(closed.code)])
        await self._say(answer, client.takes_deflate)

    async def _say(self, answer: Answer, takes_deflate: bool = False) -> None:
        body = await self.poll_body(answer.messages, self._relay.packer, takes_deflate)
        if not self._gone:
            self.set_header("Content-Type", "application/json")
            self.set_header("Cache-Control", "no-store")
            await self.finish_slowly(body, answer.link)

    async def _pass_on(self, body: bytes, link: Any) -> None:
        """Have the relay that has the link answer, or the origin."""
        sibling = self._relay.siblings.owner(link)
        try:
            answer = await (sibling or self._relay.passing).fetch(self.request, body=body)
        except OSError as error:
            if sibling is None:
                answer_away(self, error)
            else:  # it is starting again, and has no links then
                await self._say(Answer([close_message(CloseCode.UNKNOWN_LINK)]))
            return
        if not self._gone:
            self._pass_back(answer)

    def _is_for_here(self, request: dict[str, Any]) -> bool:
        if request.get("link") is not None:
            return self._relay.siblings.is_own(request["link"])
        messages = request.get("messages")
        first = messages[0] if isinstance(messages, list) and messages else None
        return isinstance(first, dict) and first.get("role") == "browser" and first.get("type") == "hello"

    async def _exchange(self, request: dict[str, Any], client: Client) -> Answer:
        relay, headers = self._relay, self.request.headers
        if request.get("link") is None:
            return await relay.begin_polls(request, headers, client)
        session = relay.long_polls.session_of(request["link"])
        if session is not None and session.login != client.login:
            # Another login than the origin has let in: it says hello again, and the origin decides.
            raise LinkClosed(CloseCode.UNKNOWN_LINK)
        if self.request.path.endswith("/send"):
            return Answer(await relay.long_polls.send(request, client))
        return await relay.long_polls.poll(request, client)

    def on_connection_close(self) -> None:
        # The next poll presents its positions, so what this answer would have carried is not lost.
        self._gone = True


class StatusHandler(RelayHandler):
    """``/transport/status``: of the relay. Whoever the origin would not tell its own is told nothing here either."""

    async def get(self) -> None:
        relay, siblings = self._relay, None
        try:
            answer = await relay.passing.fetch(self.request)
        except OSError as error:
            if relay.origin.asks_for_login and not relay.viewers.knows_login(self.request.headers):
                answer_away(self, error)
                return
        else:
            if answer.code != ALLOWED:
                self.set_status(answer.code, answer.reason)
                self.finish(answer.body)
                return
            siblings = relays_of(answer.body)
        status = relay.status()
        if siblings is not None:
            status["origin"]["relays"] = siblings
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(encode(status))


def relays_of(status: bytes) -> Any:
    """Those that an origin names in its status. None if that is a page for people, or an older origin's."""
    try:
        return decode(status).get("relays")
    except (AttributeError, ValueError):
        return None
