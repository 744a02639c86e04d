"""Everything that is counted is explained: in the log, with what to do, and on the operations page."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from visdom_transport.core.causes import Cause, Level
from visdom_transport.operators.log_format import FIELDS
from visdom_transport.settings import Settings, variable
from visdom_transport.visdom.reporting import advice
from visdom_transport.visdom.reporting.advice import log_once

ROOT = Path(__file__).resolve().parents[3]
EVERYDAY = {Cause.CLOSED_REPLACED, Cause.CLOSED_GOING_AWAY, Cause.CLOSED_UNKNOWN_LINK}


def test_every_cause_that_is_not_everyday_is_logged_with_what_to_do() -> None:
    assert {cause for cause in Cause if cause.advice} == set(Cause) - EVERYDAY
    assert {cause for cause in Cause if cause.level is Level.COUNTED} == EVERYDAY


def test_advice_names_settings_that_exist() -> None:
    known = {variable(name) for name in Settings.__dataclass_fields__}
    named = {name for cause in Cause for name in re.findall(r"VISDOM_TRANSPORT_\w+", advice.advice(cause))}
    assert named
    assert named <= known


def test_the_operations_page_explains_every_total(server: LocalServer) -> None:
    rows = [line for line in (ROOT / "docs" / "operations.md").read_text().splitlines() if line.startswith("| `")]
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert set(server.status()["totals"]) <= explained
    assert {cause.value for cause in Cause} <= explained


@pytest.mark.parametrize("cause", Cause)
def test_a_line_names_client_cause_and_detail(cause: Cause, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log_once("browser at 10.0.0.1", cause, "the detail")
    if cause in EVERYDAY:
        assert caplog.records == []
        return
    (record,) = caplog.records
    line = record.getMessage()
    assert line.startswith("browser at 10.0.0.1 ")
    assert line.endswith(f"[{cause.value}] the detail")
    assert record.levelno == (logging.WARNING if cause.level is Level.WARNING else logging.INFO)


def test_a_record_has_the_same_in_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log_once("browser at 10.0.0.1", Cause.CONFLATED_EVENTS, "env/main", 7)
    log_once("10.0.0.2", Cause.CLOSED_LIMIT, "more than max_sessions=3")
    of_feed, of_limit = caplog.records
    assert fields(of_feed) == {
        "event": "conflated_events",
        "client": "browser at 10.0.0.1",
        "count": 7,
        "feed": "env/main",
        "advice": advice.advice(Cause.CONFLATED_EVENTS),
    }
    assert fields(of_limit)["detail"] == "more than VISDOM_TRANSPORT_MAX_SESSIONS=3"
    assert "feed" not in fields(of_limit)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What it has beside its message."""
    return {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}


def test_what_clients_chose_cannot_forge_or_flood_the_log() -> None:
    assert advice.printable("naïve ünïcode 🎈") == "naïve ünïcode 🎈"
    forged = advice.printable("a\nERROR b\x1b[2J\u2028" + "x" * 10_000)
    assert forged.isprintable()
    assert forged.startswith("a\\nERROR b")
    assert len(forged) < 2 * advice.MAX_DETAIL_CHARACTERS


def test_a_slow_page_is_told_of_once_and_counted_each_time(server: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server.text("w", "0")
    with OwnSocket(server, "env/main", hello={"window": 0}) as client:
        client.receive_type("subscribed")
        for round_ in (1, 2):
            for number in range(5):
                server.text("w", f"{round_}.{number}")
            client.send({"type": "credit", "window": 1})
            client.converge()
            client.send({"type": "credit", "window": 0})
            client.ask({"type": "ping"}, "pong")
        (session,) = server.sessions()
        assert session["degraded"] == {"conflated_events": session["conflated_events"]}
        assert session["conflated_events"] >= 4
        assert server.status()["totals"]["conflated_events"] == session["conflated_events"]
    lines = [each.getMessage() for each in caplog.records if "[conflated_events]" in each.getMessage()]
    assert lines == [f"browser at 127.0.0.1 {advice.advice(Cause.CONFLATED_EVENTS)} [conflated_events] env/main"]
