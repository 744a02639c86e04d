"""The example of js/examples on a server of its own: one live window, without Visdom's page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.browser import Browser, Tab
from tests.support.proxy import FaultProxy
from tests.support.publisher import Publisher
from tests.support.server import VisdomServer
from tests.support.wait import until
from visdom_transport.visdom import flavour
from visdom_transport.visdom.page import browser_files

EXAMPLE = Path(__file__).resolve().parents[2] / "js" / "examples" / "live-window.html"


@pytest.fixture
def server(serve: Callable[..., VisdomServer], tmp_path: Path) -> VisdomServer:
    visdom = flavour.recognise()
    folder = tmp_path / visdom / "static"
    shutil.copytree(browser_files.static_dir(visdom), folder)
    shutil.copy(EXAMPLE, folder)
    return serve(settings={"browser_files_dir": tmp_path})


def test_it_shows_a_window_through_an_outage(server: VisdomServer, browser: Browser) -> None:
    vis = Publisher(server, "main")
    vis.line(Y=[1.0, 2.0], X=[1, 2], win="loss", opts={"title": "Loss"})
    with FaultProxy(server.port) as proxy:
        tab = browser.open(server.url("/static/live-window.html?env=main&win=loss", port=proxy.port))
        until(lambda: points(tab) == [1, 2], "the plot is drawn", seen=lambda: points(tab))
        assert tab.js("return document.querySelector('h1').textContent") == "Loss"
        vis.line(Y=[3.0], X=[3], win="loss", update="append")
        until(lambda: points(tab) == [1, 2, 3], "the plot grows", seen=lambda: points(tab))
        proxy.refuse()
        until(lambda: "live" not in state(tab), "the page notices", seen=lambda: state(tab))
        vis.line(Y=[4.0], X=[4], win="loss", update="append")
        proxy.accept()
        until(lambda: points(tab) == [1, 2, 3, 4], "the page catches up", seen=lambda: points(tab))
        until(lambda: state(tab).startswith("live"), "the page says so", seen=lambda: state(tab))
    assert browser.exceptions() == []
    browser.close_tabs()
    vis.close_session()


def points(tab: Tab) -> object:
    return tab.js("return document.querySelector('#pane').data?.[0].y")


def state(tab: Tab) -> str:
    text: str = tab.js("return document.querySelector('#state').textContent")
    return text
