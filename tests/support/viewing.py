"""What tests of drawing ask of a page with plots, and do to it."""

from __future__ import annotations

from typing import Any

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.support.browser import Tab
from tests.support.dashboard import Dashboard
from tests.support.publisher import Publisher
from tests.support.wait import until

PANES = 200
#: Of all plots in view: those that are not drawn, or not as the bundle wants them.
UNDRAWN_IN_VIEW = """
const { plots } = window.visdomTransport;
return Array.from(document.querySelectorAll(".plotly-graph-div")).filter((graph) => {
  const { top, bottom } = graph.getBoundingClientRect();
  const seen = bottom > 0 && top < innerHeight && getComputedStyle(graph).visibility === "visible";
  return seen && (plots.waiting(graph) || !graph.querySelector(".main-svg"));
}).map(({ id }) => id);
"""
IN_VIEW = """
return Array.from(document.querySelectorAll(".plotly-graph-div")).filter((graph) => {
  const { top, bottom } = graph.getBoundingClientRect();
  return bottom > 0 && top < innerHeight && getComputedStyle(graph).visibility === "visible";
}).length;
"""
DRAWN = "return Array.from(document.querySelectorAll('.plotly-graph-div'), (graph) => graph.querySelector('.main-svg') !== null)"
COUNTS = "return window.visdomTransport.plots.counts"
SCROLL = "document.scrollingElement.scrollTo(0, arguments[0] * document.scrollingElement.scrollHeight)"
#: The graph of the window that has this id.
GRAPH = """
const graphOf = (id) => Array.from(document.querySelectorAll(".react-grid-item")).find((item) => {
  const bar = item.querySelector(".bar > div.pull-right:last-of-type");
  return bar && bar.textContent === id;
})?.querySelector(".plotly-graph-div");
"""


def fill(vis: Publisher, panes: int = PANES) -> None:
    for number in range(panes):
        vis.line(Y=[number, number + 1], X=[1, 2], win=f"w{number:03d}", opts={"title": f"plot {number:03d}"})


def publish_loss(vis: Publisher) -> None:
    """One line of two traces, `loss`."""
    vis.line(
        X=[[1, 1], [2, 2], [3, 3], [4, 4]],
        Y=[[1, 4], [2, 3], [3, 2], [4, 1]],
        win="loss",
        opts={"title": "loss", "legend": ["up", "down"], "width": 700, "height": 500},
    )


def graph(tab: Tab, script: str, *arguments: object, win: str = "loss") -> Any:
    """The result of a script about the `graph` of the window with this title."""
    return tab.js(f"{GRAPH} const graph = graphOf({win!r}); {script}", *arguments)


def plot_of(tab: Tab, selector: str = ".nsewdrag") -> WebElement:
    tab.show()
    return tab.browser.driver.find_element(By.CSS_SELECTOR, f".plotly-graph-div {selector}")


def scroll(tab: Tab, share: float) -> None:
    tab.js(SCROLL, share)


def assert_view_drawn(tab: Tab, timeout_s: float = 20.0) -> None:
    """Everything that a person sees is drawn, soon."""
    until(
        lambda: not tab.js(UNDRAWN_IN_VIEW),
        "all plots in view are drawn",
        timeout_s=timeout_s,
        seen=lambda: tab.js(UNDRAWN_IN_VIEW),
    )


def append(dash: Dashboard, *wins: str, x: float = 5) -> None:
    for win in wins:
        dash.vis.line(Y=[7], X=[x], win=win, update="append")


def zoom(tab: Tab) -> None:
    """Drag a rectangle in the plot, as a person does."""
    ActionChains(tab.browser.driver).move_to_element_with_offset(plot_of(tab), -80, -80).click_and_hold().move_by_offset(
        80, 80
    ).move_by_offset(60, 60).release().perform()
    until(lambda: graph(tab, "return graph.layout.xaxis?.autorange === false"), "the plot is zoomed")


def ranges(tab: Tab) -> Any:
    return graph(tab, "const { xaxis, yaxis } = graph._fullLayout; return [...xaxis.range, ...yaxis.range]")


def wait_points(tab: Tab, points: int) -> None:
    until(lambda: graph(tab, "return graph.data[0].x.length") == points, f"{points} points are drawn", seen=lambda: ranges(tab))


def append_both(dash: Dashboard, step: int) -> None:
    dash.vis.line(X=[[5 + step, 5 + step]], Y=[[5 + step, 2]], win="loss", update="append", opts={"legend": ["up", "down"]})
