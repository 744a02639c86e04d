"""Hidden tabs, many tabs, duplicated tabs, and what a tab says about itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Tab
from tests.support.dashboard import Dashboard, change, fill
from tests.support.server import VisdomServer
from tests.support.wait import during, until

COUNT_BATCHES = """
const replica = window.visdomTransport.session.replica(arguments[0]);
const apply = replica.apply;
window.batchesSeen = 0;
replica.apply = function (batch) {
  window.batchesSeen += 1;
  return apply.call(this, batch);
};
"""
SESSION_ID = "return window.visdomTransport.session.id"
COUNT_PLOTS = """
window.plotted = 0;
for (const name of ["newPlot", "react"]) {
  const native = Plotly[name];
  Plotly[name] = function (id, data, layout, ...rest) {
    if (JSON.stringify(layout.title ?? "").includes("Plot 14")) window.plotted += 1;
    return native.call(this, id, data, layout, ...rest);
  };
}
"""
BADGE = """
const root = document.querySelector("visdom-link-badge").shadowRoot;
const button = root.querySelector("button[aria-expanded]");
const shown = (element) => element.getClientRects().length > 0;
return {
  text: button.textContent,
  label: button.getAttribute("aria-label"),
  expanded: button.getAttribute("aria-expanded"),
  details: shown(root.querySelector(".details")) ? root.querySelector(".details").innerText : null,
  spoken: root.querySelector("[role=status]").textContent,
  focused: root.activeElement === button,
};
"""


@pytest.fixture(scope="module")
def server(serve: Callable[..., VisdomServer]) -> VisdomServer:
    return serve()


def links_to(server: VisdomServer, env: str) -> int:
    """How many sessions with a link follow an environment."""
    sessions = server.status()["sessions"]
    return sum(f"env/{env}" in session["subscriptions"] and session["link"] is not None for session in sessions)


def test_hidden_tab_takes_nothing_and_is_current_in_one_batch(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    tab.hide()
    tab.js(COUNT_BATCHES, f"env/{dash.env}")
    before = dash.proxy.traffic
    for step in range(400):
        dash.vis.line(Y=[step], X=[10 + step], win="loss", update="append")
        if step % 20 == 0:
            dash.vis.text(f"{step} " + "x" * 20_000, win="notes", opts={"title": "Notes"})
    during(4.0, tab.is_live, "a hidden page keeps its link for longer than silence is allowed to last")
    assert (dash.proxy.traffic - before).down_bytes < 5_000
    assert tab.js("return window.batchesSeen") == 0
    tab.unhide()
    dash.assert_current(tab)
    assert tab.js("return window.batchesSeen") == 1


def test_hidden_tab_that_polls_keeps_its_link(dash: Dashboard) -> None:
    dash.proxy.block_websockets("refuse")
    fill(dash.vis)
    tab = dash.open()
    tab.wait_session(phase="live", link="poll", timeout_s=30)
    dash.assert_current(tab)
    tab.hide()
    before = dash.proxy.traffic
    for step in range(50):
        dash.vis.text(f"{step} " + "x" * 20_000, win="notes", opts={"title": "Notes"})
    during(4.0, tab.is_live, "a hidden page keeps polling for longer than silence is allowed to last")
    assert (dash.proxy.traffic - before).down_bytes < 50_000
    tab.unhide()
    dash.assert_current(tab)


def test_plot_out_of_view_is_drawn_seldom_and_is_current_all_the_same(dash: Dashboard) -> None:
    for number in range(15):
        dash.vis.line(Y=[1, 2], X=[1, 2], win=f"plot{number}", opts={"title": f"Plot {number}", "width": 600, "height": 500})
    tab = dash.watch()
    tab.js(COUNT_PLOTS)
    for step in range(100):
        dash.vis.line(Y=[step], X=[3 + step], win="plot14", update="append")
    dash.assert_current(tab)
    assert 1 <= tab.js("return window.plotted") <= 6
    tab.js("document.scrollingElement.scrollTo(0, 1e6)")
    tab.js("window.plotted = 0")
    for step in range(100):
        dash.vis.line(Y=[step], X=[200 + step], win="plot14", update="append")
    dash.assert_current(tab)
    assert tab.js("return window.plotted") >= 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_20_tabs_have_20_sessions(dash: Dashboard) -> None:
    dash.vis.text("first", win="notes", opts={"title": "Notes"})
    tabs = [dash.open() for _ in range(20)]
    for tab in tabs:
        tab.wait_live(timeout_s=60)
    assert len({tab.js(SESSION_ID) for tab in tabs}) == 20
    assert links_to(dash.server, dash.env) == 20
    dash.vis.text("second", win="notes", opts={"title": "Notes"})
    dash.assert_current(*tabs, timeout_s=60)
    ids = [tab.js(SESSION_ID) for tab in tabs[:2]]
    tabs[0].refresh()
    tabs[0].wait_live()
    assert [tab.js(SESSION_ID) for tab in tabs[:2]] == ids, "a refresh resumes the tab's own session"


def test_duplicated_tab_gets_a_session_of_its_own(dash: Dashboard) -> None:
    """A duplicate begins with a copy of the session storage: two tabs claim to be the same session."""
    fill(dash.vis)
    tab = dash.watch()
    original = tab.js(SESSION_ID)
    known = set(dash.browser.driver.window_handles)
    # As a duplicate, a window opened by the page begins with a copy of its session storage.
    tab.js("window.open(location.href)")
    (handle,) = until(lambda: set(dash.browser.driver.window_handles) - known, "the duplicate opens")
    double = Tab(dash.browser, handle)
    dash.browser.tabs.append(double)
    double.js("window.loadedByTheTest = true")
    tabs = (tab, double)

    def settled() -> bool:
        return all(each.is_live() for each in tabs) and tab.js(SESSION_ID) != double.js(SESSION_ID)

    until(settled, "both are live, each in a session of its own", timeout_s=30, seen=lambda: [t.session() for t in tabs])
    ids = [each.js(SESSION_ID) for each in tabs]
    assert original in ids
    since = [(each.session() or {})["since"] for each in tabs]
    during(3.0, lambda: [(each.session() or {})["since"] for each in tabs] == since, "they do not take each other's session away")
    change(dash.vis)
    dash.assert_current(*tabs)
    assert [each.js(SESSION_ID) for each in tabs] == ids


def test_badge_is_told_and_operated_without_a_mouse(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    badge = tab.js(BADGE)
    assert (badge["label"], badge["expanded"], badge["details"], badge["spoken"]) == ("visdom: live", "false", None, "")
    tab.js("document.querySelector('visdom-link-badge').shadowRoot.querySelector('button[aria-expanded]').focus()")
    ActionChains(dash.browser.driver).send_keys(Keys.ENTER).perform()
    badge = tab.js(BADGE)
    assert badge["expanded"] == "true"
    assert "WebSocket" in badge["details"]
    ActionChains(dash.browser.driver).send_keys(Keys.ESCAPE).perform()
    badge = tab.js(BADGE)
    assert (badge["expanded"], badge["details"], badge["focused"]) == ("false", None, True)
    dash.proxy.refuse()
    tab.wait_live(False)
    until(lambda: "reconnecting" in tab.js(BADGE)["text"], "the badge counts down")
    assert tab.js(BADGE)["spoken"].startswith("reconnecting")
    dash.proxy.accept()
    tab.wait_live()
    ActionChains(dash.browser.driver).send_keys(Keys.ENTER).perform()
    until(lambda: "resumed" in (tab.js(BADGE)["details"] or ""), "the details tell of the last reconnect")
