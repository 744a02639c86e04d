"""A server that comes back without its state does not empty a page that somebody is looking at.

The page's replica equals the server (`assert_current`); what the server has lost is a layer of the view above it (`Tab.kept`).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.browser import Tab
from tests.support.dashboard import Dashboard, change, fill
from tests.support.panes import Pane
from tests.support.wait import during, until

MARK = " (lost)"
ALL = {"loss", "notes", "doomed", "image", "confusion", "bars", "options"}


def lose_everything(dash: Dashboard, tab: Tab) -> dict[str, Pane]:
    """Kill the server and start one with nothing. Returns what the page showed before."""
    before = tab.panes()
    dash.server.restart(keep_state=False)
    dash.forget_publishers()
    until(lambda: "the server lost" in tab.badge(), "the badge says it", seen=tab.badge, timeout_s=30)
    return before


def assert_pictures(kept: dict[str, Pane], before: dict[str, Pane]) -> None:
    """Every pane shows what it showed, with a mark."""
    for key, pane in kept.items():
        assert (pane.title, pane.type, pane.content) == (before[key].title + MARK, before[key].type, before[key].content), key


def test_lost_windows_stay_until_they_are_dismissed(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    before = lose_everything(dash, tab)
    until(lambda: tab.kept().keys() == ALL, "everything is still there", seen=lambda: sorted(tab.kept()))
    assert "the server lost 7 windows (last seen there " in tab.badge()
    assert "shown until this tab is closed or reloaded" in tab.badge()
    assert_pictures(tab.kept(), before)
    assert not tab.panes()
    tab.close_pane("Notes" + MARK)
    until(lambda: tab.kept().keys() == ALL - {"notes"}, "a person may close one", seen=lambda: sorted(tab.kept()))
    until(lambda: "the server lost 6 windows" in tab.badge(), "and it is not counted any more", seen=tab.badge)
    tab.dismiss_kept()
    until(lambda: not tab.kept() and not tab.panes(), "or dismiss all of them", seen=lambda: sorted(tab.kept()))
    until(lambda: "lost" not in tab.badge(), "the badge has nothing more to say", seen=tab.badge)
    tab.assert_same_page()
    assert dash.browser.exceptions() == []


def test_lost_windows_are_replaced_by_those_that_are_published_anew(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    before = lose_everything(dash, tab)
    dash.vis.line(Y=[8, 9], X=[1, 2], win="loss", opts={"title": "Loss"})
    dash.vis.line(Y=[10], X=[3], win="loss", update="append")
    dash.vis.line(Y=[1, 2], X=[1, 2], win="notes", opts={"title": "Notes, a plot now"})
    dash.assert_current(tab)
    assert tab.kept().keys() == ALL - {"loss", "notes"}
    assert_pictures(tab.kept(), before)
    fill(dash.vis)
    dash.assert_current(tab)
    until(lambda: "lost" not in tab.badge(), "the server has everything again", seen=tab.badge)
    tab.close_pane("Notes")
    until(lambda: "notes" not in dash.server.windows(dash.env), "a close is a close again")
    dash.assert_current(tab)


@pytest.mark.parametrize("how", ["switch", "reload"])
def test_what_becomes_of_lost_windows(dash: Dashboard, how: str) -> None:
    """They are there again after another environment was shown, and gone with the page."""
    other = f"{dash.env}b"
    fill(dash.vis)
    tab = dash.watch()
    before = lose_everything(dash, tab)
    dash.vis.text("again", win="notes", opts={"title": "Notes"})
    fill(dash.publisher(other))
    dash.assert_current(tab)
    if how == "reload":
        tab.refresh()
        dash.assert_current(tab)
        assert not tab.kept()
        assert "lost" not in tab.badge()
        return
    tab.select_envs(other)
    dash.assert_current(tab, env=other)
    assert not tab.kept()
    until(lambda: "lost" not in tab.badge(), "the badge is about what is shown", seen=tab.badge)
    tab.select_envs(dash.env)
    until(lambda: tab.kept().keys() == ALL - {"notes"}, "they are there again", seen=lambda: sorted(tab.kept()))
    assert_pictures(tab.kept(), before)
    dash.assert_current(tab)


Make = Callable[..., Dashboard]


def test_what_was_not_saved_is_lost_and_the_rest_is_restored(make: Make) -> None:
    dash = make(settings={"journal": "off"})
    fill(dash.vis)
    dash.vis.save([dash.env])
    tab = dash.watch()
    dash.vis.text("never saved", win="unsaved", opts={"title": "Unsaved"})
    dash.assert_current(tab)
    dash.server.restart(keep_state=True)
    dash.forget_publishers()
    until(lambda: tab.kept().keys() == {"unsaved"}, "what was lost is shown", seen=lambda: sorted(tab.kept()))
    until(lambda: "the server lost 1 window " in tab.badge(), "the badge says how much", seen=tab.badge)
    dash.assert_current(tab)


def test_what_a_server_has_restored_is_not_spoken_of_and_what_was_closed_meanwhile_goes(make: Make) -> None:
    dash = make(settings={"journal": "all", "journal_interval_s": 0.5})
    fill(dash.vis)
    tab = dash.watch()
    during(3.0, tab.is_live, "the page knows the windows for a while")
    dash.proxy.refuse()
    change(dash.vis)  # closes one
    until(lambda: dash.server.status()["durability"]["on_disk"], "all of it is on disk")
    dash.server.restart(keep_state=True)
    dash.forget_publishers()
    assert "new" in dash.server.windows(dash.env)
    dash.proxy.accept()
    dash.assert_current(tab)
    during(1.5, lambda: not tab.kept() and "lost" not in tab.badge(), "there is nothing to say")


def test_of_a_killed_server_only_what_had_not_reached_the_disk_is_lost(make: Make) -> None:
    dash = make(settings={"journal": "all", "journal_interval_s": 8})
    fill(dash.vis)
    tab = dash.watch()
    until(lambda: dash.server.status()["durability"]["on_disk"], "all of it is on disk")
    during(2.5, tab.is_live, "the page knows the windows for a while")
    dash.vis.text("the last words", win="last", opts={"title": "Last"})
    dash.assert_current(tab)
    assert not dash.server.status()["durability"]["on_disk"]
    dash.server.restart(keep_state=True)
    dash.forget_publishers()
    until(lambda: tab.kept().keys() == {"last"}, "what was lost is shown", seen=lambda: sorted(tab.kept()))
    dash.assert_current(tab)
