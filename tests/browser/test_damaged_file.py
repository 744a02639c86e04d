"""A page on an environment whose file is damaged says so, and shows the windows as soon as there are some."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.browser import Browser, Tab
from tests.support.server import VisdomServer
from tests.support.wait import until

BADGE = "return document.querySelector('visdom-link-badge')?.shadowRoot.textContent ?? ''"

WINDOW = {"command": "window", "id": "w", "title": "t", "type": "text", "content": "hello", "contentID": "c", "i": 0}


def assert_says(tab: Tab, text: str) -> None:
    tab.show()
    until(lambda: text in tab.js(BADGE), f"the badge says {text}", seen=lambda: tab.js(BADGE))


def test_a_page_says_why_nothing_is_shown_and_shows_what_comes(browser: Browser, tmp_path: Path) -> None:
    server = VisdomServer(tmp_path)
    server.env_path.mkdir()
    whole = json.dumps({"jsons": {"w": {**WINDOW, "width": 200, "height": 200, "inflate": True}}, "reload": {}})
    for name in ("half", "broken"):
        (server.env_path / f"{name}.json").write_text(whole[:60])
    with server:
        repaired, published = browser.open(server.url("/env/half")), browser.open(server.url("/env/broken"))
        assert_says(repaired, "half.json is not JSON")
        assert_says(published, "broken.json is not JSON")
        (server.env_path / "half.json").write_text(whole)
        server.post("/win_exists", {"eid": "half", "win": "w"})
        body = {"eid": "broken", "win": "n", "data": [{"type": "text", "content": "x"}], "opts": {"title": "n"}}
        server.post("/events", body)
        repaired.assert_equals(server, "half")
        published.assert_equals(server, "broken")
        assert (server.env_path / "broken.json").read_text() == whole[:60]
        browser.close_tabs()
