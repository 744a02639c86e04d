"""A server begins on whatever it finds on disk: it serves what can be read, and leaves the rest as it is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import visdom.server.app
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.values import NAMES, RAW, VALUES, examples, text_of
from tests.support.flavour import NEW_VISDOM
from visdom_transport.core.encoding import decode, encode
from visdom_transport.visdom.durability.blocks import Block, read_blocks, write_block
from visdom_transport.visdom.durability.files import FOLDER
from visdom_transport.visdom.durability.names import HASHED

FILES = ["main.json", "fed.json", "plain.json", "view/layouts.json", f"{FOLDER}/journal", f"{FOLDER}/lock"]
"""``journal`` stands for the newest generation."""

PLACES = st.lists(st.integers(0, 7), max_size=6)
CHANGES = st.one_of(
    st.tuples(st.just("cut"), st.floats(0, 1)),
    st.tuples(st.just("flip"), st.floats(0, 1), st.integers(1, 255)),
    st.tuples(st.just("replace"), RAW | VALUES.map(text_of)),
    st.tuples(st.just("json"), PLACES, VALUES),
    st.tuples(st.just("json"), PLACES, VALUES),
    st.tuples(st.just("rename"), NAMES),
    st.tuples(st.just("remove")),
    st.tuples(st.just("folder")),
    st.tuples(st.just("repeat")),
)
DAMAGES = st.lists(st.tuples(st.sampled_from(FILES), CHANGES), min_size=1, max_size=3)


# --- a server without sockets ---


def begin(folder: Path) -> Any:
    return visdom.server.app.Application(port=0, env_path=f"{folder}/")


async def end(app: Any) -> None:
    await app.transport.journal.close()


def text(content: str) -> dict[str, Any]:
    return {"data": [{"type": "text", "content": content}], "win": "w", "opts": {"title": "w"}}


async def make(folder: Path) -> None:
    """What a server that was killed leaves: saved environments, a journal of two generations, layouts."""
    from visdom_transport.visdom.publishing.exactly_once import publish

    app = begin(folder)
    transport = app.transport
    for number, eid in ((1, "fed"), (2, "journaled")):
        body = {**text(eid), "eid": eid}
        publish(transport, {"producer": eid, "first": 1, "messages": [{"endpoint": "events", "body": body}]})
        await transport.journal.write()
        update = {"win": "w", "eid": eid, "data": [{"type": "text", "content": str(number)}]}
        publish(transport, {"producer": eid, "first": 2, "messages": [{"endpoint": "update", "body": update}]})
    transport.journal.save("fed", app.state["fed"])
    update = {"win": "w", "eid": "fed", "data": [{"type": "text", "content": "last"}]}
    publish(transport, {"producer": "fed", "first": 3, "messages": [{"endpoint": "update", "body": update}]})
    await transport.journal.write()
    app.state["plain"] = {"jsons": {"w": {"id": "w", "type": "text", "content": "plain", "i": 0}}, "reload": {"w": [0, {}]}}
    transport.journal.save("plain", app.state["plain"])
    app.layouts = '[["view", []]]'
    app.save_layouts()
    transport.journal._files.release()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "envs"
    folder.mkdir()
    asyncio.run(make(folder))
    assert {path.name for path in folder.glob("*.json")} == {"main.json", "fed.json", "plain.json"}
    assert list((folder / FOLDER).glob("journal-*.log"))
    return folder


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    # Thousands of files cannot be read, each with its message.
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.CRITICAL)
    yield
    logging.getLogger().setLevel(level)


# --- damage ---


def damage(folder: Path, name: str, change: tuple[Any, ...]) -> None:
    path = (
        max((folder / FOLDER).glob("journal-*"), default=folder / FOLDER / "journal")
        if name.endswith("journal")
        else folder / name
    )
    kind, *arguments = change
    if path.is_dir() or (not path.exists() and kind not in ("replace", "folder")):
        return
    data = path.read_bytes() if path.exists() else b""
    path.parent.mkdir(exist_ok=True)
    if kind == "cut":
        path.write_bytes(data[: int(len(data) * arguments[0])])
    elif kind == "flip" and data:
        at = min(int(len(data) * arguments[0]), len(data) - 1)
        path.write_bytes(data[:at] + bytes([data[at] ^ arguments[1]]) + data[at + 1 :])
    elif kind == "replace":
        content = arguments[0]
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    elif kind == "json":
        path.write_bytes(changed_journal(data, *arguments) if name.endswith("journal") else changed_json(data, *arguments))
    elif kind == "rename":
        target = path.parent / f"{arguments[0]}.json"
        with contextlib.suppress(OSError, ValueError):
            path.rename(target)
    elif kind == "remove":
        path.unlink()
    elif kind == "folder":
        path.unlink(missing_ok=True)
        path.mkdir()
    elif kind == "repeat":
        path.write_bytes(data + data)


def changed_json(data: bytes, places: list[int], value: Any) -> bytes:
    try:
        content = decode(data)
    except ValueError:
        return data
    return text_of(changed(content, places, value)).encode()


def changed_journal(data: bytes, places: list[int], value: Any) -> bytes:
    """With one value changed, and checksums that are right."""
    blocks, _ = read_blocks(data)
    content = changed([[block.head, *block.records] for block in blocks], places, value)
    written = []
    for lines in content if isinstance(content, list) else [content]:
        head, *records = lines if isinstance(lines, list) and lines else [lines]
        written.append(b"".join(write_block(head, [[text_of(record).encode()] for record in records])))
    return b"".join(written)


def changed(content: Any, places: list[int], value: Any) -> Any:
    """A copy with another value at a place, which is named by the turns on the way there."""
    if not places or not isinstance(content, list | dict) or not content:
        return value
    turn, *rest = places
    if isinstance(content, dict):
        keys = sorted(content)
        key = keys[turn % len(keys)]
        return {**content, key: changed(content[key], rest, value)}
    at = turn % len(content)
    return [*content[:at], changed(content[at], rest, value), *content[at + 1 :]]


# --- what must hold ---


def environment_in(path: Path) -> dict[str, Any] | None:
    """What a file holds, if that is an environment."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    parts = [content.get(name) for name in ("jsons", "reload")] if isinstance(content, dict) else [None]
    is_one = any(part is not None for part in parts) and all(isinstance(part, dict | None) for part in parts)
    return content if is_one else None


