"""JSON on the wire: what is accepted, what becomes null, what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visdom_transport.core.encoding import decode, encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TOO_DEEP = 100_000


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON)
def test_what_json_can_say_comes_back(value: Any) -> None:
    assert decode(encode(value)) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_becomes_null(value: float) -> None:
    assert encode({"x": [value, 1.5]}) == b'{"x":[null,1.5]}'
    assert encode({"x": [value, 2**70], "y": (value,)}) == b'{"x":[null,1180591620717411303424],"y":[null]}'


def test_what_orjson_refuses_and_json_accepts_is_accepted() -> None:
    assert encode({"x": 2**64}) == b'{"x":18446744073709551616}'
    assert encode({1: "a"}) == b'{"1":"a"}'
    assert encode("\ud800") == b'"\\ud800"'
    assert decode(b'"\\ud800"') == "\ud800"


@pytest.mark.parametrize("value", [{1, 2}, object(), {"x": b"bytes"}])
def test_what_is_not_json_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        encode(value)


def test_nesting_beyond_reason_is_a_clear_error_and_not_a_crash() -> None:
    nested: Any = []
    for _ in range(TOO_DEEP):
        nested = [nested]
    with pytest.raises(TypeError, match="nested"):
        encode(nested)
    with pytest.raises(ValueError, match="nested"):
        decode("[" * TOO_DEEP + "]" * TOO_DEEP)


def test_deeper_than_orjson_goes() -> None:
    text = "[" * 300 + "]" * 300
    assert encode(json.loads(text)).decode() == text


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"NaN", b"[Infinity]", "nonsense", b"1" * 10_000, "\ud800"])
def test_what_is_not_json_is_a_value_error(data: bytes | str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(data)
