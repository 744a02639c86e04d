"""What is in one frame of a log."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visdom_transport.client.disk.batches import Batch, decode_batch
from visdom_transport.core.encoding import encode
from visdom_transport.writing.framing import Damage, read_frame

json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=6,
)
bodies = st.dictionaries(st.text(), json, max_size=4).map(encode)
messages = st.lists(st.tuples(st.sampled_from(["events", "update", "close", "embedding"]), bodies), max_size=5)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10**9), messages, st.lists(st.text()), st.lists(st.text()))
def test_a_batch_is_read_as_it_was_written(
    first: int, content: list[tuple[str, bytes]], make: list[str], save: list[str]
) -> None:
    batch = Batch(first, content, first - 1, 7, 1.5, tuple(make), tuple(save))
    data = batch.encoded()
    found = read_frame(data, 0)
    assert not isinstance(found, Damage)
    assert found[1] == len(data)
    assert decode_batch(found[0]) == batch


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"first":1,"count":1,"confirmed":0,"calls":1,"time":0}',
        b'{"first":1,"count":1,"confirmed":0,"calls":1,"time":0}\nnothing',
        b'{"first":1,"count":1,"confirmed":0,"calls":1,"time":0}\n{"endpoint":"events"}',
        b'{"first":1,"count":2,"confirmed":0,"calls":1,"time":0}\n{"endpoint":"events","body":{}}',
    ],
)
def test_something_else_is_no_batch(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"not|Expecting"):
        decode_batch(content)
