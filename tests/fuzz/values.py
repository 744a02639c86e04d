"""What nobody expects: JSON of every shape and size, and requests that are nearly what they should be."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
"""So many times the examples, other ones with each run: for long runs."""


def examples(count: int) -> settings:
    """Settings of a property that is tried with so many examples, always the same ones unless `FUZZ_TIMES` is set."""
    return settings(
        max_examples=count * TIMES,
        derandomize=TIMES == 1,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        # The fixtures that examples share are what they test: a server that has been through all of this.
        suppress_health_check=list(HealthCheck),
    )


NUMBERS = st.sampled_from(
    [0, 1, -1, 2, -2, True, False, 0.0, -0.0, 0.5, 1.5, -1e9, 1e308, 5e-324, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30]
)

AWKWARD_NAMES = [
    "",
    " ",
    ".",
    "..",
    "../x",
    "..\\x",
    "a/b",
    "/etc/passwd",
    "a\\b",
    "\0",
    "a\0b",
    "a\nb",
    "\r",
    "main",
    "view",
    "undo",
    "layouts",
    "layouts.json",
    ".transport",
    ".transport/lock",
    "lock",
    "con",
    "nul.txt",
    "x.json",
    ".json.json",
    ".hidden",
    "-rf",
    "%2e%2e%2fx",
    "a%00b",
    "ü ß 漢字 🧪",
    "\u202egnp.exe",
    "\ud800",
    "a\udfffb",
    "hash_" + "0" * 64,
    "n" * 250,
    "n" * 256,
    "漢" * 100,
    "n" * 10_000,
    "__proto__",
    "constructor",
    "+",
    "a+b",
    "all:",
    "<script>alert(1)</script>",
    "{0}",
    "%s",
    "~",
    "$HOME",
]
NAMES = st.sampled_from(AWKWARD_NAMES)

ATOMS = st.one_of(
    st.none(), NUMBERS, st.sampled_from(["", "x", "main", "w", "true", "NaN", "\ud800", "x" * 3_000]), st.text(max_size=5)
)


def deep(levels: int, inside: Any = None) -> Any:
    """A list in a list in a list."""
    for _ in range(levels):
        inside = [inside]
    return inside


VALUES = st.recursive(
    ATOMS | st.sampled_from([deep(50), {}, []]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(ATOMS.filter(lambda key: isinstance(key, str)), inner, max_size=4)
    ),
    max_leaves=8,
)


def nearly(template: dict[str, Any], **better: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects like `template`, of which some members are missing, of another type, or as `better` says."""
    members = {}
    for name, value in template.items():
        good = [st.just(value), *([better[name]] if name in better else [])]
        members[name] = st.one_of(*good, *good, VALUES, st.just(MISSING))
    whole = st.fixed_dictionaries(members)
    return st.builds(_without_missing, whole, st.dictionaries(st.sampled_from(["more", "type", "__proto__"]), VALUES, max_size=1))


class Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


def _without_missing(members: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {**more, **{name: value for name, value in members.items() if value is not MISSING}}


def text_of(value: Any) -> str:
    """JSON text as Python's clients write it: lone surrogates escaped, numbers of any size."""
    return json.dumps(value)


RAW = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "null",
            "[]",
            "{}",
            '{"type":',
            '{"type":"ping"}x',
            '{"type":"ping","type":"pong"}',
            "NaN",
            '{"type":"credit","window":NaN}',
            '{"type":"ack","batches":1e999}',
            '{"type":"ack","batches":' + "9" * 5_000 + "}",
            '{"type":"ack","batches":' + "9" * 400 + "}",
            '{"x":"\\ud800","type":"ack","batches":' + "9" * 400 + "}",
            "[" * 100_000,
            '{"a":' * 2_000 + "1" + "}" * 2_000,
            "\ufeff{}",
            '"\\ud800"',
            b"\xff\xfe",
            b'{"type":"ping\xff"}',
        ]
    ),
)
"""What is hardly JSON."""
