"""What a real browser does on behalf of a hostile page, and what becomes of tabs whose login ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.browser import Browser
from tests.support.publisher import Publisher
from tests.support.served import ADA
from tests.support.server import VisdomServer
from tests.support.wait import until

Serve = Callable[..., VisdomServer]

HOSTILE = """<!doctype html><title>other site</title>
<iframe name="hole"></iframe>
<form method="post" enctype="text/plain" target="hole" action="{server}/events"><input name='{{"data": [{{"type": "text",
  "content": "forged"}}], "win": "forged", "x": "' value='"}}'></form>
<img src="{server}/socket_wrap">
<script>
const text = (win) => JSON.stringify({{data: [{{type: "text", content: "forged"}}], win}});
const ended = (socket) => new Promise((resolve) => socket.addEventListener("close", resolve));
const sockets = [[], ["visdom-transport.v1"]].map((protocols) => {{
  const socket = new WebSocket("{server}/socket".replace("http", "ws"), protocols);
  socket.onopen = () => socket.send(JSON.stringify({{cmd: "delete_env", eid: "kept"}}));
  return ended(socket);
}});
const post = (path, body) => fetch("{server}" + path, {{method: "POST", mode: "no-cors", credentials: "include", body}});
window.finished = false;
document.forms[0].submit();
Promise.allSettled([
  ...sockets,
  post("/events", text("forged")),
  post("/close", JSON.stringify({{win: null, eid: "kept"}})),
  post("/delete_env", JSON.stringify({{eid: "kept"}})),
  post("/env/forged", JSON.stringify({{eid: "forged"}})),
  post("/transport/publish", JSON.stringify({{producer: "p", first: 1, messages: [{{endpoint: "events", body: {{}}}}]}})),
  post("/transport/poll", JSON.stringify({{link: null, messages: [{{type: "hello", role: "browser"}}]}})),
  post("/transport/logout", ""),
  fetch("{server}/socket_wrap", {{mode: "no-cors"}}),
]).then(() => {{
  navigator.sendBeacon("{server}/close", JSON.stringify({{win: null, eid: "kept"}}));
  window.finished = true;
}});
</script>"""

ATTEMPTS = 13
"""Requests of the page above that may change something."""


@pytest.fixture(autouse=True)
def close_tabs(browser: Browser) -> Iterator[None]:
    yield
    browser.close_tabs()


@pytest.fixture
def other_site() -> Iterator[Callable[[str], str]]:
    """Serves a page under another name of this machine: for a browser, another site."""
    pages: list[bytes] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages[0])

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=site.serve_forever, name="other-site")
    thread.start()

    def serve(page: str) -> str:
        pages[:] = [page.encode()]
        return f"http://localhost:{site.server_port}/"

    yield serve
    site.shutdown()
    thread.join()
    site.server_close()


@pytest.mark.parametrize("login", [False, True], ids=["open", "logged in"])
def test_a_page_of_another_site_changes_nothing(
    browser: Browser, serve: Serve, other_site: Callable[[str], str], login: bool
) -> None:
    server = serve(login=ADA if login else None)
    vis = Publisher(server, "kept")
    vis.text("mine", win="mine")
    tab = browser.open(server.url("/"))
    if server.login is not None:
        tab.log_in(server.login.username, server.login.password)
    tab.wait_session(phase="live")
    before = server.windows("kept"), sorted(server.envs())
    tab.go(other_site(HOSTILE.format(server=server.url(""))))
    until(lambda: tab.js("return window.finished"), "the page has tried everything")
    until(lambda: server.status()["totals"]["closed_origin"] >= ATTEMPTS, "all were refused", seen=server.log_tail)
    assert (server.windows("kept"), sorted(server.envs())) == before
    assert [session["link"] for session in server.status()["sessions"]] == [None], "only the page that was left"
    vis.close_session()


def test_logging_out_ends_every_tab_of_the_login(browser: Browser, serve: Serve, link: str) -> None:
    server = serve(polling=link == "poll", login=ADA)
    assert server.login is not None
    tab = browser.open(server.url("/"))
    tab.log_in(server.login.username, server.login.password)
    other = browser.open(server.url("/"))
    for each in (tab, other):
        each.wait_session(phase="live")
    tab.js("fetch('transport/logout', {method: 'POST'})")
    for each in (tab, other):
        each.wait_session(phase="stopped", reason="unauthorized")
    assert other.badge() == "signed out"
    other.sign_in_again()
    other.log_in(server.login.username, server.login.password)
    other.wait_session(phase="live")
    tab.hide()
    tab.unhide()
    tab.wait_session(phase="live")
