"""What is encoded or copied in steps is what it is when that is done at once."""

from __future__ import annotations

import copy
import gc
import json
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import given

from tests.fuzz.values import VALUES, examples
from visdom_transport.core.encoding import encode
from visdom_transport.visdom.durability import steps
from visdom_transport.visdom.durability.stepwise import decode_stepwise


def ended(generator: Generator[Any, None, Any]) -> tuple[Any, int]:
    """What it returns, and after how many steps."""
    count = 0
    while True:
        try:
            next(generator)
            count += 1
        except StopIteration as end:
            return end.value, count


@pytest.mark.parametrize("step_bytes", [1, 20, 200])
@examples(200)
@given(value=VALUES)
def test_values_come_out_the_same(monkeypatch: pytest.MonkeyPatch, step_bytes: int, value: Any) -> None:
    monkeypatch.setattr(steps, "STEP_BYTES", step_bytes)
    try:
        expected = encode(value)
    except TypeError:
        with pytest.raises(TypeError):
            ended(steps.encoding(value))
    else:
        assert repr(json.loads(b"".join(ended(steps.encoding(value))[0]))) == repr(json.loads(expected))
    assert repr(ended(steps.copying(value))[0]) == repr(copy.deepcopy(value))


def test_a_copy_shares_nothing_that_changes() -> None:
    window = {"content": {"data": [{"x": list(range(100_000)), "text": ["a"] * 3, "z": [[1.0, 2.0], [3.0]]}]}}
    for made in (ended(steps.copying(window))[0], steps.copied(window)):
        assert made == window
        trace, other = window["content"]["data"][0], made["content"]["data"][0]
        assert trace is not other
        assert all(trace[name] is not other[name] for name in trace)
        assert trace["z"][0] is not other["z"][0]


@pytest.mark.parametrize("work", [steps.encoding, steps.copying])
def test_no_step_is_much_larger_than_it_should_be(work: Any) -> None:
    window = {"x": list(range(1_000_000)), "z": [[0.5] * 1_000 for _ in range(100)], "text": "a"}
    pieces, count = ended(work(window))
    assert count > 8_000_000 / steps.STEP_BYTES
    if work is steps.encoding:
        assert max(map(len, pieces)) < 2 * steps.STEP_BYTES


@pytest.mark.parametrize("make", [lambda value: ended(steps.copying(value))[0], lambda value: decode_stepwise(encode(value))])
def test_a_collection_of_garbage_has_little_to_look_at_after_large_values(make: Callable[[Any], Any]) -> None:
    """It goes through all items of what is new."""
    window = {"x": [0.5] * 200_000, "y": [0.5] * 200_000}
    made = [make(window) for _ in range(20)]
    new = [each for each in gc.get_objects(generation=0) + gc.get_objects(generation=1) if isinstance(each, list)]
    assert sum(map(len, new)) < 500_000
    assert made == [window] * 20
