"""The details of the badge say how old the picture is, and whose doing that is."""

from __future__ import annotations

from tests.support.browser import Tab
from tests.support.dashboard import Dashboard, fill
from tests.support.wait import until

OPEN_DETAILS = "document.querySelector('visdom-link-badge').shadowRoot.querySelector('[aria-controls]').click()"
READ_AGE = """
const terms = [...document.querySelector('visdom-link-badge').shadowRoot.querySelectorAll('dt')];
return terms.find((term) => term.textContent === 'picture')?.nextElementSibling.textContent ?? '';
"""
STALL_DRAWING = """
window.frames_held = [];
window.real_frames = window.requestAnimationFrame;
window.requestAnimationFrame = (run) => window.frames_held.push(run);
"""
DRAW_AGAIN = """
window.requestAnimationFrame = window.real_frames;
for (const run of window.frames_held) window.requestAnimationFrame(run);
"""


def wait_age(tab: Tab, why: str) -> None:
    def age() -> str:
        return str(tab.js(READ_AGE))

    until(lambda: why in age(), f"the picture's age is explained: {why}", seen=age)


def test_the_details_say_how_old_the_picture_is_and_why(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    tab.js(OPEN_DETAILS)
    wait_age(tab, " s old: nothing new since")
    tab.js(STALL_DRAWING)
    dash.vis.text("not drawn", win="notes")
    wait_age(tab, " s old: your browser has not drawn what came since")
    tab.js(DRAW_AGAIN)
    wait_age(tab, " s old: nothing new since")
    dash.proxy.refuse()
    wait_age(tab, " s old: your network or the server is away")
    dash.proxy.accept()
    wait_age(tab, "nothing new since")
    dash.assert_current(tab)
