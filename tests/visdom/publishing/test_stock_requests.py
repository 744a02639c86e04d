"""What is posted to Visdom's own handlers: refused as a whole, with a reason, where Visdom fails, perhaps half-way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import visdom.utils.server_utils as server_utils

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records

Serve = Callable[..., LocalServer]

TOO_LONG = "n" * 300


@pytest.fixture(autouse=True)
def _expected(records: Records) -> None:
    for pattern in (r"tornado\.access", "cannot be brought back", "is not kept on disk"):
        records.ignore(pattern)


def state(server: LocalServer) -> str:
    return server.run(lambda: json.dumps({eid: dict(content["jsons"]) for eid, content in server.app.state.items()}))


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/win_data", "not an object", "body"),
        ("/win_data", {"eid": "main"}, "win"),
        ("/win_data", {"win": [5]}, "win"),
        ("/win_data", {"win": None, "eid": "new", "data": "{"}, "data"),
        ("/win_data", {"win": None, "eid": "new", "data": "[1]"}, "data"),
        ("/win_data", {"win": None, "eid": "new", "data": {}}, "data"),
        ("/win_data", {"eid": "new", "data": "{}"}, "win"),
        ("/win_data", {"win": [], "eid": "new", "data": "{}"}, "win"),
        ("/win_exists", {"win": {}}, "win"),
        ("/save", {}, "data"),
        ("/save", {"data": ["main", None]}, "data"),
        ("/fork_env", {"prev_eid": "main"}, "eid"),
        ("/fork_env", {"prev_eid": "main", "eid": "a\0b"}, "eid"),
        ("/delete_env", {"eid": []}, "eid"),
        ("/env/main", {"sid": []}, "sid"),
        ("/env/main", {"eid": None}, "eid"),
        ("/compare/main", {}, "sid"),
        *([] if NEW_VISDOM else [("/fork_env", {"prev_eid": "main", "eid": TOO_LONG}, "eid"), ("/win_hash", {}, "win")]),
    ],
)
def test_what_cannot_be_carried_out_is_refused_and_changes_nothing(server: LocalServer, path: str, body: Any, field: str) -> None:
    server.text("a", "one")
    before = state(server)
    answer = server.post(path, body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert state(server) == before


@pytest.mark.parametrize("eid", [[], {}, 5])
def test_a_read_only_server_refuses_a_name_that_is_none(serve: Serve, records: Records, eid: Any) -> None:
    records.ignore("read only")
    server = serve(readonly=True, settings={"readonly_http": "refuse"})
    assert server.post("/env/x", {"eid": eid}).status_code in (400, 403)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/win_data", {"win": "missing", "eid": "main"}),
        ("/win_data", {"win": None, "eid": "missing"}),
        ("/fork_env", {"prev_eid": "missing", "eid": "new"}),
        ("/", {"username": "ada", "password": "x"}),
        ("/elsewhere", {}),
        *([] if NEW_VISDOM else [("/win_hash", {"win": "a", "eid": "missing"})]),
    ],
)
def test_what_is_not_there_is_told_in_words_that_nobody_takes_for_a_window(server: LocalServer, path: str, body: Any) -> None:
    before = state(server)
    answer = server.post(path, body)
    assert answer.status_code == 404
    assert re.search("missing|nothing can be posted", answer.text)
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(answer.text)
    assert state(server) == before


@pytest.mark.parametrize("field", ["win", "eid"])
@pytest.mark.parametrize("path", ["/events", "/update", "/embedding", "/close", "/win_data", "/win_exists"])
def test_half_a_surrogate_pair_is_no_name(server: LocalServer, path: str, field: str) -> None:
    before = state(server)
    body = {"data": [{"type": "text", "content": "x"}], "append": True, "win": "w", "eid": "main", field: "\ud800"}
    answer = server.post(path, {**body, "data": "{}"} if path == "/win_data" else body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert state(server) == before


def test_what_is_no_window_can_be_replaced_but_not_updated(server: LocalServer) -> None:
    for odd in ([], 5, "x", None):
        server.post("/win_data", {"win": "a", "eid": "main", "data": json.dumps(odd)}).raise_for_status()
        answer = server.post("/update", {"win": "a", "eid": "main", "data": [{"type": "text", "content": "more"}]})
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "win"), odd
        server.text("a", "one")
    server.post(
        "/win_data", {"win": "b", "eid": "main", "data": json.dumps({"type": "text", "content": "no id"})}
    ).raise_for_status()
    answer = server.post("/update", {"win": "b", "eid": "main", "data": [{"type": "text", "content": "more"}]})
    assert (answer.status_code, answer.text) == (200, "b")


def test_an_id_that_cannot_be_a_files_name_is_told_when_it_is_saved(server: LocalServer, records: Records) -> None:
    records.expect("has no file and is kept in the journal: its id cannot be the name of a file")
    eid = "a\0b"
    server.text("w", "one", eid=eid)
    assert server.post("/save", {"data": [eid]}).status_code == 400
    with OwnSocket(server) as page:
        error = page.command(1, cmd="save", data={}, prev_eid="main", eid=eid)["error"]
        assert (error["code"], error["field"]) == ("bad_field", "eid")
        assert page.command(2, cmd="delete_env", eid=eid)["error"] is None
        assert page.command(3, cmd="delete_env", eid=TOO_LONG * 10)["error"] is None
        assert page.command(4, cmd="save_layouts", data="\ud800")["error"]["field"] == "data"
        for feed in (f"env/{TOO_LONG}", "env/a\0b", "env/\ud800"):
            page.send({"type": "subscribe", "feed": feed, "position": None})
            assert page.receive_type("subscribed")["feed"] == feed
    assert eid not in server.post("/env_state", {}).json()


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 cannot bring windows back")
def test_a_window_is_brought_back_whatever_the_others_are(server: LocalServer) -> None:
    server.text("a", "one")
    with OwnSocket(server) as page:
        page.command(1, cmd="close", data="a", eid="main")
        for odd in ("[]", '{"i": "x"}'):
            server.post("/win_data", {"win": odd, "eid": "main", "data": odd})
        assert page.command(2, cmd="undo", eid="main")["error"] is None
    assert server.windows()["a"]["content"] == "one"


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 takes no uploads")
@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("a.json", {"jsons": {}, "reload": {}}, 200),
        ("../../a.json", {"jsons": {}, "reload": {}}, 200),
        ("a.json", {"jsons": [], "reload": {}}, 400),
        ("a.json", {"jsons": {}, "reload": 5}, 400),
        ("a.json", [], 400),
        ("a%00b.json", {"jsons": {}, "reload": {}}, 400),
    ],
)
def test_an_upload_is_an_environment_or_refused(server: LocalServer, name: str, content: Any, status: int) -> None:
    before = state(server)
    boundary = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=utf-8''%b\r\n\r\n%b\r\n--b--\r\n"
    body = boundary % (name.encode(), json.dumps(content).encode())
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = server.http.post(server.url("/upload_env"), data=body, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["success"]) == (status, status == 200), answer.text
    assert (state(server) == before) == (status != 200)


@pytest.mark.skipif(NEW_VISDOM, reason="0.3.0 looks for the end of the name only")
def test_json_in_a_name_is_part_of_the_name_after_a_restart(serve: Serve, tmp_path: Path) -> None:
    first = serve(tmp_path / "kept")
    for eid in ("x", "x.json", "y.json.z"):
        first.text("w", eid, eid=eid)
    first.post("/save", {"data": ["x", "x.json", "y.json.z"]}).raise_for_status()
    second = serve(tmp_path / "kept")
    assert sorted(second.post("/env_state", {}).json()) == ["main", "x", "x.json", "y.json.z"]
    for eid in ("x", "x.json", "y.json.z"):
        assert second.windows(eid)["w"]["content"] == eid


@pytest.mark.skipif(not NEW_VISDOM, reason="0.2.4 brings no closed windows back")
def test_of_all_windows_that_are_closed_only_those_are_written_that_can_be_brought_back(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        server.text(f"w{number}", "x")
    push, pushed = server_utils.push_deleted, []

    def counted(store: Any, eid: str, win: str, window: Any) -> None:
        pushed.append(win)
        push(store, eid, win, window)

    monkeypatch.setattr(server_utils, "push_deleted", counted)
    server.post("/close", {"win": None, "eid": "main"}).raise_for_status()
    assert pushed == ["w6", "w7", "w8", "w9"]
    with OwnSocket(server) as page:
        for number in range(1, 6):
            assert page.command(number, cmd="undo", eid="main")["error"] is None
    assert sorted(server.windows()) == pushed
