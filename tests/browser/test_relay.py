"""A page behind a relay comes back by itself, whether the origin restarts or the relay: no click, no reload, nothing lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import FAST
from tests.support.browser import Browser
from tests.support.clustered import Cluster
from tests.support.dashboard import Dashboard, change, fill
from tests.support.proxy import FaultProxy
from tests.support.relayed import RelayServer
from tests.support.server import VisdomServer
from tests.support.wait import until

DETAILS = """
const badge = document.querySelector('visdom-link-badge').shadowRoot;
badge.querySelector('[aria-controls]').click();
return badge.querySelector('dl').textContent;
"""


@pytest.fixture
def origin(serve: Callable[..., VisdomServer], link: str) -> Iterator[VisdomServer]:
    server = serve(polling=link == "poll")
    yield server
    server.kill()


@pytest.fixture
def dash(origin: VisdomServer, browser: Browser, tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard that is asked for at a relay, by publishers too."""
    with RelayServer(tmp_path, origin, settings=FAST) as relay, FaultProxy(relay.port) as proxy:
        dashboard = Dashboard(relay, proxy, browser)
        yield dashboard
        dashboard.close()


@pytest.fixture
def cluster(browser: Browser, tmp_path: Path, link: str) -> Iterator[Dashboard]:
    """A dashboard behind two relays at one port."""
    with Cluster(tmp_path, settings=FAST, polling=link == "poll") as cluster, FaultProxy(cluster.port) as proxy:
        dashboard = Dashboard(cluster, proxy, browser)
        yield dashboard
        dashboard.close()


def test_all_of_a_cluster_die_in_turn(cluster: Dashboard, link: str) -> None:
    server = cluster.server
    assert isinstance(server, Cluster)
    fill(cluster.vis)
    tab = cluster.watch()
    tab.wait_session(phase="live", link=link)
    for pid in list(server.relays()):
        server.kill_relay(pid)
        until(lambda pid=pid: pid not in server.relays() and len(server.relays()) == 2, "another one", seen=server.log_tail)
        change(cluster.vis)
        cluster.assert_current(tab)
    tab.close_pane("Notes")
    until(lambda: "notes" not in server.windows(cluster.env), "the close reaches the origin")
    until(lambda: server.origin_status()["durability"]["on_disk"], "all is on disk")
    os.kill(server.origin_pid(), signal.SIGKILL)
    until(lambda: len(server.relays()) == 2, "the origin is there again", seen=server.log_tail)
    change(cluster.vis)
    cluster.assert_current(tab)
    assert "notes" not in server.windows(cluster.env)


def test_the_origin_restarts(dash: Dashboard, origin: VisdomServer, link: str) -> None:
    fill(dash.vis)
    tab = dash.watch()
    change(dash.vis)
    dash.assert_current(tab)
    tab.wait_session(phase="live", link=link)
    dash.vis.save([dash.env])
    tab.close_pane("Notes")
    until(lambda: "notes" not in dash.server.windows(dash.env), "the close reaches the origin")
    origin.restart(keep_state=True)
    dash.forget_publishers()
    dash.vis.text("after the restart", win="after", opts={"title": "After"})
    dash.assert_current(tab)
    dash.vis.line(Y=[9], X=[90], win="loss", update="append")
    dash.assert_current(tab)


def test_commands_wait_for_the_origin(dash: Dashboard, origin: VisdomServer) -> None:
    fill(dash.vis)
    dash.vis.save([dash.env])
    tab = dash.watch()
    origin.kill()
    until(lambda: dash.server.status()["origin"]["state"] == "away", "the relay notices")
    until(lambda: tab.badge().startswith("no source for "), "the badge says so", seen=tab.badge)
    assert f"a relay of {origin.url('')}" in tab.js(DETAILS)
    tab.close_pane("Notes")
    origin.start()
    until(lambda: "notes" not in dash.server.windows(dash.env), "the close reaches the origin")
    dash.forget_publishers()
    dash.assert_current(tab)


def test_the_relay_is_killed(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    dash.server.kill()
    tab.wait_live(False)
    dash.server.start()
    change(dash.vis)
    dash.assert_current(tab)
    tab.close_pane("Loss")  # those behind what was closed are on their way to other places
    until(lambda: "loss" not in dash.server.windows(dash.env), "the close reaches the origin")
    dash.assert_current(tab)
