"""What reads what others have written, without sockets: deltas, updates, what is published, journals."""

from __future__ import annotations

import asyncio
import atexit
import copy
import functools
import json
import os
import tempfile
from typing import Any
from unittest import mock

import pytest
import visdom.server.app
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.test_requests import EVENTS, PUBLISHED, UPDATE, _windows
from tests.fuzz.values import NAMES, NUMBERS, RAW, VALUES, examples, nearly, text_of
from visdom_transport.core.delta import apply, fold
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.errors import GapError
from visdom_transport.visdom.durability.blocks import Block, read_blocks, write_block
from visdom_transport.visdom.durability.history import Base, BaseMismatch, History, Stamp, is_sound
from visdom_transport.visdom.publishing.exactly_once import publish
from visdom_transport.visdom.updates import UnknownUpdate, UpdateRefused, WindowBounds, apply_update, refusal_text
from visdom_transport.visdom.updates.choices import CHOICES

# --- deltas ---

STEPS = st.sampled_from(["x", "w", "t", 0, 1, -1, 7, True, None, 0.5])
PATHS = st.lists(STEPS, max_size=3) | VALUES
NAMED = st.sampled_from(["set", "delete", "extend", "drop", "append", "insert", "else", "", None])
OPERATIONS = st.one_of(
    st.builds(lambda name, path, arguments: [name, path, *arguments], NAMED, PATHS, st.lists(VALUES, max_size=2)),
    st.builds(
        lambda name, path, value: [name, path, value], NAMED, PATHS, NUMBERS | st.lists(NUMBERS, max_size=2) | st.text(max_size=2)
    ),
    VALUES,
)
VALUE = st.sampled_from([{"x": [1, 2, 3], "t": "abc", "w": {"x": ["a"]}}, [1, [2, 3], "abc"], "abc"]) | VALUES


@examples(100)
@given(VALUE, st.lists(OPERATIONS, max_size=5))
def test_a_delta_fits_or_is_a_gap_and_folds_to_the_same(value: Any, delta: list[Any]) -> None:
    try:
        result = apply(copy.deepcopy(value), copy.deepcopy(delta))
    except GapError:
        return
    folded = fold([[operation] for operation in delta])
    assert encode(apply(copy.deepcopy(value), folded)) == encode(result)


# --- one application, without sockets ---


@functools.cache
def application() -> Any:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    with mock.patch.dict(os.environ, {"VISDOM_TRANSPORT_JOURNAL": "off"}):
        return asyncio.run(made(f"{folder.name}/"))


async def made(env_path: str) -> Any:
    """Where a loop runs, a server takes no signals, and looks for no loop of its own."""
    return visdom.server.app.Application(port=0, env_path=env_path)


def begin_again() -> Any:
    app = application()
    for eid in [each for each in app.state if each != "main"]:
        del app.state[eid]
    app.state["main"] = {"jsons": _windows(), "reload": {}}
    app.transport.publishers._known.clear()
    return app


@examples(40)
@given(st.lists(PUBLISHED | VALUES, max_size=4), NAMES)
def test_what_publishers_send_is_applied_or_refused(messages: list[Any], producer: str) -> None:
    app = begin_again()
    producer = producer[:90] or "p"
    for number, message in enumerate(messages, 1):
        before = json.dumps(app.state)
        request = json.loads(text_of({"producer": producer, "first": number, "messages": [message]}))
        reply = decode(publish(app.transport, request))
        assert reply["applied"] == number
        for refusal in reply["refused"]:
            assert refusal["error"]["code"] != "failed", (message, refusal)
            assert json.dumps(app.state) == before, (message, "refused, and half done")
    for environment in app.state.values():
        encode(environment["jsons"])


# --- updates ---

WINDOWS = st.one_of(
    *(st.just(window) | nearly(window) for window in _windows().values() if isinstance(window, dict)),
    nearly(
        {
            **_windows()["plot"],
            "content": {"data": [{"type": "heatmap", "z": [[1, 2]], "x": ["a", "b"], "y": ["c"]}], "layout": {}},
        }
    ),
    nearly({"type": "embeddings", "content": {"data": [[0, 0, "a", None]], "selected": None}, "old_content": [], "version": 1}),
)