def lives(folder: Path) -> None:
    names = [path for path in folder.glob("*.json") if path.lstat()]
    before = {path: path.read_bytes() for path in names if path.is_file()}
    holding = {path: content for path in before if (content := environment_in(path)) is not None}
    intact = {path.name.removesuffix(".json"): content.get("jsons") or {} for path, content in holding.items()}
    added = asyncio.run(serves(folder))
    for path in names:
        if path not in before:
            assert path.is_dir(), f"{path.name} is somebody's"
        elif before[path] and path not in holding:
            assert path.read_bytes() == before[path], f"{path.name} was changed"
    assert not list(folder.glob("*.corrupt-*"))
    after = asyncio.run(windows(folder))
    for eid in intact.keys() - {"fed"}:
        if NEW_VISDOM and HASHED.fullmatch(eid):
            continue  # 0.3.0 knows such a file by the name that is in it, and there is none
        assert after[eid].keys() >= intact[eid].keys(), f"{eid} could be read, and is not whole any more"
    for eid in added:
        # Without a journal, an environment whose file is somebody else's is saved beside it.
        assert any({"content": eid} == other.get("added") for other in after.values()), f"what was added to {eid!r} is gone"


async def serves(folder: Path) -> list[str]:
    """Reads all there is, as pages do, and adds a window to each, as programs do. Returns what there is."""
    app = begin(folder)
    transport = app.transport
    for eid in list(app.state):
        session = transport.hub.open_session("browser", 0.0)
        verdict = transport.hub.subscribe(session, f"env/{eid}", None)
        encode(list(transport.hub.feeds[f"env/{eid}"]._values.keys()))
        environment = transport.environments.readable(eid)
        if environment is None:
            assert verdict.header["problem"]
            assert environment_in(folder / f"{eid}.json") is None
        else:
            assert "problem" not in verdict.header
            assert isinstance(dict(environment["jsons"]), dict), eid
            assert isinstance(environment["reload"], dict), eid
    encode(transport.status())
    assert isinstance(app.layouts, str)
    everything = [*app.state, "new"]
    for eid in everything:
        transport.environments.begin(eid)["jsons"]["added"] = {"content": eid}
    await end(app)
    return everything


async def windows(folder: Path) -> dict[str, dict[str, Any]]:
    """The windows of every environment that can be read."""
    app = begin(folder)
    readable = {eid: app.transport.environments.readable(eid) for eid in list(app.state)}
    await end(app)
    return {eid: dict(environment["jsons"]) for eid, environment in readable.items() if environment is not None}


@examples(50)
@given(DAMAGES)
# What was found.
@example([("main.json", ("json", [0], []))])
@example([("main.json", ("rename", ""))])
@example([("main.json", ("cut", 0.0)), ("main.json", ("rename", ""))])
@example([("main.json", ("rename", "x.json"))])
@example([("main.json", ("rename", "hash_" + "0" * 64))])
@example([("view/layouts.json", ("flip", 0.0, 128))])
@example([(f"{FOLDER}/journal", ("json", [], None))])
@example([(f"{FOLDER}/journal", ("json", [0, 1, 1], 5))])
@example([("fed.json", ("json", [2, 4], None))])
def test_a_server_begins_on_whatever_is_there(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, damages: list[tuple[str, tuple[Any, ...]]]
) -> None:
    folder = tmp_path_factory.mktemp("damaged") / "envs"
    shutil.copytree(sound, folder)
    try:
        for name, change in damages:
            damage(folder, name, change)
        lives(folder)
    finally:
        shutil.rmtree(folder.parent, ignore_errors=True)


def test_sound_files_are_taken_up(sound: Path, tmp_path: Path) -> None:
    folder = tmp_path / "envs"
    shutil.copytree(sound, folder)

    async def check() -> None:
        app = begin(folder)
        assert app.state["fed"]["jsons"]["w"]["content"] == "fed<br>1<br>last"
        assert app.state["journaled"]["jsons"]["w"]["content"] == "journaled<br>2"
        assert app.state["plain"]["jsons"]["w"]["content"] == "plain"
        assert app.layouts == '[["view", []]]'
        await end(app)

    asyncio.run(check())
    assert isinstance(read_blocks(max((folder / FOLDER).glob("journal-*")).read_bytes())[0][0], Block)
