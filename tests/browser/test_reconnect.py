"""Whatever happens to the connection, the page comes back by itself and shows exactly what the server holds.

Nothing is clicked to make it recover, and the page is never loaded again (`assert_current` checks that).
"""

from __future__ import annotations

import pytest

from tests.support.dashboard import Dashboard, change, fill
from tests.support.proxy import Direction
from tests.support.wait import during, until


def test_a_page_shows_every_window(dash: Dashboard, link: str) -> None:
    fill(dash.vis)
    tab = dash.watch()
    change(dash.vis)
    dash.assert_current(tab)
    tab.wait_session(phase="live", link=link)


def test_cut_for_2_seconds(dash: Dashboard) -> None:
    cut(dash, 2.0)


@pytest.mark.slow
def test_cut_for_40_seconds(dash: Dashboard) -> None:
    cut(dash, 40.0)


def cut(dash: Dashboard, seconds: float) -> None:
    fill(dash.vis)
    tab = dash.watch()
    dash.proxy.refuse()
    tab.wait_live(False)
    until(lambda: tab.button() != "online", "the button tells that the page is not connected")
    change(dash.vis, appends=20)
    during(seconds, lambda: not tab.is_live(), "the page has no link")
    dash.proxy.accept()
    tab.wait_live()
    until(lambda: tab.button() == "online", "the button tells that the page is connected", seen=tab.button)
    dash.assert_current(tab)
    dash.vis.text("live again", win="after", opts={"title": "After"})
    dash.assert_current(tab)


