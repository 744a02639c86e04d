"""Frames of the WebSocket link, as another implementation understands them."""

from __future__ import annotations

import pytest
from websocket import ABNF
from websocket._abnf import frame_buffer

from visdom_transport.links.websocket import text_head


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000])
def test_a_frame_carries_its_text(size: int) -> None:
    text = b"x" * size
    stream = bytearray(text_head(size) + text + b"the next frame")

    def receive(count: int) -> bytes:
        taken = bytes(stream[:count])
        del stream[:count]
        return taken

    frame = frame_buffer(receive, skip_utf8_validation=False).recv_frame()
    assert (frame.opcode, frame.fin, frame.data) == (ABNF.OPCODE_TEXT, 1, text)
    assert bytes(stream) == b"the next frame"
