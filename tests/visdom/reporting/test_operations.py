"""The feed and the frame of the operator's page."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.wait import until

Serve = Callable[..., LocalServer]

FEED = "operator"


def rows(reader: Any, prefix: str) -> list[dict[str, Any]]:
    return [row for key, row in board(reader).items() if key.startswith(prefix)]


def board(reader: Any) -> dict[str, Any]:
    found: dict[str, Any] = reader.replicas.state(FEED)
    return found


def until_shown(reader: Any, condition: Callable[[], object], what: str) -> None:
    """Read on until the board is like that."""

    def shown() -> object:
        reader.poll(0.5)
        return condition()

    until(shown, what, seen=lambda: board(reader))


def test_it_shows_who_looks_who_publishes_and_what_there_is(server: LocalServer) -> None:
    server.text("w", "x", eid="runs")
    operator = OwnPoll(server, FEED)
    with OwnSocket(server, "env/runs") as viewer:
        viewer.receive_type("batch")
        until_shown(operator, lambda: board(operator).get("summary", {}).get("watching"), "the viewer is there")
        (row,) = rows(operator, "session/")
        assert (row["role"], row["link"], row["address"]) == ("browser", "websocket", "127.0.0.1")
        assert row["subscriptions"] == ["env/runs"]
        shown = json.dumps(board(operator))
        assert viewer.welcome["session"] not in shown
        assert viewer.welcome["secret"] not in shown
    (publisher,) = rows(operator, "publisher/")
    assert (publisher["address"], publisher["environments"], publisher["messages"]) == ("127.0.0.1", ["runs"], 1)
    (runs,) = [each for each in rows(operator, "env/") if each["name"] == "runs"]
    assert (runs["windows"], runs["viewers"]) == (1, 1)
    assert {each["name"] for each in rows(operator, "limit/")} >= {"VISDOM_TRANSPORT_MAX_SESSIONS"}
    assert board(operator)["server"]["failing"] == {}
    until_shown(operator, lambda: not board(operator)["summary"]["watching"], "the viewer is gone")


def test_it_shows_how_old_a_picture_is(server: LocalServer) -> None:
    server.text("w", "x")
    operator = OwnPoll(server, FEED)
    with OwnSocket(server, "env/main", acknowledge=False) as viewer:
        viewer.receive_type("batch")
        until_shown(operator, lambda: board(operator)["summary"]["oldest_s"] > 1, "the picture is old")
        (row,) = rows(operator, "session/")
        assert row["picture_age_s"] > 1
        assert row["in_flight_bytes"] > 0
        viewer.send({"type": "ack", "batches": 1})
        until_shown(operator, lambda: board(operator)["summary"]["oldest_s"] == 0, "the picture is drawn")


def test_it_shows_a_full_disk_though_nothing_changes(serve: Serve, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()
    operator = OwnPoll(server, FEED)
    condition = server.app.transport.journal.condition
    monkeypatch.setattr(condition, "_try_folder", lambda: OSError(errno.ENOSPC, "No space left on device"))
    until_shown(operator, lambda: board(operator)["disk"]["text"] == "No space left on device", "the disk is full")
    assert board(operator)["disk"]["well"] is False
    assert board(operator)["server"]["failing"] == {"journal": "No space left on device"}


def test_it_shows_what_was_refused(server: LocalServer, records: Records) -> None:
    records.ignore("POST /events")
    operator = OwnPoll(server, FEED)
    server.post("/events", {"data": "x"})
    publish = {"producer": "p" * 20, "first": 1, "messages": [{"endpoint": "events", "body": {"data": 7, "eid": "e\ud800"}}]}
    server.post("/transport/publish", publish)
    until_shown(operator, lambda: len(rows(operator, "publisher/")) == 2, "both are there")
    assert [row["refused"] for row in rows(operator, "publisher/")] == [1, 1]
    until_shown(operator, lambda: len(board(operator)["recent"]) == 2, "what was logged")
    assert {each["cause"] for each in board(operator)["recent"]} == {"refused_payloads"}
    assert all("correct that program" in each["advice"] for each in board(operator)["recent"])
    assert "p" * 7 not in json.dumps(board(operator))


def test_the_page_is_a_frame_with_a_module(server: LocalServer) -> None:
    page = server.get("/transport/operator")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    script = page.text.split('<script type="module" src="')[1].split('"')[0]
    module = requests.get(f"http://127.0.0.1:{server.port}{script}", timeout=20)
    assert module.status_code == 200
    assert "OperatorPage" in module.text


def test_a_setting_turns_it_off(serve: Serve, records: Records) -> None:
    records.ignore(".")  # Visdom logs each page that is not there as an error
    server = serve(settings={"operator_page": "off"})
    assert "operator/main.js" not in server.get("/transport/operator").text
    with OwnSocket(server, FEED) as reader:
        assert reader.receive_type("error")["code"] == "unknown_feed"


def test_it_needs_the_login(serve: Serve, records: Records) -> None:
    records.expect("GET /transport/operator")
    server = serve(login=ADA)
    assert server.get("/transport/operator").status_code == 200
    assert requests.get(server.url("/transport/operator"), timeout=20).status_code in (400, 401)
