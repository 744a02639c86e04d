"""Where a WebSocket does not get through, the page polls; when it gets through again, the page climbs back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from tests.support.browser import Browser
from tests.support.dashboard import Dashboard, change, fill
from tests.support.proxy import FaultProxy
from tests.support.server import VisdomServer
from tests.support.wait import during, until

Block = Literal["refuse", "swallow", "mute"]


@pytest.fixture(scope="module")
def server(serve: Callable[..., VisdomServer]) -> VisdomServer:
    return serve()


@pytest.mark.parametrize("how", ["refuse", "swallow", "mute"])
def test_page_opened_where_no_websocket_gets_through(dash: Dashboard, how: Block) -> None:
    """`mute` is the mean one: the WebSocket opens, and nothing ever arrives."""
    fill(dash.vis)
    dash.proxy.block_websockets(how)
    tab = dash.open()
    tab.wait_session(phase="live", link="poll", timeout_s=30)
    dash.assert_current(tab)
    change(dash.vis)
    dash.assert_current(tab)
    dash.proxy.allow_websockets()
    tab.wait_session(phase="live", link="websocket", timeout_s=40)
    fill(dash.vis)
    change(dash.vis)
    dash.assert_current(tab)


@pytest.mark.parametrize("how", ["refuse", "swallow", "mute"])
def test_websocket_blocked_on_a_live_page(dash: Dashboard, how: Block) -> None:
    """Appends go on all the time; none is lost or doubled on the way to polling and back."""
    fill(dash.vis)
    tab = dash.watch()
    tab.wait_session(phase="live", link="websocket")
    points = iter(range(10, 100_000))

    def reached(link: str) -> bool:
        dash.vis.line(Y=[0.5], X=[next(points)], win="loss", update="append")
        state = tab.session() or {}
        return state.get("phase") == "live" and state.get("link") == link

    dash.proxy.block_websockets(how)
    until(lambda: reached("poll"), "the page polls", timeout_s=40, seen=tab.session)
    dash.assert_current(tab)
    dash.proxy.allow_websockets()
    until(lambda: reached("websocket"), "the page climbs back", timeout_s=40, seen=tab.session)
    dash.assert_current(tab)


@pytest.mark.slow
def test_how_long_an_open_but_mute_websocket_matters(dash: Dashboard) -> None:
    """With the page loaded: 10 seconds until data flows over polls, and 60 until a WebSocket is used once that is possible."""
    fill(dash.vis)
    dash.proxy.block_websockets("mute")
    tab = dash.open()
    dash.assert_current(tab, timeout_s=10)
    tab.wait_session(phase="live", link="poll", timeout_s=1)
    # The longer it lasts, the less often a page tries.
    during(15.0, tab.is_live, "the page stays on polls")
    for step in range(5):
        dash.vis.line(Y=[step], X=[20 + step], win="loss", update="append")
    dash.proxy.allow_websockets()
    tab.wait_session(phase="live", link="websocket", timeout_s=60)
    dash.assert_current(tab)


def test_polls_only_as_the_server_says(browser: Browser, serve: Callable[..., VisdomServer]) -> None:
    """With -use_frontend_client_polling no WebSocket is even tried."""
    server = serve(polling=True)
    with FaultProxy(server.port) as proxy:
        dash = Dashboard(server, proxy, browser)
        try:
            fill(dash.vis)
            tab = dash.watch()
            change(dash.vis)
            dash.assert_current(tab)
            tab.wait_session(phase="live", link="poll")
            assert proxy.traffic.websockets == 0
        finally:
            dash.close()


NOTE_HELLO = """
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) {
  const message = JSON.parse(text);
  if (message.type === "hello") window.hello = message;
  send.call(this, text);
};
"""


def test_a_page_that_comes_back_names_what_is_in_view(dash: Dashboard) -> None:
    for number in range(30):
        dash.vis.line(Y=[1, 2, number], X=[1, 2, 3], win=f"line{number:02d}")
    tab = dash.watch()
    tab.wait_session(phase="live", link="websocket")
    tab.js(NOTE_HELLO)
    dash.proxy.cut()
    hello = until(lambda: tab.js("return window.hello ?? null"), "the page says hello again")
    near = hello["feeds"][f"env/{dash.env}"]["near"]
    assert "line00" in near
    assert "line29" not in near
    tab.wait_live()
    change(dash.vis)
    dash.assert_current(tab)
