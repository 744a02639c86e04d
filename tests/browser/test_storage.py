"""A browser that lets no site keep anything, cookies and storage alike: the page is as in any other until it is left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser
from tests.support.dashboard import Dashboard, change, fill
from tests.support.front import Front, Reply
from tests.support.wait import until

BLOCKED = {"profile.default_content_setting_values.cookies": 2}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium"), BLOCKED) as browser:
        yield browser


def test_a_page_without_storage_is_live_and_can_be_used(dash: Dashboard) -> None:
    dash.vis.text("first", win="notes", opts={"title": "Notes"})
    tab = dash.watch()
    assert tab.js("return String(localStorage)") == "[object Object]", "the browser refuses its own"
    other = f"{dash.env}b"
    dash.publisher(other).text("elsewhere", win="notes", opts={"title": "Other notes"})
    tab.select_envs(other)
    dash.assert_current(tab, env=other)
    tab.close_pane("Other notes")
    until(lambda: not dash.server.windows(other), "the close reaches the server")
    tab.select_envs(dash.env)
    fill(dash.vis)
    dash.assert_current(tab)


def test_a_frame_of_another_site_is_live(dash: Dashboard) -> None:
    fill(dash.vis)
    inner = dash.server.url(f"/env/{dash.env}", port=dash.proxy.port)
    outer = f"<!doctype html><iframe width=900 height=600 src='{inner}'></iframe>"
    with Front(dash.server.port) as front:
        front.behave = lambda _: Reply(200, {"Content-Type": "text/html"}, outer.encode())
        # Under another name of this machine: for a browser, another site.
        tab = dash.browser.open(f"http://localhost:{front.port}/")

        def text() -> str:
            tab.show()
            dash.browser.driver.switch_to.frame(0)
            return str(dash.browser.driver.execute_script("return document.body.innerText"))

        until(lambda: "first line" in text(), "the frame shows the panes", seen=text)
        change(dash.vis)
        until(lambda: "second line" in text(), "the frame is live", seen=text)
    assert dash.browser.exceptions() == []
