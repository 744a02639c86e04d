"""Alert rules and the dashboard ask for what servers and relays really tell, and the rules fire when they should."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders

from tests.operators.exposed import Exposed
from tests.support.local import LocalServer
from visdom_transport.relay import metrics
from visdom_transport.relay.origin import Origin
from visdom_transport.relay.relay import Relay
from visdom_transport.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = DEPLOY / "prometheus-rules.yml"
DASHBOARD = DEPLOY / "grafana-dashboard.json"
DOCUMENT = Path(__file__).parents[1] / "docs" / "monitoring.md"

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool, of Debian's package prometheus")

NAMES = re.compile(r"\b(?:visdom_transport|process)_\w+")


def promtool(*arguments: object) -> None:
    ran = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def of_relay() -> Exposed:
    async def scrape() -> bytes:
        return metrics.exposition_of(Relay(Origin("http://127.0.0.1:1"), Settings())).answer(HTTPHeaders())[1]

    return Exposed(asyncio.run(scrape()).decode())


def queries(part: Any) -> Iterator[str]:
    """Every query of the dashboard, those of its variables too."""
    if isinstance(part, dict):
        yield from (part[name] for name in ("expr", "query") if isinstance(part.get(name), str))
        for each in part.values():
            yield from queries(each)
    elif isinstance(part, list):
        for each in part:
            yield from queries(each)


def test_only_what_is_told_is_asked_for(server: LocalServer) -> None:
    told = Exposed(server.get("/transport/metrics").text).series | of_relay().series
    asked = {name for text in (RULES.read_text(), *queries(json.loads(DASHBOARD.read_text()))) for name in NAMES.findall(text)}
    assert len(asked) > 30
    assert asked <= told


def test_labels_that_are_asked_for_are_there(server: LocalServer) -> None:
    """By their names and, where there are few, their values."""
    told = {**Exposed(server.get("/transport/metrics").text).samples, **of_relay().samples}
    known = {label for _, labels in told for label in labels}
    texts = (RULES.read_text(), *queries(json.loads(DASHBOARD.read_text())))
    asked = {label for text in texts for label in re.findall(r'\b(over|role|stage|name|source)="(\w+)"', text)}
    assert asked
    assert asked <= known


def test_the_dashboard_is_one(server: LocalServer) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == [
        *("Viewers", "Freshness", "Publishers", "Disk and memory", "Relays")
    ]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, f"{panel['title']} is on top of another"
        taken |= cells


def test_every_alert_is_explained() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert alerts == re.findall(r"^\| `(Visdom\w+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)


@needs_promtool
def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", "--lint-fatal", RULES)


SERIES = "visdom_transport_"


def alert_test(series: dict[str, str], at: str, name: str, expected: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "interval": "10s",
        "input_series": [
            {"series": SERIES + each.replace("{", '{job="visdom", instance="a", ', 1), "values": values}
            for each, values in series.items()
        ],
        "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": [{"exp_labels": labels} for labels in expected]}],
    }


WARNED = {"severity": "warning", "job": "visdom", "instance": "a"}
CRITICAL = WARNED | {"severity": "critical"}
BEHIND = 'clients_behind{over="5", role="browser"}'
LINKS = 'links{role="browser", dialect="own", transport="websocket"}'
SESSIONS, LIMIT = 'sessions{role="browser", dialect="own"}', 'limit{name="max_sessions"}'


@needs_promtool
@pytest.mark.parametrize(
    ("name", "series", "at", "expected"),
    [
        ("VisdomViewersBehind", {BEHIND: "6x60", LINKS: "100x60"}, "6m", [WARNED]),
        ("VisdomViewersBehind", {BEHIND: "5x60", LINKS: "100x60"}, "6m", []),
        ("VisdomViewersBehind", {BEHIND: "6x60", LINKS: "100x60"}, "3m", []),
        ("VisdomViewersBehind", {BEHIND: "0x60", LINKS: "0x60"}, "6m", []),
        ("VisdomJournalLag", {"journal_lag_seconds{}": "0 31x20"}, "2m", [CRITICAL]),
        ("VisdomJournalLag", {"journal_lag_seconds{}": "29x20"}, "2m", []),
        ("VisdomJournalErrors", {"journal_errors_total{}": "0 0 1x20"}, "1m", [CRITICAL]),
        ("VisdomJournalErrors", {"journal_errors_total{}": "7x20"}, "1m", []),
        (
            "VisdomLoopLag",
            {'loop_lag_seconds_bucket{le="0.5"}': "0x90", 'loop_lag_seconds_bucket{le="+Inf"}': "0+1x90"},
            "12m",
            [],
        ),
        (
            "VisdomLoopLag",
            {
                'loop_lag_seconds_bucket{le="0.5"}': "0x90",
                'loop_lag_seconds_bucket{le="1.0"}': "0+1x90",
                'loop_lag_seconds_bucket{le="+Inf"}': "0+1x90",
            },
            "12m",
            [WARNED],
        ),
        ("VisdomSessionsNearLimit", {SESSIONS: "81x20", LIMIT: "100x20"}, "2m", [WARNED]),
        ("VisdomSessionsNearLimit", {SESSIONS: "80x20", LIMIT: "100x20"}, "2m", []),
        ("VisdomRelayWithoutSource", {'source{source="none"}': "0 1x20"}, "1m", [CRITICAL | {"source": "none"}]),
        ("VisdomRelayWithoutSource", {'source{source="none"}': "0x20"}, "1m", []),
    ],
)
def test_an_alert_fires_when_it_should(
    tmp_path: Path, name: str, series: dict[str, str], at: str, expected: list[dict[str, str]]
) -> None:
    fired = alert_test(series, at, name, expected)
    for each in fired["alert_rule_test"][0]["exp_alerts"]:
        each["exp_annotations"] = {"summary": "text", "description": "text"}
    path = tmp_path / "test.yml"
    path.write_text(json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "10s", "tests": [fired]}))
    # Its words have the value in them, which is not what is tested.
    words = re.compile(r"(summary|description): *(>-\n(?: {12}.*\n)+|.*\n)")
    (tmp_path / "rules.yml").write_text(words.sub(r"\1: text\n", RULES.read_text()))
    promtool("test", "rules", path)
