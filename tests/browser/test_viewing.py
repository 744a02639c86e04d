"""Plots are drawn where somebody looks, and are right wherever one looks: many panes, and what people do with a plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Tab
from tests.support.dashboard import Dashboard
from tests.support.server import VisdomServer
from tests.support.viewing import (
    COUNTS,
    DRAWN,
    IN_VIEW,
    PANES,
    append,
    append_both,
    assert_view_drawn,
    fill,
    graph,
    plot_of,
    publish_loss,
    ranges,
    wait_points,
    zoom,
)
from tests.support.wait import during, until

#: What the page holds of the server's state, beside what the bundle and Plotly write into what they show.
REPLICA = """
const { session } = window.visdomTransport;
return Object.fromEntries([...session.replica(arguments[0]).values].map(([id, window]) => [id, window.content]));
"""
CATCH_DOWNLOADS = """
window.downloads = [];
HTMLAnchorElement.prototype.click = function () { window.downloads.push(this.download); };
"""


@pytest.fixture(scope="module")
def server(serve: Callable[..., VisdomServer]) -> VisdomServer:
    return serve()


@pytest.fixture
def many(dash: Dashboard) -> Dashboard:
    """A dashboard of many lines, which nobody looks at yet."""
    fill(dash.vis)
    return dash


@pytest.fixture
def tab(dash: Dashboard) -> Tab:
    """A page that shows one line of two traces, `loss`."""
    publish_loss(dash.vis)
    return dash.watch()


def test_details_of_the_badge_say_how_many_are_drawn(many: Dashboard) -> None:
    tab = many.watch()
    assert_view_drawn(tab)
    text = tab.js("""
        const root = document.querySelector("visdom-link-badge").shadowRoot;
        root.querySelector("button[aria-expanded]").click();
        return root.querySelector(".details").innerText;
    """)
    assert f"{tab.js(COUNTS)['drawn']} of {PANES} drawn" in text


def test_filter(many: Dashboard) -> None:
    tab = many.watch()
    tab.show()
    field = tab.browser.driver.find_element(By.CSS_SELECTOR, "input[data-cy=filter]")
    field.send_keys("plot 19")
    top = "return graph.getBoundingClientRect().top"
    until(lambda: graph(tab, top, win="plot 190") < 800, "it has come up", seen=lambda: graph(tab, top, win="plot 190"))
    assert_view_drawn(tab)
    assert graph(tab, "return graph.querySelector('.main-svg') !== null", win="plot 190")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.BACKSPACE)
    shown = "return getComputedStyle(graph).visibility"
    until(lambda: graph(tab, shown, win="plot 000") == "visible", "the others are shown again")
    many.assert_current(tab)
    assert_view_drawn(tab)


def test_larger_window_has_more_in_view(many: Dashboard) -> None:
    tab = many.watch()
    before = tab.js(IN_VIEW)
    tab.browser.driver.set_window_rect(0, 0, 1280, 1800)
    try:
        until(lambda: tab.js(IN_VIEW) > before, "there is more in view")
        assert_view_drawn(tab)
    finally:
        tab.browser.driver.set_window_rect(0, 0, 1280, 900)
    many.assert_current(tab)


def test_pane_is_resized_by_its_corner(dash: Dashboard) -> None:
    fill(dash.vis, 1)
    tab = dash.watch()
    assert_view_drawn(tab)
    sizes = "return [graph._fullLayout.width, graph.getBoundingClientRect().width]"
    before = graph(tab, sizes, win="plot 000")[0]
    handle = tab.browser.driver.find_element(By.CSS_SELECTOR, ".react-resizable-handle")
    ActionChains(tab.browser.driver).click_and_hold(handle).move_by_offset(150, 100).release().perform()

    def fits() -> bool:
        plot, pane = graph(tab, sizes, win="plot 000")
        return bool(plot > before + 50 and abs(plot - pane) < 2)

    until(fits, "the plot is as wide as its pane", seen=lambda: graph(tab, sizes, win="plot 000"))
    dash.assert_current(tab)


def test_pane_that_is_dragged_keeps_its_plot(dash: Dashboard) -> None:
    fill(dash.vis, 4)
    tab = dash.watch()
    assert_view_drawn(tab)
    bar = tab.browser.driver.find_elements(By.CSS_SELECTOR, ".react-grid-item .bar")[0]
    ActionChains(tab.browser.driver).move_to_element_with_offset(bar, 20, 0).click_and_hold().move_by_offset(
        80, 200
    ).release().perform()
    append(dash, "w000", "w003")
    dash.assert_current(tab)
    assert_view_drawn(tab)


def test_all_is_drawn_for_the_printer(dash: Dashboard) -> None:
    fill(dash.vis, 40)
    tab = dash.watch()
    assert sum(tab.js(DRAWN)) < 40
    tab.js("dispatchEvent(new Event('beforeprint'))")
    assert sum(tab.js(DRAWN)) == 40


def test_plot_that_nobody_has_seen_can_be_downloaded(dash: Dashboard) -> None:
    fill(dash.vis, 40)
    tab = dash.watch()
    tab.js(CATCH_DOWNLOADS)
    graph(tab, "Plotly.downloadImage(graph, { format: 'svg', filename: 'unseen' })", win="plot 039")
    until(
        lambda: tab.js("return window.downloads") == ["unseen.svg"],
        "it is downloaded",
        seen=lambda: tab.js("return window.downloads"),
    )
    dash.assert_current(tab)


def test_zoom_goes_on_while_points_are_appended(dash: Dashboard, tab: Tab) -> None:
    assert_view_drawn(tab)
    driver = tab.browser.driver
    ActionChains(driver).move_to_element_with_offset(plot_of(tab), -80, -80).click_and_hold().move_by_offset(60, 60).perform()
    for step in range(5):
        append_both(dash, step)
    during(0.6, lambda: True, "time for updates to come in the middle of the drag")
    ActionChains(driver).move_by_offset(60, 60).release().perform()
    until(lambda: graph(tab, "return graph.layout.xaxis?.autorange === false"), "the plot is zoomed", seen=lambda: ranges(tab))
    wait_points(tab, 9)
    dash.assert_current(tab)


def test_choice_in_the_legend_is_kept_through_appends(dash: Dashboard, tab: Tab) -> None:
    assert_view_drawn(tab)
    tab.show()
    tab.browser.driver.find_elements(By.CSS_SELECTOR, ".legendtoggle")[1].click()
    visible = "return graph.data.map(({ visible }) => visible ?? true)"
    until(lambda: graph(tab, visible) == [True, "legendonly"], "a trace is hidden", seen=lambda: graph(tab, visible))
    for step in range(5):
        append_both(dash, step)
    wait_points(tab, 9)
    assert graph(tab, visible) == [True, "legendonly"]
    dash.assert_current(tab)


def test_hover_outlives_an_append(dash: Dashboard, tab: Tab) -> None:
    assert_view_drawn(tab)
    offset = graph(
        tab,
        """
        const { xaxis, yaxis } = graph._fullLayout;
        const { width, height } = graph.getBoundingClientRect();
        return [xaxis._offset + xaxis.l2p(2) - width / 2, yaxis._offset + yaxis.l2p(3) - height / 2];
        """,
    )
    graph_element = graph(tab, "return graph")
    for aside in (12, 1):
        ActionChains(tab.browser.driver).move_to_element_with_offset(
            graph_element, int(offset[0]) + aside, int(offset[1])
        ).perform()
    label = "return graph.querySelectorAll('.hoverlayer .hovertext').length"
    until(lambda: graph(tab, label) > 0, "a label is shown")
    # Within the ranges of both axes: what is under the mouse stays there.
    dash.vis.line(X=[[3.5, 3.5]], Y=[[2, 2]], win="loss", update="append", opts={"legend": ["up", "down"]})
    wait_points(tab, 5)
    until(lambda: graph(tab, label) > 0, "it is shown again", timeout_s=2)


def test_replica_is_untouched_by_what_people_do(dash: Dashboard, tab: Tab) -> None:
    steps = [number / 10 for number in range(300)]
    dash.vis.line(X=steps, Y=steps, win="long", opts={"title": "long", "xtickmin": 0, "xtickmax": 40})
    dash.vis.heatmap(X=[steps[:150], steps[:150]], win="heat", opts={"title": "heat"})
    dash.assert_current(tab)
    assert_view_drawn(tab)
    zoom(tab)
    plot = graph(tab, "return graph.querySelector('.nsewdrag')", win="long")
    ActionChains(tab.browser.driver).move_to_element_with_offset(plot, -40, 0).click_and_hold().move_by_offset(
        70, 30
    ).release().perform()
    for title in ("smooth lines", "properties"):
        tab.browser.driver.find_elements(By.CSS_SELECTOR, f"button[title='{title}']")[0].click()
    dash.vis.line(X=[31], Y=[31], win="long", update="append")
    append_both(dash, 0)
    wait_points(tab, 5)
    tab.browser.driver.find_elements(By.CSS_SELECTOR, "button[title='smooth lines']")[0].click()
    dash.assert_current(tab)
    until(lambda: tab.js(REPLICA, f"env/{dash.env}") == contents(dash), "the replica is the server's state")


def contents(dash: Dashboard) -> dict[str, Any]:
    return {key: window["content"] for key, window in dash.server.windows(dash.env).items()}
