"""The log as JSON: one object in each line, whatever is logged."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.own import OwnSocket
from tests.support.relayed import FAST, origin_and_relay
from tests.support.served import ADA
from tests.support.server import WITHOUT_PAGE, VisdomServer
from tests.support.wait import until
from visdom_transport.core.causes import Cause
from visdom_transport.operators.log_format import JsonFormatter, write_as_json

JSON = {"log_format": "json"}


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    text = JsonFormatter().format(record)
    assert len(text.splitlines()) == 1
    line: dict[str, Any] = json.loads(text)
    return line


def record(message: str, *args: object, **members: Any) -> logging.LogRecord:
    made = logging.LogRecord("visdom_transport.x", logging.WARNING, "x.py", 1, message, args, members.pop("exc_info", None))
    for name, value in members.items():
        setattr(made, name, value)
    return made


def test_a_line_has_time_level_logger_and_message() -> None:
    made = record("%s is %d", "it", 7)
    made.created = 1_800_000_000.1239
    assert line_of(made) == {
        "time": "2027-01-15T08:00:00.123Z",
        "level": "WARNING",
        "logger": "visdom_transport.x",
        "message": "it is 7",
    }
    assert datetime.fromisoformat(line_of(made)["time"]).timestamp() == pytest.approx(made.created, abs=0.001)


def test_a_line_has_the_fields_of_its_record_and_no_others() -> None:
    line = line_of(record("x", event="conflated_events", count=3, client="browser", password="no field"))
    assert set(line) == {"time", "level", "logger", "message", "event", "count", "client"}


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb\u2028c", "\x1b[2J", "\udcff", '"}\n{"level": "CRITICAL"'])
def test_no_message_makes_another_line(text: str) -> None:
    assert line_of(record(text))["message"] == text
    JsonFormatter().format(record(text)).encode()


def test_a_traceback_is_one_member() -> None:
    try:
        raise ValueError("wrong")
    except ValueError:
        line = line_of(record("failed", exc_info=sys.exc_info()))
    assert line["traceback"].endswith("ValueError: wrong")
    assert line["message"] == "failed"


def test_a_file_of_the_host_stays_as_it_is(tmp_path: Path) -> None:
    logger = logging.getLogger("of_a_host")
    logger.propagate = False
    to_file, to_output = logging.FileHandler(tmp_path / "log"), logging.StreamHandler(sys.stderr)
    for handler in (to_file, to_output):
        logger.addHandler(handler)
    try:
        write_as_json()
        assert to_file.formatter is None
        assert isinstance(to_output.formatter, JsonFormatter)
    finally:
        to_file.close()
        logger.handlers.clear()


PRINTED = ("It's Alive!", "You can navigate", "Checking for scripts", "Downloading scripts")
"""What Visdom prints, which is no log."""


def logged(server: VisdomServer) -> list[dict[str, Any]]:
    """Its log. A line that is being written is not complete."""
    lines = server.log().split("\n")[:-1]
    return [json.loads(line) for line in lines if line and not line.startswith(PRINTED)]


def test_a_server_that_a_program_starts_logs_json(tmp_path: Path) -> None:
    with VisdomServer(tmp_path, settings=JSON, program=WITHOUT_PAGE) as server:
        assert server.get("/static/nothing").status_code == 404
        until(lambda: any("/static/nothing" in line["message"] for line in logged(server)), "the line", seen=server.log_tail)


def test_all_that_a_server_logs_is_json(tmp_path: Path) -> None:
    with VisdomServer(tmp_path, settings=JSON) as server:
        assert server.get("/static/nothing").status_code == 404
        with OwnSocket(server, "env/main") as reader:
            reader.ask({"type": "dance"}, "error")

        def refusals() -> list[dict[str, Any]]:
            return [line for line in logged(server) if line.get("event") == Cause.REFUSED_MESSAGES]

        (line,) = until(refusals, "the line", seen=server.log_tail)
        assert line["logger"] == "visdom_transport.clients"
        assert line["level"] == "INFO"
        assert line["client"] == "browser at 127.0.0.1"
        assert line["count"] == 1
        assert "dance" in line["detail"]
        assert "update that client" in line["advice"]
        assert any("404 GET /static/nothing" in line["message"] for line in logged(server))


def test_all_that_a_relay_logs_is_json_and_nothing_of_it_opens_anything(tmp_path_factory: pytest.TempPathFactory) -> None:
    with origin_and_relay(tmp_path_factory, settings=FAST | JSON, login=ADA) as (origin, relay):
        with OwnSocket(relay, "env/main") as reader:
            secret = reader.welcome["secret"]
            reader.ask({"type": "dance"}, "error")
        cookie = relay.http.cookies["user_password"]
        relay.http.get(relay.url("/transport/status"), headers={"Authorization": "Bearer a-token"}, timeout=20)
        origin.kill()
        until(lambda: any("is away" in line["message"] for line in logged(relay)), "the line", seen=relay.log_tail)
        logged(origin)
        for text in (secret, cookie, cookie.split("|")[-1], ADA.password, ADA.digest, "a-token"):
            assert text not in relay.log()
            assert text not in origin.log()
