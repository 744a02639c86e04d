"""The two endpoints of our long poll."""

from __future__ import annotations

from visdom_transport.links.longpoll import reply
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
        body = await self.poll_body(answer.messages, self.transport.packer, self.client.takes_deflate)
        if not self._gone:
            await self.finish_slowly(body, answer.link)

    def on_connection_close(self) -> None:
        # The next poll presents its positions, so what this reply would have carried is not lost.
        self._gone = True


class SendHandler(OwnHandler):
    """``/transport/send``"""

    async def post(self) -> None:
        request = self.body()
        if not self._finished:
            self.finish(reply(await self.transport.long_polls.send(request, self.client)).plain)
