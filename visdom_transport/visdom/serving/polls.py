"""The two endpoints of our long poll."""

from __future__ import annotations

from visdom_transport.core.packing import Message, as_zlib
from visdom_transport.links.longpoll import Answer, reply
from visdom_transport.visdom.serving.requests import TransportHandler


class OwnHandler(TransportHandler):
    """What the endpoints of our long poll share: they refuse as a WebSocket does, with a close code."""

    def refuse_stranger(self) -> None:
        """Nothing yet: if it is somebody who has logged out, the session ends as well."""

    def prepare(self) -> None:
        self.set_header("Content-Type", "application/json")
        super().prepare()


class PollHandler(OwnHandler):
    """``/transport/poll``"""

    _gone = False

    async def post(self) -> None:
        request = self.body()
        if self._finished:
            return
        if self.client.login is not None and (waiting := self.transport.read_ahead.before(self.request.body)) is not None:
            await waiting
        answer = await self.transport.long_polls.poll(request, self.client)
        body = await self._body(answer)
        if not self._gone:
            await self.finish_slowly(body, answer.link)

    async def _body(self, answer: Answer) -> bytes:
        body = reply(answer.messages)
        is_large = any(isinstance(message, Message) for message in answer.messages)
        if not (is_large and self.client.takes_deflate):
            return body.plain
        waiting = self.transport.packer.prepare(body)
        if waiting is not None:
            await waiting
        self.set_header("Content-Encoding", "deflate")
        return as_zlib(body.packed)

    def on_connection_close(self) -> None:
        # The next poll presents its positions, so what this reply would have carried is not lost.
        self._gone = True


class SendHandler(OwnHandler):
    """``/transport/send``"""

    async def post(self) -> None:
        request = self.body()
        if not self._finished:
            self.finish(reply(await self.transport.long_polls.send(request, self.client)).plain)
