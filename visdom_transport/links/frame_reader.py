"""The frames of a WebSocket that a client sends, read by the bufferful."""

from __future__ import annotations

from typing import Any

from tornado.util import _websocket_mask
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

READ_BYTES = 16_384
"""Asked for at once. A frame that needs more is asked for by its length."""

HEAD_BYTES = 6
"""The head of a small frame, its mask included (RFC 6455, section 5.2)."""

SMALL_BYTES = 126
"""A frame of less says its length in one byte."""

WHOLE_TEXT = 0x81
"""The first byte of a frame that is a whole text and not compressed."""

MASKED = 0x80
"""In the second byte: a mask follows, as in all that clients send."""


class FrameReader(WebSocketProtocol13):
    """Tornado's protocol, which asks its stream for each frame three times: for its head, its mask and its content.

    Each time costs a future, which is most of what a small frame costs; and most frames are acknowledgements of a few bytes. So
    what has come is asked for at once, and whole small texts are taken from it here. All others are read as Tornado reads them,
    from what is here first.
    """

    # In the dictionary of an object that has as many attributes as this one, another takes far more than itself.
    __slots__ = ("_unread",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._unread = b""

    async def _receive_frame(self) -> None:
        if not self._unread:
            self._unread = await self.stream.read_bytes(READ_BYTES, partial=True)
        text = self._take_small_text()
        if text is None:
            await super()._receive_frame()
            return
        handled = self._handle_message(1, text)
        if handled is not None:
            await handled

    def _take_small_text(self) -> bytes | None:
        """What the next frame carries, if that is a whole small text, and all of it is here."""
        unread = self._unread
        if len(unread) < HEAD_BYTES or unread[0] != WHOLE_TEXT or self._fragmented_message_buffer is not None:
            return None
        size = unread[1] - MASKED
        end = HEAD_BYTES + size
        if not 0 <= size < SMALL_BYTES or len(unread) < end:
            return None
        self._unread = unread[end:]
        self._wire_bytes_in += end
        self._frame_compressed = False
        return _websocket_mask(unread[2:HEAD_BYTES], unread[HEAD_BYTES:end])

    async def _read_bytes(self, count: int) -> bytes:
        unread = self._unread
        if len(unread) < count:
            unread += await self.stream.read_bytes(count - len(unread))
        self._unread = unread[count:]
        self._wire_bytes_in += count
        return unread[:count]


class ReadsFrames(WebSocketHandler):
    """A handler whose clients' frames are read so. Comes before the class that it is mixed into."""

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        found = super().get_websocket_protocol()
        # None: a version of WebSockets that Tornado does not speak.
        return FrameReader(self, found.mask_outgoing, found.params) if isinstance(found, WebSocketProtocol13) else found
