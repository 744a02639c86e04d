"""Plots are drawn where somebody looks, whatever comes, and whichever way it comes."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.action_chains import ActionChains

from tests.support.dashboard import Dashboard
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
    scroll,
    wait_points,
    zoom,
)
from tests.support.wait import until


@pytest.fixture
def many(dash: Dashboard) -> Dashboard:
    """A dashboard of many lines, which nobody looks at yet."""
    fill(dash.vis)
    return dash


def test_200_plots_are_drawn_where_somebody_looks(many: Dashboard) -> None:
    tab = many.watch()
    assert_view_drawn(tab)
    counts = tab.js(COUNTS)
    assert counts["plots"] == PANES
    assert tab.js(IN_VIEW) <= counts["drawn"] < PANES / 4
    for share in (0.5, 0.9, 1.0, 0.2):
        append(many, "w005", "w100", "w199", x=10 + share)
        scroll(tab, share)
        many.assert_current(tab)
        assert_view_drawn(tab)
    assert sum(tab.js(DRAWN)) < PANES


def test_plot_is_drawn_with_its_newest_data_when_it_comes_into_view(many: Dashboard) -> None:
    tab = many.watch()
    for step in range(20):
        append(many, "w199", x=3 + step)
    many.assert_current(tab)
    assert not graph(tab, "return graph.querySelector('.main-svg') !== null", win="plot 199")
    scroll(tab, 1)
    many.assert_current(tab)
    assert graph(tab, "return graph.data[0].x.length", win="plot 199") == 22


def test_live_updates_in_view_are_drawn_while_others_wait(many: Dashboard) -> None:
    tab = many.watch()
    for step in range(30):
        append(many, "w000", "w150", x=3 + step)
    until(lambda: graph(tab, "return graph.data[0].x.length", win="plot 000") == 32, "the plot in view is current")
    assert_view_drawn(tab)
    many.assert_current(tab)


def test_switching_to_another_environment(many: Dashboard) -> None:
    other = f"{many.env}-other"
    for number in range(30):
        many.publisher(other).line(Y=[number, 1], X=[1, 2], win=f"w{number:03d}", opts={"title": f"plot {number:03d}"})
    tab = many.watch()
    scroll(tab, 1)
    assert_view_drawn(tab)
    for env in (other, many.env):
        tab.select_envs(env)
        many.assert_current(tab, env=env)
        assert_view_drawn(tab)
    until(lambda: tab.js(COUNTS)["plots"] == PANES, "plots of the other environment are forgotten", seen=lambda: tab.js(COUNTS))


def test_compare_view(dash: Dashboard) -> None:
    other = f"{dash.env}-other"
    for vis in (dash.vis, dash.publisher(other)):
        fill(vis, 60)
    tab = dash.open(f"/compare/{dash.env}+{other}")
    until(lambda: tab.js(COUNTS)["plots"] == 60, "all are compared", timeout_s=30)
    for share in (0, 0.5, 1):
        scroll(tab, share)
        assert_view_drawn(tab)
    assert graph(tab, "return graph.data.length", win="plot 059") == 2


def test_closed_before_it_was_drawn(many: Dashboard) -> None:
    tab = many.watch()
    for number in range(100, PANES):
        many.vis.close(win=f"w{number:03d}")
    many.assert_current(tab)
    until(lambda: tab.js(COUNTS)["plots"] == 100, "closed plots are forgotten", seen=lambda: tab.js(COUNTS))
    scroll(tab, 1)
    many.assert_current(tab)
    assert_view_drawn(tab)


def test_link_is_cut_before_all_is_drawn(many: Dashboard) -> None:
    tab = many.watch()
    many.proxy.cut()
    append(many, "w000", "w199")
    many.vis.line(Y=[3, 2, 1], X=[1, 2, 3], win="w198", opts={"title": "plot 198"})
    many.assert_current(tab)
    scroll(tab, 1)
    many.assert_current(tab)
    assert_view_drawn(tab)


def test_refresh_at_the_bottom(many: Dashboard) -> None:
    tab = many.watch()
    scroll(tab, 1)
    assert_view_drawn(tab)
    tab.refresh()
    many.assert_current(tab)
    assert_view_drawn(tab)
    scroll(tab, 1)
    many.assert_current(tab)
    assert_view_drawn(tab)


def test_hidden_tab(many: Dashboard) -> None:
    tab = many.watch()
    tab.hide()
    for step in range(50):
        append(many, "w000", "w199", x=3 + step)
    tab.unhide()
    many.assert_current(tab)
    assert_view_drawn(tab)
    scroll(tab, 1)
    many.assert_current(tab)
    assert_view_drawn(tab)


def test_zoom_is_kept_through_appends_and_a_double_click_takes_it_back(dash: Dashboard) -> None:
    publish_loss(dash.vis)
    tab = dash.watch()
    assert_view_drawn(tab)
    zoom(tab)
    zoomed = ranges(tab)
    for step in range(10):
        append_both(dash, step)
    wait_points(tab, 14)
    assert ranges(tab) == pytest.approx(zoomed)

    def shows_all() -> bool:
        # On a busy machine two clicks may be too far apart to be one.
        ActionChains(tab.browser.driver).move_to_element(plot_of(tab)).double_click().perform()
        return bool(ranges(tab)[1] > 13)

    until(shows_all, "all is shown", seen=lambda: ranges(tab))
    append_both(dash, 20)
    wait_points(tab, 15)
    until(lambda: ranges(tab)[1] > 24, "the axis follows again", seen=lambda: ranges(tab))
    dash.assert_current(tab)
