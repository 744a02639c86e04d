"""Servers that are set up differently, and the compare view: the same recovery."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.browser import Tab
from tests.support.dashboard import Dashboard, change, fill
from tests.support.panes import Pane
from tests.support.publisher import Publisher
from tests.support.served import ADA
from tests.support.wait import during, until

Make = Callable[..., Dashboard]


def outage(dash: Dashboard, tab: Tab) -> None:
    """Away for a moment, with changes meanwhile; then a restart of the server, with changes after it."""
    dash.proxy.refuse()
    tab.wait_live(False)
    change(dash.vis)
    dash.proxy.accept()
    dash.assert_current(tab)
    dash.server.restart(keep_state=False)
    dash.forget_publishers()
    dash.vis.text("a new life", win="notes", opts={"title": "Notes"})
    dash.assert_current(tab)


def test_readonly(make: Make) -> None:
    dash = make(readonly=True)
    fill(dash.vis)
    tab = dash.watch()
    assert tab.button() == "readonly"
    tab.close_pane("Notes")
    dash.vis.close(win="doomed")  # the publisher may
    dash.assert_current(tab)
    assert "notes" in dash.server.windows(dash.env)
    fill(dash.vis)
    outage(dash, tab)
    assert tab.button() == "readonly"


def test_login(make: Make) -> None:
    dash = make(login=ADA)
    assert dash.server.login is not None
    fill(dash.vis)
    tab = dash.open("/")
    tab.log_in(dash.server.login.username, dash.server.login.password)
    tab.go(dash.server.url(f"/env/{dash.env}", port=dash.proxy.port))
    dash.assert_current(tab)
    outage(dash, tab)


def test_base_url(make: Make) -> None:
    dash = make(base_url="/some/where")
    fill(dash.vis)
    tab = dash.watch()
    outage(dash, tab)


def test_slash_in_the_name_of_an_environment(make: Make) -> None:
    """Visdom keeps such an environment under another name."""
    dash = make()
    vis = Publisher(dash.server, "a/b")
    fill(vis)
    tab = dash.open("/env/a_b")
    dash.assert_current(tab, env="a_b")
    dash.proxy.cut()
    change(vis)
    dash.assert_current(tab, env="a_b")
    vis.close_session()


@pytest.mark.slow
def test_blackhole_for_30_seconds_with_the_default_settings(make: Make) -> None:
    dash = make(settings={"heartbeat_s": "", "dead_after_s": "", "poll_wait_s": ""})
    fill(dash.vis)
    tab = dash.watch()
    dash.proxy.blackhole()
    change(dash.vis)
    during(30.0, tab.assert_same_page, "the page stays")
    assert not tab.is_live()
    dash.proxy.heal()
    tab.wait_live()
    dash.assert_current(tab)


def test_compare_view(make: Make) -> None:
    """A comparison follows its environments, also after an outage and after a restart."""
    dash = make()
    names = (f"{dash.env}left", f"{dash.env}right")

    def publish(offset: float) -> None:
        for place, name in enumerate(names):
            vis = dash.publisher(name)
            rows = [[offset + place, 1.0], [2.0, 3.0 + place]]
            vis.line(Y=rows, X=[1, 2], win="loss", opts={"title": "Loss", "legend": ["train", "test"]})
            vis.text("not compared", win="notes", opts={"title": "Notes"})

    def append() -> None:
        for name in names:
            dash.publisher(name).line(Y=[0.5], X=[3], win="loss", name="train", update="append")

    publish(0.0)
    tab = dash.open(f"/compare/{'+'.join(names)}")
    assert_compared(dash, tab, names)
    append()
    assert_compared(dash, tab, names)
    dash.proxy.refuse()
    tab.wait_live(False)
    append()
    publish(10.0)
    append()
    dash.proxy.accept()
    assert_compared(dash, tab, names)
    dash.server.restart(keep_state=False)
    dash.forget_publishers()
    publish(20.0)
    assert_compared(dash, tab, names)


def assert_compared(dash: Dashboard, tab: Tab, names: tuple[str, ...]) -> None:
    """The page shows the plots that the environments share, with the traces of all of them, and the legend."""

    def wanted() -> list[tuple[object, object]]:
        windows = [dash.server.windows(name)["loss"] for name in names]
        return [(trace["x"], trace["y"]) for window in windows for trace in window["content"]["data"]]

    def shown() -> list[tuple[object, object]]:
        pane = tab.panes().get("loss", Pane("", "", "", []))
        return [(trace["x"], trace["y"]) for trace in pane.content]

    until(lambda: shown() == wanted(), "the comparison is current", timeout_s=30, seen=lambda: (shown(), wanted()))
    until(lambda: tab.panes().keys() == {"loss", "window_compare_legend"}, "nothing else is shown", seen=tab.panes)
    tab.assert_same_page()


def test_page_that_is_there_before_its_producer(make: Make) -> None:
    """The page of a new server shows an empty environment, and what is published there later."""
    dash = make()
    tab = dash.open("/")
    tab.wait_live()
    vis = dash.publisher("main")
    fill(vis)
    dash.assert_current(tab, env="main")
    dash.proxy.cut()
    change(vis)
    dash.assert_current(tab, env="main")
