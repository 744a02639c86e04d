"""What is said of a value's size without encoding it is near enough, and costs little, whatever the value is."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdom_transport.core.encoding import encode
from visdom_transport.visdom.durability.sizes import _VALUES, _Estimate, estimated_bytes

rng = random.Random(1)


def plot(traces: int, points: int) -> dict[str, Any]:
    data = [{"type": "scatter", "x": list(range(points)), "y": [rng.random() for _ in range(points)]} for _ in range(traces)]
    return {"type": "plot", "id": "w", "content": {"data": data, "layout": {"title": {"text": "loss"}, "margin": {"l": 60}}}}


LARGE = {
    "line": plot(1, 50_000),
    "many traces": plot(100, 1_000),
    "image": {"type": "image", "content": {"src": "data:image/png;base64," + "A" * 1_000_000, "caption": ""}},
    "heatmap": {"content": {"data": [{"z": [[rng.random() for _ in range(300)] for _ in range(300)]}]}},
    "text": {"type": "text", "content": "line<br>" * 30_000},
    "images": {"type": "image_history", "content": [{"src": "A" * 50_000, "caption": f"{n}"} for n in range(50)]},
}


@pytest.mark.parametrize("kind", LARGE)
def test_the_size_of_a_large_window_is_about_right(kind: str) -> None:
    assert 0.5 < estimated_bytes(LARGE[kind]) / len(encode(LARGE[kind])) < 2


@pytest.mark.parametrize("kind", LARGE)
def test_it_is_known_without_looking_at_all_of_it(kind: str) -> None:
    estimate = _Estimate()
    estimate.size(LARGE[kind])
    assert estimate._left > -10, f"at most {_VALUES} values"


def test_a_hostile_value_takes_no_time() -> None:
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    wide: Any = 1.0
    for _ in range(6):
        wide = {str(number): wide for number in range(64)}
    began = time.process_time()
    for value in (deep, wide, {"a": [wide] * 10_000}):
        assert estimated_bytes(value) > 0
    assert time.process_time() - began < 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_every_value_has_a_size(value: Any) -> None:
    assert estimated_bytes(value) > 0
