"""Handlers whose clients may take compressed messages, over WebSockets and polls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

from visdom_transport.core.link import Link
from visdom_transport.core.packing import Message, Outgoing, as_zlib
from visdom_transport.links.deflate import answer_to
from visdom_transport.links.flusher import clock
from visdom_transport.links.longpoll import reply
from visdom_transport.links.packer import Packer
from visdom_transport.links.websocket import SLICE_BYTES, sliced

EXTENSIONS = "Sec-WebSocket-Extensions"
WITHOUT_CONTEXT = "permessage-deflate; server_no_context_takeover=1; client_no_context_takeover=1"
"""An offer as Tornado understands it: it passes over parameters without a value, and would keep contexts for each connection."""


class DeflatingSocket(WebSocketHandler):
    """A WebSocket for compressed messages, if `agree_on_deflate` is called before it opens and its client takes them."""

    _agreed: str | None = None
    """What is agreed on."""

    def agree_on_deflate(self) -> None:
        """Accept what the client offers, if that can be accepted."""
        headers = self.request.headers
        self._agreed = answer_to(headers.get(EXTENSIONS, ""))
        if self._agreed is not None:
            headers[EXTENSIONS] = WITHOUT_CONTEXT

    @property
    def can_compress(self) -> bool:
        return self._agreed is not None

    def get_compression_options(self) -> dict[str, Any] | None:
        return {} if self._agreed is not None else None

    def finish(self, chunk: Any = None) -> asyncio.Future[None]:
        if self._agreed is not None and self.get_status() == 101:
            self.set_header(EXTENSIONS, self._agreed)
        return super().finish(chunk)


class PollAnswering(RequestHandler):
    """Answers polls."""

    async def poll_body(self, messages: Sequence[Outgoing], packer: Packer, takes_deflate: bool) -> bytes:
        """The body that carries ``messages``. The header that tells of its coding is set."""
        body = reply(messages)
        is_large = any(isinstance(message, Message) for message in messages)
        if not (is_large and takes_deflate):
            return body.plain
        waiting = packer.prepare(body)
        if waiting is not None:
            await waiting
        self.set_header("Content-Encoding", "deflate")
        return as_zlib(body.packed)

    async def finish_slowly(self, body: bytes, link: Link | None) -> None:
        """Finish with ``body``. A peer that takes a large one slowly says nothing meanwhile, and is not dead."""
        if link is not None and len(body) > SLICE_BYTES:
            self.set_header("Content-Length", str(len(body)))
            for part in sliced(body):
                self.write(bytes(part))
                try:
                    await self.flush()
                except StreamClosedError:
                    return
                link.hear(clock())
            body = b""
        self.finish(body)
