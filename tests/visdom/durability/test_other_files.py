"""Visdom's directory also holds files that are no environments, or not whole ones: they stay, and whoever asks is told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from tests.support.stock_peers import StockSocket

Serve = Callable[..., LocalServer]

WINDOW = {"command": "window", "id": "w", "title": "t", "type": "text", "content": "hello", "contentID": "c", "i": 0}
ENVIRONMENT = {"jsons": {"w": WINDOW}, "reload": {}}
WHOLE = json.dumps(ENVIRONMENT).encode()


@pytest.fixture
def envs(tmp_path: Path) -> Path:
    folder = tmp_path / "envs"
    folder.mkdir()
    return folder


def end(server: LocalServer) -> None:
    """What a server does that is told to stop."""
    assert server.await_(server.app.transport.journal.close())
    server.stop()


def listed(server: LocalServer) -> list[str]:
    return sorted(server.post("/env_state", {}).json())


def asked(server: LocalServer, eid: str) -> requests.Response:
    return server.post("/win_data", {"eid": eid, "win": None})


# --- what is no environment ---

OTHERS: dict[str, bytes] = {
    "config": b'{"lr": 0.1, "reload": true}',
    "package": b'{"name": "x", "transport": "stdio", "experiment": {}}',
    "list": b"[1, 2]",
    "number": b"5",
    "nothing": b"null",
    "notes": b"// comments are no JSON\n{}",
    "empty object": b"{}",
    "zeros": b"\0" * 100,
    "._main": b"\0\5\26\7\0\2\0\0Mac OS X        ",
    "prose": b"It was a dark and stormy night. " * 10_000,
    "large": b'{"images": [' + b"1, " * 1_000_000 + b"1]}",
}
DAMAGED: dict[str, bytes] = {
    "half": WHOLE[:60],
    "beginning": b'{"js',
    "list of windows": b'{"jsons": [1, 2], "reload": {}}',
    "positions that are a list": b'{"jsons": {}, "reload": [1]}',
    "windows that are text": b'{"jsons": "x", "reload": {}}',
    "twice": WHOLE + WHOLE,
    "deep": b'{"jsons": ' + b"[" * 100_000,
}
UNREADABLE = OTHERS | DAMAGED


def test_others_are_passed_over_with_one_warning(serve: Serve, envs: Path, records: Records) -> None:
    for name, content in OTHERS.items():
        (envs / f"{name}.json").write_bytes(content)
    for name in ("x.json.bak", "x.JSON", "x.json~", "json"):
        (envs / name).write_bytes(WHOLE)
    (envs / "folder.json").mkdir()
    os.mkfifo(envs / "pipe.json")
    (envs / "nowhere.json").symlink_to(envs / "gone" / "x.json")
    (envs / "loop.json").symlink_to("loop.json")
    (envs / "zero.json").symlink_to("/dev/zero")
    (envs / "real.json").write_bytes(WHOLE)
    (envs / "linked.json").symlink_to(envs / "real.json")
    records.expect("not environments, and left as they are in .*: ._main.json, .* and 5 more")
    server = serve(envs)
    wanted = ["linked", "loop", "main", "real"]
    assert listed(server) == wanted, "of a file that cannot be opened nobody knows what it is"
    with OwnSocket(server, "shared") as page:
        page.until(lambda: sorted(page.replicas.state("shared").get("envs", [])) == wanted, "they are listed")
    assert server.get("/").status_code == server.get("/env/real").status_code == 200
    assert "package" not in server.get("/compare/real+linked").text
    assert server.windows("linked") == {"w": WINDOW}


def test_a_large_file_that_is_something_else_is_not_read(serve: Serve, envs: Path, records: Records) -> None:
    with (envs / "large.json").open("wb") as file:
        file.truncate(2**40)
    records.expect("not environments.* large.json")
    records.expect("409 POST")
    server = serve(envs)
    answer = asked(server, "large")
    assert (answer.status_code, "too large" in answer.text) == (409, True)
    server.text("w", "one", eid="large")
    records.expect("'large' has no file")
    end(server)
    assert (envs / "large.json").stat().st_size == 2**40


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nothing", "link to itself", "device"])
def test_the_main_environment_may_be_anything(serve: Serve, envs: Path, records: Records, kind: str) -> None:
    file = envs / "main.json"
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to({"link to nothing": "nowhere", "link to itself": "main.json", "device": "/dev/zero"}[kind])
    before = os.lstat(file)
    records.expect("main.json")
    records.ignore("409 POST")
    server = serve(envs, settings={"journal": "all"})
    assert asked(server, "main").status_code == 409
    assert server.get("/").status_code == 200
    with StockSocket(server) as page:
        page.register()
        server.text("w", "one")
        assert page.receive_command("window")["content"] == "one"
    end(server)
    assert os.path.samestat(os.lstat(file), before)
    again = serve(envs, settings={"journal": "all"})
    assert again.windows()["w"]["content"] == "one"
    end(again)


USES: dict[str, Callable[[LocalServer, str], Any]] = {
    "windows": asked,
    "window": lambda server, eid: server.post("/win_data", {"eid": eid, "win": "w"}),
    "existence": lambda server, eid: server.post("/win_exists", {"eid": eid, "win": "w"}),
    "fork": lambda server, eid: server.post("/fork_env", {"prev_eid": eid, "eid": "fork"}),
    "update": lambda server, eid: server.post("/update", {"eid": eid, "win": "w", "opts": {"title": "x"}, "layout": {}}),
    "close": lambda server, eid: server.post("/close", {"eid": eid, "win": "w"}),
    **({} if NEW_VISDOM else {"hash": lambda server, eid: server.post("/win_hash", {"eid": eid, "win": "w"})}),
    **({"experiment": lambda server, eid: server.post("/experiments/log", {"eid": eid, "name": "x"})} if NEW_VISDOM else {}),
    "delete": lambda server, eid: server.post("/delete_env", {"eid": eid}),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_who_asks_is_told_what_is_wrong_with_the_file(serve: Serve, envs: Path, records: Records, name: str) -> None:
    file = envs / f"{name}.json"
    file.write_bytes(UNREADABLE[name])
    records.expect(f"{name}.json")
    records.ignore("409 POST|refused_payloads")
    server = serve(envs)
    for use, ask in USES.items():
        answer = ask(server, name)
        assert (answer.status_code, f"{name}.json" in answer.text) == (409, True), (use, answer.text)
    with OwnSocket(server) as page:
        verdict = page.ask({"type": "subscribe", "feed": f"env/{name}", "position": None}, "subscribed")
        assert f"{name}.json is" in verdict["header"]["problem"]
        reply = page.command(1, cmd="delete_env", eid=name)
        assert f"{name}.json is" in reply["error"]["message"]
    assert file.read_bytes() == UNREADABLE[name]
    assert "fork" not in listed(server)
    told = [record for record in records._records if f"{name}.json" in record.getMessage() and "POST" not in record.getMessage()]
    assert len(told) == 1, "once in the log"


@pytest.mark.parametrize("name", ["config", "half"])
def test_a_stock_page_is_told(serve: Serve, envs: Path, records: Records, name: str) -> None:
    (envs / f"{name}.json").write_bytes(UNREADABLE[name])
    records.expect(f"{name}.json")
    records.ignore("404 POST")
    server = serve(envs)
    with StockSocket(server) as page:
        page.register()
        for path in (f"/env/{name}", f"/compare/{name}+main"):
            answer = server.post(path, {"sid": page.sid})
            if NEW_VISDOM:
                said = page.receive_command("notification")["data"]
                assert (said["type"], f"{name}.json is" in said["message"]) == ("error", True)
            else:
                assert (answer.status_code, f"{name}.json is" in answer.text) == (404, True)


ADDITIONS: dict[str, Callable[[LocalServer, str], Any]] = {
    "window": lambda server, eid: server.text("new", "x", eid=eid),
    "append": lambda server, eid: server.post(
        "/update",
        {"eid": eid, "win": "new", "append": True, "data": [{"type": "text", "content": "x"}], "layout": {}, "opts": {}},
    ).raise_for_status(),
    "data": lambda server, eid: server.post(
        "/win_data", {"eid": eid, "win": "new", "data": json.dumps(WINDOW)}
    ).raise_for_status(),
    "all data": lambda server, eid: server.post(
        "/win_data", {"eid": eid, "win": None, "data": json.dumps({"new": WINDOW})}
    ).raise_for_status(),
    "embedding": lambda server, eid: server.post(
        "/embedding", {"type": "embedding_batch", "eid": eid, "win": "new", "points": [{"id": "a", "x": 0, "y": 0}]}
    ).raise_for_status(),
    "publisher": lambda server, eid: server.post("/transport/publish", published(eid)).raise_for_status(),
}


def published(eid: str, number: int = 1) -> dict[str, Any]:
    body = {"eid": eid, "win": "new", "data": [{"type": "text", "content": "x"}], "opts": {}}
    return {"producer": "p", "first": number, "messages": [{"endpoint": "events", "body": body}]}


@pytest.mark.parametrize("name", ["config", "half", "main"])
@pytest.mark.parametrize("addition", ADDITIONS)
def test_what_is_added_under_such_a_name_is_kept_and_the_file_stays(
    serve: Serve, envs: Path, records: Records, name: str, addition: str
) -> None:
    file = envs / f"{name}.json"
    content = UNREADABLE.get(name, b"not JSON")
    file.write_bytes(content)
    records.expect(f"environment '{name}' has no file and is kept in the journal: {name}.json is")
    records.ignore("not environments|is not JSON|400 POST|refused_payloads")
    server = serve(envs, settings={"journal": "all"})
    with OwnSocket(server, f"env/{name}") as page:
        ADDITIONS[addition](server, name)
        page.until(lambda: "new" in page.replicas.state(f"env/{name}"), "the page shows it without being asked again")
        expected = server.windows(name)
        assert list(expected) == ["new"]
        refused = server.post("/save", {"data": [name]})
        assert (refused.status_code, f"{name}.json is" in refused.text) == (400, True)
        error = page.command(1, cmd="save", data={}, prev_eid=name, eid=name)["error"]
        assert f"{name}.json is" in error["message"]
        assert page.command(2, cmd="save", data={}, prev_eid=name, eid="copy")["error"] is None
    assert json.loads((envs / "copy.json").read_bytes())["jsons"] == expected
    assert file.read_bytes() == content
    end(server)
    assert file.read_bytes() == content
    again = serve(envs, settings={"journal": "all"})
    assert again.windows(name) == expected
    if name != "main":
        assert again.post("/delete_env", {"eid": name}).status_code == 200
        assert name not in listed(again)
    end(again)
    assert file.read_bytes() == content
    last = serve(envs, settings={"journal": "all"})
    assert (name in listed(last)) == (name in ("main", "half"))
    assert not list(envs.glob("*corrupt*"))


@pytest.mark.parametrize("name", ["config", "half"])
def test_nothing_is_forked_or_saved_over_it(serve: Serve, envs: Path, records: Records, name: str) -> None:
    (envs / f"{name}.json").write_bytes(UNREADABLE[name])
    records.expect(f"{name}.json")
    records.ignore("400 POST")
    server = serve(envs)
    server.text("w", "one")
    answer = server.post("/fork_env", {"prev_eid": "main", "eid": name})
    assert (answer.status_code, f"{name}.json is" in answer.text) == (400, True)
    with OwnSocket(server) as page:
        error = page.command(1, cmd="save", data={}, prev_eid="main", eid=name)["error"]
        assert f"{name}.json is" in error["message"]
        if NEW_VISDOM:
            server.text("new", "x", eid=name)
            records.expect("has no file")
            error = page.command(2, cmd="save_all")["error"]
            assert f"{name}.json is" in error["message"]
            assert json.loads((envs / "main.json").read_bytes())["jsons"]["w"]["content"] == "one", "the others are saved"
    assert (envs / f"{name}.json").read_bytes() == UNREADABLE[name]


# --- what is taken up ---


@pytest.mark.parametrize("name", ["half", "empty", "other"])
def test_a_file_is_taken_up_when_it_is_whole(serve: Serve, envs: Path, records: Records, name: str) -> None:
    file = envs / f"{name}.json"
    file.write_bytes({"half": WHOLE[:60], "empty": b"", "other": b"[]"}[name])
    records.expect(f"{name}.json")
    records.ignore("409 POST")
    server = serve(envs)
    with OwnSocket(server, f"env/{name}", "compare/main+" + name) as page:
        assert asked(server, name).status_code == 409
        file.write_bytes(WHOLE[:90])
        assert asked(server, name).status_code == 409, "it is still being copied"
        file.write_bytes(WHOLE)
        assert server.windows(name) == {"w": WINDOW}
        page.converge(name)
        assert name in listed(server)
        server.text("w", "changed", eid=name)
        page.converge(name)
        assert server.post("/save", {"data": [name]}).status_code == 200
    assert json.loads(file.read_bytes())["jsons"]["w"]["content"] == "changed"
    end(server)


def test_a_publisher_goes_on_in_an_environment_whose_file_appeared_after_the_start(serve: Serve, envs: Path) -> None:
    server = serve(envs)
    (envs / "later.json").write_bytes(WHOLE)
    server.post("/transport/publish", published("later")).raise_for_status()
    assert list(server.windows("later")) == ["w", "new"]
    end(server)
    assert list(json.loads((envs / "later.json").read_bytes())["jsons"]) == ["w", "new"]


def test_a_page_can_be_opened_on_an_environment_whose_file_appeared_after_the_start(
    serve: Serve, envs: Path, records: Records
) -> None:
    server = serve(envs)
    (envs / "later.json").write_bytes(WHOLE)
    (envs / "config.json").write_bytes(OTHERS["config"])
    assert server.get("/env/later").status_code == 200
    assert server.get("/compare/main+later").status_code == 200
    answer = server.get("/env/config")
    records.expect("config.json")
    if NEW_VISDOM:
        records.expect("404 GET")
        assert (answer.status_code, "config.json is" in answer.text) == (404, True)
        assert server.get("/compare/main+config").status_code == 404
    assert server.windows("later") == {"w": WINDOW}


# --- what is shown as far as it goes ---

PARTIAL: dict[str, tuple[bytes, dict[str, Any]]] = {
    "no positions": (b'{"jsons": %b}' % json.dumps({"w": WINDOW}).encode(), {"w": WINDOW}),
    "null for positions": (b'{"jsons": %b, "reload": null}' % json.dumps({"w": WINDOW}).encode(), {"w": WINDOW}),
    "no windows": (b'{"reload": {"w": [0, {}]}}', {}),
    "a byte order mark": (b"\xef\xbb\xbf" + WHOLE, {"w": WINDOW}),
    "UTF-16": (json.dumps(ENVIRONMENT).encode("utf-16"), {"w": WINDOW}),
    "laid out": (json.dumps(ENVIRONMENT, indent=4).encode(), {"w": WINDOW}),
    "other members first": (json.dumps({"a": 1, "by": "somebody", **ENVIRONMENT}).encode(), {"w": WINDOW}),
    "not a number": (b'{"jsons": {"w": {"id": "w", "content": NaN, "i": Infinity}}, "reload": {}}', {"w": {"id": "w", "i": 0}}),
    "half a pair": (b'{"jsons": {"w": {"id": "w", "content": "\\ud800", "i": 0}}, "reload": {}}', {"w": {"id": "w", "i": 0}}),
    "windows without members": (b'{"jsons": {"w": {}, "v": {"id": "v"}}, "reload": {}}', {"w": {}, "v": {"id": "v"}}),
    "what are no windows": (b'{"jsons": {"a": 5, "b": [1], "c": null, "d": "x"}}', {"a": 5, "b": [1], "c": None, "d": "x"}),
}


@pytest.mark.parametrize("name", PARTIAL)
def test_what_is_there_is_shown(serve: Serve, envs: Path, records: Records, name: str) -> None:
    content, windows = PARTIAL[name]
    (envs / "e.json").write_bytes(content)
    records.ignore("not environments|can be read now")  # UTF-16 is not seen by the beginning
    server = serve(envs)
    shown = json.loads(asked(server, "e").text)
    assert shown.keys() == windows.keys()
    for win, window in windows.items():
        if name in ("not a number", "half a pair"):
            assert shown[win]["id"] == window["id"]
        else:
            assert shown[win] == window
    with OwnSocket(server, "env/e") as page, StockSocket(server) as stock:
        page.until(lambda: page.replicas.state("env/e").keys() == windows.keys(), "the page has them all")
        stock.register()
        assert server.post("/env/e", {"sid": stock.sid}).status_code == 200
        stock.receive_command("layout")
    server.text("new", "x", eid="e")
    assert server.post("/save", {"data": ["e"]}).status_code == 200
    assert json.loads((envs / "e.json").read_bytes())["jsons"].keys() == windows.keys() | {"new"}
    end(server)


def test_members_that_visdom_does_not_know_are_kept(serve: Serve, envs: Path) -> None:
    (envs / "e.json").write_bytes(json.dumps({**ENVIRONMENT, "experiment": {"name": "x"}, "by": "somebody"}).encode())
    server = serve(envs)
    server.text("new", "x", eid="e")
    end(server)
    content = json.loads((envs / "e.json").read_bytes())
    assert (content["experiment"], content["by"]) == ({"name": "x"}, "somebody")


def test_all_is_loaded_at_the_start_if_wanted(serve: Serve, envs: Path, records: Records) -> None:
    for name, content in UNREADABLE.items():
        (envs / f"{name}.json").write_bytes(content)
    os.mkfifo(envs / "pipe.json")
    (envs / "partial.json").write_bytes(PARTIAL["no positions"][0])
    for name in DAMAGED:
        records.expect(f"{name}.json is")
    records.expect("not environments")
    server = serve(envs, eager_data_loading=True)
    assert server.app.state["partial"]._raw_dict is not None
    assert server.windows("partial") == {"w": WINDOW}
    for name, content in UNREADABLE.items():
        assert (envs / f"{name}.json").read_bytes() == content


# --- names ---


def test_a_name_that_is_not_unicode_keeps_nobody_from_anything(serve: Serve, envs: Path, records: Records) -> None:
    strange = os.fsencode(envs) + b"/\xff\xfe.json"
    with open(strange, "wb") as file:
        file.write(WHOLE)
    records.expect(r"not environments, and left as they are in .*: \?\?.json")
    server = serve(envs)
    assert listed(server) == ["main"]
    assert server.get("/").status_code == 200
    end(server)
    with open(strange, "rb") as file:
        assert file.read() == WHOLE


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 has no other names for long ones")
def test_long_names_are_found_by_what_is_in_the_file(serve: Serve, envs: Path, records: Records) -> None:
    long, odd = "x" * 300, "hash_" + "0" * 64
    server = serve(envs)
    for eid in (long, odd):
        server.text("w", "one", eid=eid)
    assert server.post("/save", {"data": [long, odd]}).status_code == 200
    end(server)
    (envs / ("hash_" + "1" * 64 + ".json")).write_bytes(WHOLE)
    (envs / ("hash_" + "2" * 64 + ".json")).write_bytes(b"[1]")
    records.expect("hash_1+.json, hash_2+.json")
    again = serve(envs)
    assert listed(again) == sorted([long, odd, "main"])
    assert again.windows(long)["w"]["content"] == again.windows(odd)["w"]["content"] == "one"
    assert again.get("/").status_code == 200
    end(again)


# --- saved views ---


@pytest.mark.parametrize("content", [b"\x80abc", b'{"main": {"view', b"\0" * 20])
def test_saved_views_that_cannot_be_read_stay(serve: Serve, envs: Path, records: Records, content: bytes) -> None:
    (envs / "view").mkdir()
    file = envs / "view" / "layouts.json"
    file.write_bytes(content)
    records.expect("layouts.json cannot be read")
    records.expect("save_layouts failed")
    server = serve(envs)
    with OwnSocket(server, "shared") as page:
        page.until(lambda: page.replicas.state("shared").get("layouts") == "", "there are none")
        error = page.command(1, cmd="save_layouts", data="{}")["error"]
        assert "layouts.json" in error["message"]
        assert file.read_bytes() == content
        file.unlink()
        assert page.command(2, cmd="save_layouts", data="{}")["error"] is None
    assert file.read_text() == "{}"


def test_views_are_not_saved_where_something_else_is(serve: Serve, envs: Path, records: Records) -> None:
    records.ignore("layouts.json cannot be read|view cannot be written")
    records.ignore("save_layouts failed")
    (envs / "view").write_text("a file")
    server = serve(envs)
    with OwnSocket(server) as page:
        assert page.command(1, cmd="save_layouts", data="{}")["error"]["code"] == "failed"
    assert (envs / "view").read_text() == "a file"
