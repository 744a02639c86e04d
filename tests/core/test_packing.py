"""Compressed parts that are put together: what every reader of deflate data makes of them, and what is kept of them."""

from __future__ import annotations

import random
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.world import STATE_FEEDS, World, recount, text_of
from visdom_transport.core.conversation import Conversation
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.feed import Allowance
from visdom_transport.core.limits import Limits
from visdom_transport.core.packing import LEAST_BYTES, Fragment, Message, as_zlib, fragments_of, pack, raw, store
from visdom_transport.core.state_feed import StateFeed

NOISE = random.Random(7)
contents = st.one_of(
    st.binary(max_size=50),
    st.integers(0, 20_000).map(NOISE.randbytes),
    st.integers(0, 200_000).map(lambda size: b"one and the same, " * (size // 18)),
    st.integers(0, 2_000).map(lambda size: encode([NOISE.gauss(0, 1) for _ in range(size)])),
)


@given(st.lists(st.tuples(contents, st.booleans()), max_size=6))
def test_parts_put_together_are_read_by_others(parts: list[tuple[bytes, bool]]) -> None:
    packed = [pack(content) if compressed else store(content) for content, compressed in parts]
    expected = b"".join(content for content, _ in parts)
    assert zlib.decompress(as_zlib(packed)) == expected
    reader = zlib.decompressobj(-15)
    assert reader.decompress(b"".join(raw(packed)) + b"\0\0\xff\xff") == expected
    assert not reader.unconsumed_tail
    for each, (content, _) in zip(packed, parts, strict=True):
        assert each.size == len(content)
        assert len(each.data) <= len(content) + 5 * (1 + len(content) // 4096), "never much larger"


@given(st.lists(st.one_of(contents, contents.map(Fragment)), max_size=8))
def test_what_is_small_is_put_together(parts: list[bytes | Fragment]) -> None:
    message = Message(fragments_of(parts))
    assert message.plain == b"".join(part if isinstance(part, bytes) else part.content for part in parts)
    assert len(message) == len(message.plain)
    assert zlib.decompress(as_zlib(message.packed)) == message.plain
    large = [part for part in parts if isinstance(part, Fragment) and len(part) >= LEAST_BYTES]
    assert [each for each in message.fragments if each in large] == large, "what others share stays as it is"
    others = [each not in large for each in message.fragments]
    assert not any(one and two for one, two in pairwise(others))


def test_plots_take_less_than_half() -> None:
    walk, total = NOISE, 0.0
    ys = [total := total + walk.gauss(0, 1) for _ in range(1_000)]
    plot = encode({"content": {"data": [{"x": [float(x) for x in range(1_000)], "y": ys, "type": "scatter"}]}})
    assert len(pack(plot).data) < 0.46 * len(plot)
    text = encode("<br>".join(f"<b>epoch {number}</b> loss {walk.random():.4f}" for number in range(1_000)))
    assert len(pack(text).data) < 0.3 * len(text)


class Values(dict[str, Any]):
    def value(self, key: str) -> Any:
        return self[key]

    def content_id(self, key: str) -> str | None:
        return None

    def header(self) -> Any:
        return None


LARGE = "a large value " * 2_000
ALLOWANCE = Allowance(10_000)


def collect(feed: StateFeed) -> list[Message]:
    """A snapshot for a new reader."""
    cursor, _ = feed.begin(None)
    messages = []
    while (batch := feed.collect(cursor, ALLOWANCE)) is not None:
        if isinstance(batch.message, Message):
            messages.append(batch.message)
    return messages


@pytest.fixture
def feed() -> StateFeed:
    # One that goes whole, one in pieces, and several that are put together.
    values = Values({"whole": "w" * 5_000, "pieces": LARGE, **{f"small{number}": "s" * 400 for number in range(5)}})
    return StateFeed("env/main", values, large_bytes=8_000)


def test_what_one_reader_had_compressed_is_there_for_the_next(feed: StateFeed) -> None:
    first = collect(feed)
    for message in first:
        text_of(message)
    packed = {id(fragment): fragment for message in first for fragment in message.fragments}
    again = [fragment for message in collect(feed) for fragment in message.fragments if id(fragment) in packed]
    # The small ones are put together for each reader whose batch nobody shares.
    assert sum(map(len, again)) > 0.85 * sum(map(len, packed.values()))
    assert all(fragment.packed is not None for fragment in again)


def test_what_is_kept_compressed_counts_as_history(feed: StateFeed) -> None:
    for _ in range(2):
        for message in collect(feed):
            before = feed.retained_bytes
            assert recount(feed) == before
            text_of(message)
            assert recount(feed) == feed.retained_bytes >= before
    while feed.shed():
        assert recount(feed) == feed.retained_bytes
    assert feed.retained_bytes == 0


def test_what_is_compressed_too_late_to_be_kept_does_not_count(feed: StateFeed) -> None:
    messages = collect(feed)
    for key in ("whole", "pieces", "small1"):
        feed.set(key)
    while feed.shed():
        pass
    for message in messages:
        assert decode(text_of(message))["type"] == "batch"
    assert feed.retained_bytes == recount(feed) == 0


def test_a_link_compresses_only_if_both_sides_can() -> None:
    for can, hello, expected in (
        (True, {"compression": ["deflate"]}, "deflate"),
        (True, {"compression": ["zstd", "deflate", 7]}, "deflate"),
        (False, {"compression": ["deflate"]}, None),
        (True, {"compression": []}, None),
        (True, {}, None),
    ):
        world = World(Limits())
        world.state[STATE_FEEDS[0]]["large"] = "x" * 5_000
        conversation = Conversation(world.hub, "websocket", world.now, world.carry_out, {}, can_compress=can)
        conversation.receive(encode({"type": "hello", "role": "browser", "feeds": {STATE_FEEDS[0]: None}, **hello}), 0.0)
        welcome, *rest = conversation.link.take_messages()
        assert isinstance(welcome, bytes), "it has a secret"
        assert decode(welcome)["compression"] == expected
        assert any(isinstance(message, Message) for message in rest) is (expected is not None)
