"""What a person does on a page reaches the handlers of a Python client, once and in order, while its own link is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from visdom import Visdom

from tests.support.browser import Tab
from tests.support.dashboard import Dashboard
from tests.support.proxy import FaultProxy
from tests.support.server import VisdomServer
from tests.support.wait import until

BUTTONS = 5


def visdom_client(**options: Any) -> Any:
    """Visdom's stub tells only some of its members."""
    return Visdom("http://127.0.0.1", **options)


class Listener:
    """A Python client behind a proxy of its own."""

    def __init__(self, server: VisdomServer, env: str, link: str) -> None:
        self.proxy = FaultProxy(server.port)
        self.clicks: list[int] = []
        self.keys: list[str] = []
        self.gaps: list[Any] = []
        polling = link == "poll"
        options: dict[str, Any] = {"env": env, "use_incoming_socket": not polling, "use_polling": polling}
        self.vis = visdom_client(port=self.proxy.port, **options)
        buttons = [{"type": "button", "name": f"Button {n}", "value": f"press {n}"} for n in range(BUTTONS)]
        self.vis.properties(buttons, win="buttons", opts={"title": "Buttons"})
        self.vis.text("type here", win="keys", opts={"title": "Keys"})
        self.vis.register_event_handler(lambda event: self.clicks.append(event["propertyId"]), "buttons")
        self.vis.register_event_handler(lambda event: self.keys.append(event["key"]), "keys")
        self.vis.register_event_handler(self.gaps.append, "gap")

    def close(self) -> None:
        self.vis.event_source.close()
        self.vis.session.close()
        self.proxy.close()


@pytest.fixture
def listener(dash: Dashboard, link: str) -> Iterator[Listener]:
    listener = Listener(dash.server, dash.env, link)
    yield listener
    listener.close()


def press(tab: Tab, number: int) -> None:
    """Click one of the buttons with the mouse."""
    tab.show()
    tab.browser.driver.find_element(By.XPATH, f"//button[normalize-space()='press {number}']").click()


def click_while_cut(dash: Dashboard, listener: Listener, cuts: int, clicks_per_cut: int) -> None:
    tab = dash.watch()
    pressed = [(7 * click + click // 3) % BUTTONS for click in range(cuts * clicks_per_cut)]
    for number, button in enumerate(pressed):
        if number % clicks_per_cut == clicks_per_cut // 2:
            listener.proxy.cut()
        press(tab, button)
    until(lambda: len(listener.clicks) >= len(pressed), "every click", timeout_s=30, seen=lambda: len(listener.clicks))
    assert listener.clicks == pressed
    assert listener.gaps == []


def test_clicks_while_the_link_is_cut(dash: Dashboard, listener: Listener) -> None:
    click_while_cut(dash, listener, cuts=5, clicks_per_cut=10)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_1000_clicks_while_the_link_is_cut_20_times(dash: Dashboard, listener: Listener) -> None:
    click_while_cut(dash, listener, cuts=20, clicks_per_cut=50)


def test_keys_pressed_during_an_outage(dash: Dashboard, listener: Listener) -> None:
    tab = dash.watch()
    listener.proxy.refuse()
    until(lambda: not listener.vis.socket_alive, "the client knows that it is cut off")
    tab.show()
    tab.browser.driver.find_element(By.XPATH, "//div[contains(@class, 'content-text')]").click()
    ActionChains(dash.browser.driver).send_keys("visdom").perform()
    assert listener.keys == []
    listener.proxy.accept()
    until(lambda: len(listener.keys) >= 6, "every key", seen=lambda: listener.keys)
    assert listener.keys == list("visdom")
    assert listener.vis.socket_alive


def test_keys_typed_fast_are_all_in_the_pane_that_a_handler_writes(dash: Dashboard, listener: Listener) -> None:
    """Visdom's demo: the handler appends each key to what the event brings, and writes that back."""
    text, vis = "how vexingly quick daft zebras jump", listener.vis

    def write_back(event: dict[str, Any]) -> None:
        vis.text(event["pane_data"]["content"] + event["key"], win="typed", opts={"title": "Typed"})

    vis.text("", win="typed", opts={"title": "Typed"})
    vis.register_event_handler(write_back, "typed")
    tab = dash.watch()
    tab.show()
    tab.browser.driver.find_element(By.XPATH, "//*[text()='Typed']").click()
    ActionChains(dash.browser.driver).send_keys(text).perform()

    def content() -> str:
        return str(dash.server.windows(dash.env)["typed"]["content"])

    until(lambda: len(content()) >= len(text), "every key is in the pane", seen=content)
    assert content() == text
    dash.assert_current(tab)
