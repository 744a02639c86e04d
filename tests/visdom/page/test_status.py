"""`/transport/status`: documented, and readable for people."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

from tests.support.local import LocalServer
from tests.support.own import OwnSocket

ROOT = Path(__file__).resolve().parents[3]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def members(status: dict[str, Any]) -> set[str]:
    feed = next(iter(status["feeds"].values()))
    return {*status, *status["totals"], *status["durability"], *status["sessions"][0], *feed}


def test_every_member_is_in_the_operations_page(server: LocalServer) -> None:
    with OwnSocket(server, "env/main"):
        found = members(server.status())
    monitoring = (ROOT / "docs" / "operations.md").read_text().split("## Monitoring")[1].split("\n## ")[0]
    assert found - set(re.findall(r"`(\w+)`", monitoring)) == set()


def test_a_browser_is_shown_a_page_and_programs_get_json(server: LocalServer) -> None:
    with OwnSocket(server, "env/<b>&main"):
        page = server.http.get(server.url("/transport/status"), headers=BROWSER, timeout=20)
        assert page.headers["Content-Type"].startswith("text/html")
        assert "<b>" not in page.text
        for member in members(server.status()):
            assert f">{member}<" in page.text
        assert "env/<b>&main" in unescape(page.text)
        for options in ({}, {"headers": BROWSER, "params": {"format": "json"}}):
            answer = server.http.get(server.url("/transport/status"), timeout=5, **options)  # type: ignore[arg-type]
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.json()["version"]
