"""The bytes of a journal: whatever happens to them, a prefix is read, and nobody fails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdom_transport.core.encoding import encode
from visdom_transport.visdom.durability.blocks import Block, read_blocks, write_block
from visdom_transport.writing.framing import Damage

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
records = st.lists(st.lists(values, min_size=1, max_size=3), max_size=4)
heads = st.dictionaries(st.text(max_size=3), values, max_size=3)
journals = st.lists(st.builds(Block, heads, records), max_size=4)


def written(blocks: list[Block]) -> list[bytes]:
    return [b"".join(write_block(block.head, [[encode(record)] for record in block.records])) for block in blocks]


@given(journals)
def test_what_is_written_is_read(blocks: list[Block]) -> None:
    assert read_blocks(b"".join(written(blocks))) == (blocks, None)


@given(journals.filter(bool), st.data())
def test_a_journal_cut_anywhere_gives_its_whole_blocks(blocks: list[Block], data: Any) -> None:
    pieces = written(blocks)
    journal = b"".join(pieces)
    cut = data.draw(st.integers(0, len(journal)))
    whole = sum(1 for n in range(1, len(pieces) + 1) if sum(map(len, pieces[:n])) <= cut)
    ends = {sum(map(len, pieces[:n])) for n in range(len(pieces) + 1)}
    assert read_blocks(journal[:cut]) == (blocks[:whole], None if cut in ends else Damage.TORN)


@given(journals.filter(bool), st.data())
def test_a_changed_byte_ends_the_journal_there(blocks: list[Block], data: Any) -> None:
    pieces = written(blocks)
    journal = bytearray(b"".join(pieces))
    at = data.draw(st.integers(0, len(journal) - 1))
    journal[at] ^= data.draw(st.integers(1, 255))
    before = sum(1 for n in range(1, len(pieces) + 1) if sum(map(len, pieces[:n])) <= at)
    read, damage = read_blocks(bytes(journal))
    assert (read, damage is None) == (blocks[:before], False)


@pytest.mark.parametrize("size", [1, 100])
def test_a_file_that_was_made_longer_before_it_was_written_is_torn(size: int) -> None:
    block = b"".join(write_block({"first": 1}, [[b"[1]"]]))
    assert read_blocks(block + bytes(size)) == ([Block({"first": 1}, [[1]])], Damage.TORN)
    assert read_blocks(block + block[:-1] + b"\0") == ([Block({"first": 1}, [[1]])], Damage.TORN)


@given(st.binary())
def test_anything_can_be_read(data: bytes) -> None:
    blocks, damage = read_blocks(data)
    assert blocks == []
    assert (damage is None) == (data == b"")
