"""JSON that is parsed in steps is what it is when it is parsed at once."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from visdom_transport.core.encoding import decode
from visdom_transport.visdom.durability import stepwise
from visdom_transport.visdom.durability.stepwise import decode_stepwise

CHARACTERS = 'a"\\\u20ac\U0001f600\n],{}[,:/'


def made(seed: random.Random, depth: int) -> Any:
    kind = seed.randrange(8 if depth else 4)
    if kind == 0:
        return seed.choice([None, True, False, -2.5e7, float("nan"), float("-inf"), 10**17])
    if kind == 1:
        return seed.random()
    if kind < 4:
        return "".join(seed.choices(CHARACTERS, k=seed.randrange(40)))
    if kind < 6:
        return [made(seed, depth - 1) for _ in range(seed.randrange(8))]
    return {f"{n}{seed.choice(CHARACTERS)}": made(seed, depth - 1) for n in range(seed.randrange(8))}


def outcome(parse: Any, text: bytes) -> str:
    try:
        return repr(parse(text))
    except ValueError:
        return "no JSON"


def at_once(text: bytes) -> Any:
    return decode(text, parse_constant=None)


@pytest.mark.parametrize("step_bytes", [1, 7, 40, 200])
def test_values_and_damaged_texts_come_out_the_same(monkeypatch: pytest.MonkeyPatch, step_bytes: int) -> None:
    monkeypatch.setattr(stepwise, "STEP_BYTES", step_bytes)
    monkeypatch.setattr(stepwise, "REST_S", 0)
    for number in range(300):
        seed = random.Random(number)
        value = made(seed, 5)
        for options in ({}, {"ensure_ascii": False}, {"indent": 1}):
            text = json.dumps(value, **options).encode()  # type: ignore[arg-type]
            assert outcome(decode_stepwise, text) == outcome(at_once, text), text
            place = seed.randrange(len(text))
            put = seed.choice([b"", b",", b"]", b"}", b'"', b"[", b":", b"x", b" ", b"\\"])
            damaged = text[:place] + put + text[place + seed.randrange(3) :]
            assert outcome(decode_stepwise, damaged) == outcome(at_once, damaged), damaged


def test_no_step_is_much_larger_than_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def measured(data: bytes, **options: Any) -> Any:
        sizes.append(len(data))
        return decode(data, **options)

    monkeypatch.setattr(stepwise, "decode", measured)
    monkeypatch.setattr(stepwise, "REST_S", 0)
    value = {
        "numbers": list(range(300_000)),
        "rows": [[0.5, 1.5]] * 100_000,
        "text": "\u20ac" * 500_000,
        "escaped": '"\\' * 100_000,
        "members": {str(n): {"n": n} for n in range(50_000)},
    }
    assert decode_stepwise(json.dumps(value, ensure_ascii=False).encode()) == value
    assert len(sizes) > 10
    assert max(sizes) < 2 * stepwise.STEP_BYTES


def test_what_is_nested_too_deeply_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepwise, "STEP_BYTES", 10)
    monkeypatch.setattr(stepwise, "REST_S", 0)
    with pytest.raises(ValueError, match="nested too deeply"):
        decode_stepwise(b"[" * 50_000 + b"]" * 50_000)
