"""Bounded windows on the page: equal to the server after an outage, and no larger after an hour of the same."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.browser import Tab
from tests.support.dashboard import Dashboard
from tests.support.wait import until

POINTS = 600
CYCLES = 720  # every 5 s for an hour
WARMING_CYCLES = 40


def test_cut_during_1000_appends_a_replace_and_a_change_of_the_bound(dash: Dashboard) -> None:
    vis = dash.vis
    vis.line(Y=np.arange(300.0), X=np.arange(300), win="loss", opts={"title": "Loss", "max_points": 200})
    vis.line(Y=[0.0], X=[0], win="replaced", opts={"title": "Replaced"})
    tab = dash.watch()
    dash.proxy.refuse()
    tab.wait_live(False)
    for step in range(1000):
        vis.line(Y=[step / 7], X=[300 + step], win="loss", update="append")
        if step == 500:
            vis.line(Y=[3.0, 4.0], X=[1, 2], win="replaced", opts={"title": "Replaced"})
            vis.update_window_opts("loss", {"max_points": 150})
    dash.proxy.accept()
    tab.wait_live()
    dash.assert_current(tab)
    (trace,) = dash.server.windows(dash.env)["loss"]["content"]["data"]
    assert len(trace["x"]) == 150


@pytest.mark.parametrize("link", ["websocket"], indirect=True)
def test_an_overview_of_a_long_run_is_the_same_on_the_page(dash: Dashboard) -> None:
    """Over one kind of link: what is thinned is like any other change of a window."""
    vis = dash.vis
    vis.line(Y=[0.0], X=[0], win="run", opts={"title": "Run", "max_points": 200, "keep": "overview"})
    tab = dash.watch()

    def publish(first: int) -> None:
        for step in range(first, first + 400):
            y = {150: 50.0, 700: -50.0}.get(step, float(step % 7))
            vis.line(Y=[y], X=[step], win="run", update="append")

    publish(1)
    dash.assert_current(tab)
    dash.proxy.refuse()
    tab.wait_live(False)
    publish(401)
    dash.proxy.accept()
    tab.wait_live()
    dash.assert_current(tab)
    (trace,) = dash.server.windows(dash.env)["run"]["content"]["data"]
    assert 100 <= len(trace["x"]) <= 200
    assert (trace["x"][0], trace["x"][-1]) == (0, 800)
    assert {(150, 50.0), (700, -50.0)} <= set(zip(trace["x"], trace["y"], strict=True))


def test_an_hour_of_republishing_leaves_points_and_heap_where_they_were(dash: Dashboard) -> None:
    points = np.random.default_rng(1).normal(size=(POINTS, 2))
    dash.vis.scatter(X=points, win="cloud", opts={"title": "Cloud", "max_points": POINTS})
    tab = dash.watch()

    def republish(times: int) -> None:
        for _ in range(times):
            dash.vis.scatter(X=points, win="cloud", update="append", name="1")
        dash.assert_current(tab)

    # The first updates compile what draws them, and fill caches.
    republish(WARMING_CYCLES)
    before = heap_bytes(tab)
    republish(CYCLES)
    (trace,) = dash.server.windows(dash.env)["cloud"]["content"]["data"]
    assert len(trace["x"]) == len(trace["y"]) == POINTS
    # A page that has just been busy holds more for a moment, garbage collected or not.
    until(lambda: heap_bytes(tab) <= 1.2 * before, "the heap is where it was", seen=lambda: heap_bytes(tab) / before)


def heap_bytes(tab: Tab) -> int:
    """What the page's scripts hold, garbage collected."""
    tab.show()
    driver = tab.browser.driver
    driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    return int(driver.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"])