def test_repeated_cuts_under_a_running_producer(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    for step in range(60):
        dash.vis.line(Y=[step * 0.1], X=[10 + step], win="loss", update="append")
        dash.vis.text(f"step {step}", win="notes", append=True)
        if step % 12 == 5:
            dash.proxy.cut()
    dash.assert_current(tab)


@pytest.mark.parametrize("directions", [("up", "down"), ("up",), ("down",)], ids="+".join)
def test_blackhole(dash: Dashboard, directions: tuple[Direction, ...]) -> None:
    """Nobody is told that bytes vanish: silence is noticed on both sides, and the dead connections stay dead."""
    fill(dash.vis)
    tab = dash.watch()
    dash.proxy.blackhole(*directions)
    change(dash.vis)
    tab.wait_live(False)
    dash.proxy.heal()
    tab.wait_live()
    dash.assert_current(tab)


def test_slow_and_narrow_connection(dash: Dashboard) -> None:
    """The page falls behind, is never cut off, and arrives at the present."""
    fill(dash.vis)
    tab = dash.watch()
    dash.proxy.delay(0.05)
    dash.proxy.throttle(40_000)
    for step in range(40):
        dash.vis.line(Y=list(range(300)), X=list(range(step, step + 300)), win="loss", opts={"title": f"Loss {step}"})
    dash.assert_current(tab)
    assert tab.is_live()


def test_hidden_page_costs_little_and_catches_up(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    tab.hide()
    before = dash.proxy.traffic
    for step in range(100):
        dash.vis.text(f"{step} " + "x" * 20_000, win="notes", opts={"title": "Notes"})
    during(4.0, tab.assert_same_page, "the page stays")  # for longer than silence is allowed to last
    assert (dash.proxy.traffic - before).down_bytes < 500_000  # 2 MB were published
    tab.unhide()
    dash.assert_current(tab)


def test_server_restarts_with_its_saved_state(dash: Dashboard) -> None:
    fill(dash.vis)
    dash.vis.save([dash.env])
    dash.vis.text("never saved", win="unsaved", opts={"title": "Unsaved"})
    dash.vis.line(Y=[9], X=[9], win="loss", update="append")
    tab = dash.watch()
    dash.server.restart(keep_state=True)
    dash.forget_publishers()
    dash.vis.text("after the restart", win="after", opts={"title": "After"})
    assert {"loss", "after"} <= dash.server.windows(dash.env).keys()  # what was not saved is there if the journal had it
    dash.assert_current(tab)
    change(dash.vis)
    dash.assert_current(tab)


def test_server_restarts_with_nothing(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    dash.server.restart(keep_state=False)
    dash.forget_publishers()
    tab.wait_gone(timeout_s=30)
    assert len(tab.kept()) == 7  # see test_lost_state.py
    tab.assert_same_page()
    dash.vis.text("a new beginning", win="after", opts={"title": "After"})
    dash.assert_current(tab)


def test_script_and_server_start_over(dash: Dashboard) -> None:
    """The same window ids with other content: what the page still held is not taken for the truth."""
    fill(dash.vis)
    tab = dash.watch()
    dash.server.restart(keep_state=False)
    dash.forget_publishers()
    dash.vis.line(Y=[8, 9], X=[1, 2], win="loss", opts={"title": "Loss"})
    dash.vis.line(Y=[10], X=[3], win="loss", update="append")
    dash.assert_current(tab)


def test_refresh_while_the_producer_runs(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    for step in range(3):
        fill(dash.vis)
        change(dash.vis)
        tab.refresh()
        dash.vis.line(Y=[step], X=[100 + step], win="loss", update="append")
        dash.assert_current(tab)


def test_refresh_after_an_outage(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    dash.proxy.refuse()
    tab.wait_live(False)
    change(dash.vis)
    dash.proxy.accept()
    tab.refresh()
    dash.assert_current(tab)


def test_two_tabs(dash: Dashboard) -> None:
    fill(dash.vis)
    tabs = [dash.watch(), dash.watch()]
    dash.proxy.refuse()
    for tab in tabs:
        tab.wait_live(False)
    change(dash.vis)
    dash.proxy.accept()
    dash.assert_current(*tabs)
    tabs[0].close_pane("Notes")
    until(lambda: "notes" not in dash.server.windows(dash.env), "the close reaches the server")
    dash.assert_current(*tabs)
    dash.vis.line(Y=[7], X=[70], win="loss", update="append")
    dash.assert_current(*tabs)


def test_two_tabs_on_two_environments(dash: Dashboard) -> None:
    other = f"{dash.env}b"
    fill(dash.vis)
    dash.publisher(other).text("elsewhere", win="notes", opts={"title": "Other notes"})
    here, there = dash.watch(), dash.open(f"/env/{other}")
    dash.assert_current(there, env=other)
    dash.proxy.cut()
    change(dash.vis)
    dash.publisher(other).text("and back", win="notes", append=True)
    dash.assert_current(here)
    dash.assert_current(there, env=other)


def test_environment_switched_while_offline(dash: Dashboard) -> None:
    other = f"{dash.env}b"
    fill(dash.vis)
    dash.publisher(other).text("elsewhere", win="notes", opts={"title": "Other notes"})
    tab = dash.watch()
    dash.proxy.refuse()
    tab.wait_live(False)
    tab.select_envs(other)
    dash.publisher(other).text("while away", win="more", opts={"title": "More"})
    dash.proxy.accept()
    dash.assert_current(tab, env=other)
    tab.select_envs(dash.env)
    change(dash.vis)
    dash.assert_current(tab)


def test_commands_given_while_offline(dash: Dashboard) -> None:
    """Close, save and delete are carried out once the page is back, once each."""
    fork, unwanted = f"{dash.env}fork", f"{dash.env}unwanted"
    fill(dash.vis)
    dash.publisher(unwanted).text("to be deleted", win="x")
    dash.publisher(unwanted).save([unwanted])
    tab = dash.watch()
    dash.proxy.refuse()
    tab.wait_live(False)
    tab.close_pane("Notes")
    tab.delete_env(unwanted)
    tab.save_env(fork)
    assert "notes" in dash.server.windows(dash.env)
    dash.proxy.accept()
    until(lambda: fork in dash.server.envs() and unwanted not in dash.server.envs(), "save and delete are carried out")
    windows = dash.server.windows(dash.env)
    assert "notes" not in windows
    assert dash.server.windows(fork).keys() == windows.keys()
    dash.assert_current(tab, env=fork)
    dash.vis.text("written again", win="notes", opts={"title": "Notes"})
    dash.publisher(fork).text("in the fork", win="after", opts={"title": "After"})
    dash.assert_current(tab, env=fork)
    assert "notes" in dash.server.windows(dash.env)


def test_window_closed_and_made_again_survives(dash: Dashboard) -> None:
    """A page answers a close by closing: on a slow line the answer would hit the window that has the same id by now."""
    fill(dash.vis)
    tab = dash.watch()
    dash.proxy.delay(0.1)
    for step in range(3):
        dash.vis.close(win="notes")
        dash.vis.text(f"made again {step}", win="notes", opts={"title": "Notes"})
        dash.vis.text("to be closed on the page", win="last", opts={"title": "Last"})
        dash.assert_current(tab)
        tab.close_pane("Last")  # whatever the page had said before arrives before this
        until(lambda: "last" not in dash.server.windows(dash.env), "the close reaches the server")
        assert "notes" in dash.server.windows(dash.env)
        dash.assert_current(tab)


def test_offline_by_choice_stays_until_the_next_click(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    shown = tab.panes()
    tab.click_button()
    until(lambda: tab.button() == "offline", "the button says offline", seen=tab.button)
    change(dash.vis)
    dash.proxy.cut()
    during(1.5, lambda: tab.panes() == shown, "nothing changes while the user wants to be offline")
    tab.click_button()
    until(lambda: tab.button() == "online", "the button says online", seen=tab.button)
    dash.assert_current(tab)
