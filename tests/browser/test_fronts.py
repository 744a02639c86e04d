"""What answers in the place of the server: the page waits, says what it is, and comes back by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.browser import Browser, Tab
from tests.support.dashboard import Dashboard, change, fill
from tests.support.fronts import ANSWERS
from tests.support.proxy import FaultProxy
from tests.support.server import VisdomServer
from tests.support.wait import during, until

SIGN_IN = ("redirect", "redirect-elsewhere", "page", "packed-page")
USUAL = ("403", "redirect-elsewhere", "truncated")

POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval'; img-src 'self' data:"
WITH_POLICY = f"""
import runpy, tornado.web
add = lambda handler: handler.set_header("Content-Security-Policy", {POLICY!r})
tornado.web.RequestHandler.set_default_headers = add
runpy.run_module("visdom.server", run_name="__main__")
"""


@pytest.mark.parametrize("answer", [pytest.param(name, marks=[] if name in USUAL else pytest.mark.slow) for name in ANSWERS])
def test_what_answers_in_the_servers_place_is_an_outage(dash: Dashboard, answer: str) -> None:
    fill(dash.vis)
    tab = dash.watch()
    dash.proxy.answer(ANSWERS[answer])
    wanted = "instead of the server's answer" + (": you may have to sign in again" if answer in SIGN_IN else "")
    until(lambda: wanted in tab.badge(), "the badge says what answers", seen=tab.badge, timeout_s=30)
    tab.close_pane("Notes")
    change(dash.vis)
    assert "notes" in dash.server.windows(dash.env)
    dash.proxy.heal()
    until(lambda: "notes" not in dash.server.windows(dash.env), "the close reaches the server", timeout_s=40)
    dash.assert_current(tab)
    until(lambda: tab.badge() in ("", "live", "polling"), "the badge is content", seen=tab.badge)


def test_a_login_page_offers_to_sign_in_and_the_page_goes_on_after_it(dash: Dashboard) -> None:
    fill(dash.vis)
    tab, other = dash.watch(), dash.watch()
    dash.proxy.answer(ANSWERS["redirect-elsewhere"])
    until(lambda: "you may have to sign in again" in tab.badge(), "the badge says so", seen=tab.badge, timeout_s=30)
    change(dash.vis)
    dash.proxy.answer(ANSWERS["page"])
    tab.sign_in_again()
    until(lambda: "who are you?" in tab.js("return document.body.textContent"), "the login page is shown")
    dash.proxy.heal()

    def leads_back() -> bool:
        # Not always at once: a connection that the browser keeps in stock still leads to the login page.
        tab.go(dash.server.url(f"/env/{dash.env}", port=dash.proxy.port))
        return "who are you?" not in tab.js("return document.body.textContent")

    until(leads_back, "the login page leads back")
    dash.assert_current(tab, other)


@pytest.mark.parametrize("answer", ["404", "page"])
def test_environments_are_switched_while_an_error_page_answers(dash: Dashboard, answer: str) -> None:
    """Visdom's page asks for them by HTTP, and 0.3.0's replaces itself with whatever answers that is no success."""
    other = f"{dash.env}b"
    fill(dash.vis)
    dash.publisher(other).text("elsewhere", win="notes", opts={"title": "Other notes"})
    tab = dash.watch()
    dash.proxy.answer(ANSWERS[answer])
    tab.wait_live(False)
    tab.select_envs(other)
    tab.select_envs(other, dash.env)
    during(2.0, tab.assert_same_page, "the page stays")
    tab.select_envs(other)
    dash.proxy.heal()
    dash.assert_current(tab, env=other, timeout_s=40)
    assert_button_is_online(tab)


def test_a_front_lets_the_page_ask_nobody_but_its_server(browser: Browser, serve: Callable[..., VisdomServer], link: str) -> None:
    """A Content-Security-Policy as fronts add it. 0.3.0's page leaves for an error page when one of its requests is forbidden."""
    server = serve(polling=link == "poll", program=("-c", WITH_POLICY))
    assert server.get("/").headers["Content-Security-Policy"] == POLICY
    with FaultProxy(server.port) as proxy:
        dash = Dashboard(server, proxy, browser)
        try:
            fill(dash.vis)
            tab = dash.open()
            tab.assert_equals(server, dash.env)
            tab.assert_same_page()
        finally:
            dash.close()
            server.kill()


def assert_button_is_online(tab: Tab) -> None:
    until(lambda: tab.button() == "online", "the button tells that the page is connected", seen=tab.button)