@examples(60)
@given(
    WINDOWS,
    UPDATE | EVENTS,
    st.builds(
        WindowBounds,
        *[st.sampled_from([None, 1, 3, 9])] * 2,
        *[st.sampled_from([None, 1])] * 2,
        keep=st.sampled_from(CHOICES["keep"]),
    ),
)
def test_an_update_is_applied_or_refused_as_a_whole(
    window: dict[str, Any], update: dict[str, Any], server_bounds: WindowBounds
) -> None:
    rules = application().transport.rules
    window = json.loads(text_of(window))
    before = copy.deepcopy(window)
    assert isinstance(refusal_text(window, rules), str | None)
    try:
        delta = apply_update(window, json.loads(text_of(update)), server_bounds, rules=rules)
    except (UpdateRefused, UnknownUpdate):
        assert _same(window, before), "refused, and half done"
        return
    assert _same(apply(before, json.loads(json.dumps(delta))), window), "the delta does something else"


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


# --- journals ---

EIDS = st.sampled_from(["a", "b"])
RECORDS = st.one_of(
    st.builds(
        lambda kind, eid, rest: [kind, eid, *rest], st.sampled_from(["begin", "end", "window", "closed"]), EIDS, st.lists(VALUES)
    ),
    st.builds(lambda eid, win, value: ["window", eid, win, value], EIDS, EIDS, VALUES | st.just({"x": [1]})),
    st.builds(lambda eid, win, delta: ["update", eid, win, delta], EIDS, EIDS, st.lists(OPERATIONS, max_size=2)),
    st.builds(
        lambda eid, name, value: ["member", eid, name, value],
        EIDS,
        st.sampled_from(["reload", "jsons", "x"]),
        VALUES | st.just({}),
    ),
    st.builds(lambda eid, file: ["begin", eid, file], EIDS, st.none() | st.just([10, 20])),
    VALUES,
)
BASES = st.dictionaries(EIDS, NUMBERS)
HEADS = st.one_of(
    nearly({"first": 1, "producers": {}}, first=st.integers(0, 4), producers=st.dictionaries(EIDS, NUMBERS)),
    nearly({"first": 1, "producers": {}, "journal": {}}, journal=nearly({"id": "j", "fresh": True, "bases": {}}, bases=BASES)),
    VALUES,
)
BLOCKS = st.builds(
    lambda head, records: b"".join(write_block(head, [[encode(each)] for each in records])), HEADS, st.lists(RECORDS, max_size=4)
)
JOURNALS = st.lists(
    st.one_of(BLOCKS, BLOCKS, RAW.map(lambda raw: raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace")))
)
STAMPS = nearly(
    {"journal": "j", "eid": "a", "number": 1, "windows": {}, "members": {}}, number=NUMBERS, windows=BASES, members=BASES
)


@examples(80)
@given(st.lists(JOURNALS, max_size=2), STAMPS | VALUES)
def test_a_journal_of_any_bytes_is_read(journals: list[list[bytes]], stamp: Any) -> None:
    history = History([[block for block in read_blocks(b"".join(parts))[0] if is_sound(block)] for parts in journals])
    parsed = Stamp.parse(json.loads(text_of(stamp)))
    for eid in history.logs:
        for base in (Base(), Base({"jsons": {}, "reload": {}}, parsed, [10, 20])):
            try:
                environment = history.restored(eid, copy.deepcopy(base))
            except BaseMismatch:
                continue
            assert isinstance(environment["jsons"], dict)
            assert isinstance(environment["reload"], dict)
            encode(environment)
    assert all(isinstance(number, int) for number in history.publishers.values())


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        ["end"],
        ["begin", 1, None],
        ["window", "a", "w"],
        ["window", "a", [], 1],
        ["update", "a", "w", 5],
        ["member", "a", "jsons", {}],
        ["member", "a", "reload", None],
        ["else", "a"],
    ],
)
def test_a_block_with_a_record_that_is_none_is_not_sound(record: Any) -> None:
    head = {"first": 1, "producers": {}}
    assert is_sound(Block(head, [["end", "a"]]))
    assert not is_sound(Block(head, [["end", "a"], record]))
