"""Chromium, driven by Selenium: tabs on a dashboard, what they show, and what a user can click."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from selenium import webdriver
from selenium.common.exceptions import JavascriptException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.panes import Pane, expected, first_difference
from tests.support.server import VisdomServer
from tests.support.wait import until

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--window-size=1280,900",
    # Every tab is a window that counts as visible and keeps its timers, whichever is in front.
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    # Each new window makes three pages for its address bar, which cost more than a page of ours.
    "--disable-features=CalculateNativeWinOcclusion,WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup",
)
MODAL = "//*[contains(@class, 'ReactModal__Content')]"
SCRIPT_ERRORS = (("SEVERE", "javascript"), ("SEVERE", "console-api"))
READ_PANES = (Path(__file__).parent / "read_panes.js").read_text()
NORMALISE = """
const box = document.createElement('div');
return arguments[0].map((text) => { box.innerHTML = text; return box.innerHTML; });
"""
VISIBILITY = "return document.visibilityState"
READ_BUTTON = """
const button = arguments[0];
const said = getComputedStyle(button, '::after').content;
return /^".+"$/.test(said) ? JSON.parse(said) : button.textContent.trim();
"""
READ_BADGE = """
const badge = document.querySelector('visdom-link-badge');
return badge ? badge.shadowRoot.querySelector('button:not(.hurry)').textContent : '';
"""
CLICK_SIGN_IN = """
const link = document.querySelector('visdom-link-badge').shadowRoot.querySelector('.sign-in');
const shown = link.getClientRects().length > 0;
link.click();
return shown;
"""
KEPT = """
const { kept } = window.visdomTransport?.bundle ?? {};
return kept ? kept.panes : [];
"""
SESSION = """
const session = window.visdomTransport && window.visdomTransport.session;
return session ? JSON.parse(JSON.stringify(session.state)) : null;
"""


def missing_programs() -> list[str]:
    """The programs a browser test needs and this machine does not have."""
    return [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]


class Browser:
    """One Chromium with a fresh profile in `directory`, and what its user has set. Tabs of it share cookies and local storage."""

    def __init__(self, directory: Path, preferences: dict[str, Any] | None = None) -> None:
        options = Options()
        options.binary_location = str(shutil.which("chromium"))
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={directory / 'profile'}")
        if preferences:
            options.add_experimental_option("prefs", preferences)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(shutil.which("chromedriver"), log_output=str(directory / "chromedriver.log"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(20)
        self.driver.set_page_load_timeout(40)
        self._home = self.driver.current_window_handle
        self._console: list[dict[str, Any]] = []
        self.tabs: list[Tab] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.driver.quit()

    def open(self, url: str) -> Tab:
        """A new tab that shows the page at `url`."""
        self.driver.switch_to.window(self._home)
        self.driver.switch_to.new_window("window")
        tab = Tab(self, self.driver.current_window_handle)
        self.tabs.append(tab)
        tab.go(url)
        return tab

    def close_tabs(self) -> None:
        """Close what `open` opened, forget the console and the cookies."""
        while self.tabs:
            tab = self.tabs.pop()
            tab.js("try { localStorage.clear() } catch { /* a page without storage */ }")
            self.driver.close()
        self.driver.switch_to.window(self._home)
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.console()
        self._console.clear()

    def console(self) -> list[dict[str, Any]]:
        """What the pages of this test wrote to the console so far, oldest first."""
        self._console += self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return list(self._console)

    def exceptions(self) -> list[str]:
        """What scripts threw and nobody caught, and what they reported as an error. Failing requests do not count."""
        return [entry["message"] for entry in self.console() if (entry["level"], entry["source"]) in SCRIPT_ERRORS]

    def save_evidence(self, directory: Path) -> None:
        """A screenshot and the panes of every tab, and the console, for the report of a failed test."""
        for number, tab in enumerate(self.tabs):
            try:
                tab.show()
                self.driver.save_screenshot(str(directory / f"tab-{number}.png"))
                state = {"url": self.driver.current_url, "session": tab.session(), "panes": tab.js(READ_PANES)}
                (directory / f"tab-{number}.json").write_text(json.dumps(state, indent=1))
            except WebDriverException as error:
                (directory / f"tab-{number}.txt").write_text(str(error))
        lines = (f"{entry['level']:8} {entry['message']}" for entry in self.console())
        (directory / "console.log").write_text("\n".join(lines))


class Tab:
    """One tab on a dashboard."""

    def __init__(self, browser: Browser, handle: str) -> None:
        self.browser = browser
        self.handle = handle
        self._driver = browser.driver

    # --- the page ------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Let the driver speak to this tab."""
        self._driver.switch_to.window(self.handle)

    def js(self, script: str, *arguments: object) -> Any:
        """The result of a script in the page."""
        self.show()
        return self._driver.execute_script(script, *arguments)

    def js_async(self, script: str, *arguments: object) -> Any:
        """What a script in the page passes to its last argument, a function."""
        self.show()
        return self._driver.execute_async_script(script, *arguments)

    def screenshot(self) -> bytes:
        """What the window shows, as PNG."""
        self.show()
        return self._driver.get_screenshot_as_png()

    def go(self, url: str) -> None:
        """Load an address."""
        self.show()
        self._driver.get(url)
        self._mark()

    def refresh(self) -> None:
        """Load the page again, as F5 does."""
        self.show()
        self._driver.refresh()
        self._mark()

    def hide(self) -> None:
        """Minimise the window: the page becomes hidden."""
        self.show()
        self._driver.minimize_window()
        until(lambda: self.js(VISIBILITY) == "hidden", "the page is hidden")

    def unhide(self) -> None:
        """Bring the window back."""
        self.show()
        self._driver.set_window_rect(0, 0, 1280, 900)
        until(lambda: self.js(VISIBILITY) == "visible", "the page is visible")

    def _mark(self) -> None:
        self.js("window.loadedByTheTest = true")

    def assert_same_page(self) -> None:
        """The page has not been reloaded or replaced by itself since the test loaded it."""
        assert self.js("return window.loadedByTheTest === true"), f"the page was replaced: {self._driver.current_url}"

    # --- what it shows -------------------------------------------------------------------------------------

    def panes(self) -> dict[str, Pane]:
        """Every pane of the page that shows the server's state, by its window's id."""
        lost = set(self.js(KEPT))
        return {key: pane for key, pane in self._all_panes().items() if key not in lost}

    def kept(self) -> dict[str, Pane]:
        """Every pane that shows what the server has lost, by its window's id."""
        lost = set(self.js(KEPT))
        return {key: pane for key, pane in self._all_panes().items() if key in lost}

    def _all_panes(self) -> dict[str, Pane]:
        read = self.js(READ_PANES)
        assert not read["unread"], f"unreadable panes: {read['unread']}"
        panes = [Pane(**pane) for pane in read["panes"]]
        by_id = {pane.id: pane for pane in panes}
        assert len(by_id) == len(panes), f"shown twice: {sorted(pane.id for pane in panes)}"
        return by_id

    def difference(self, server: VisdomServer, env: str) -> str | None:
        """How the page differs from the server's `/win_data`, in one line; None if it does not."""
        wanted = {key: expected(window) for key, window in server.windows(env).items()}
        texts = [pane for pane in wanted.values() if pane.type == "text"]
        for pane, text in zip(texts, self.js(NORMALISE, [pane.content for pane in texts]), strict=True):
            wanted[pane.id] = replace(pane, content=text)
        try:
            return first_difference(wanted, self.panes())
        except (AssertionError, JavascriptException) as error:
            return str(error)  # the page is in the middle of a change

    def assert_equals(self, server: VisdomServer, env: str, *, timeout_s: float = 15.0) -> None:
        """Wait until every pane equals the server's window. Says the first difference otherwise."""
        last: list[str | None] = [None]

        def equal() -> bool:
            last[0] = self.difference(server, env)
            return last[0] is None

        until(equal, f"the page equals /win_data of {env!r}", timeout_s=timeout_s, seen=lambda: last[0])

    def wait_gone(self, *, timeout_s: float = 15.0) -> None:
        """Wait until no pane is shown."""
        until(lambda: not self.panes(), "no pane is shown", timeout_s=timeout_s, seen=lambda: sorted(self.panes()))

    # --- its connection ------------------------------------------------------------------------------------

    def session(self) -> dict[str, Any] | None:
        """The state of our runtime's session (`phase`, `link`, ...); None where it is not loaded."""
        state: dict[str, Any] | None = self.js(SESSION)
        return state

    def wait_session(self, *, timeout_s: float = 20.0, **wanted: str) -> None:
        """Wait until the session's state has the members given, e.g. `phase="live", link="poll"`."""

        def reached() -> bool:
            state = self.session() or {}
            return all(state.get(name) == value for name, value in wanted.items())

        until(reached, f"session is {wanted}", timeout_s=timeout_s, seen=self.session)

    def button(self) -> str:
        """What Visdom's own connection button says to a person, e.g. online, readonly or offline."""
        return str(self.js(READ_BUTTON, self._indicator()))

    def badge(self) -> str:
        """What our badge says; empty when it says nothing."""
        return str(self.js(READ_BADGE))

    def is_live(self) -> bool:
        """Whether the page believes that it hears the server."""
        state = self.session()
        return state["phase"] == "live" if state else self.button() != "offline"

    def wait_live(self, live: bool = True, *, timeout_s: float = 20.0) -> None:
        """Wait until the page believes that it hears the server, or that it does not."""
        what = "the page is live" if live else "the page has noticed that its link is gone"
        until(lambda: self.is_live() == live, what, timeout_s=timeout_s, seen=lambda: (self.session(), self.button()))

    def click_button(self) -> None:
        """Click the connection button."""
        self._indicator().click()

    def _indicator(self) -> WebElement:
        self.show()
        path = "//button[normalize-space()='online' or normalize-space()='offline' or normalize-space()='readonly']"
        return self._driver.find_element(By.XPATH, path)

    # --- what a user does ----------------------------------------------------------------------------------

    def dismiss_kept(self) -> None:
        """Take what the server has lost off the page, in the details of our badge."""
        for button in ("button:not(.hurry)", ".dismiss"):
            self.show()
            self._driver.find_element(By.CSS_SELECTOR, "visdom-link-badge").shadow_root.find_element(
                By.CSS_SELECTOR, button
            ).click()

    def sign_in_again(self) -> None:
        """Click the link of our badge that leads to where somebody signs in."""
        # By a script: the driver fails at links within a shadow root.
        assert self.js(CLICK_SIGN_IN), "the link is shown"

    def click_at(self, x: int, y: int, *, times: int = 1) -> None:
        """Move the mouse to a point of the page and click, twice for a double click."""
        self.show()
        self._driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": count}
                self._driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def close_pane(self, title: str) -> None:
        """Click the X of the pane with this title."""
        bar = f"//div[contains(@class, 'bar')][div[normalize-space()={_quoted(title)}]]"
        self._click(By.XPATH, f"{bar}/button[@title='close']")

    def select_envs(self, *names: str) -> None:
        """Tick and untick the tree of environments until exactly these are selected."""
        self._click(By.CSS_SELECTOR, ".rc-tree-select")
        box = until(lambda: self._visible(".rc-tree-select-dropdown"), "the tree of environments opens")

        def ticked() -> set[str]:
            nodes = box.find_elements(By.CSS_SELECTOR, ".rc-tree-select-tree-checkbox-checked + [title]")
            return {str(node.get_attribute("title")) for node in nodes}

        def toggle(name: str) -> None:
            before = ticked()
            self._click(By.CSS_SELECTOR, f".rc-tree-select-tree-checkbox:has(+ [title={json.dumps(name)}])")
            until(lambda: ticked() != before, f"{name!r} is toggled in the tree")

        for name in sorted(ticked() - set(names)):
            toggle(name)
        for name in names:
            if name not in ticked():
                toggle(name)
        self._click(By.CSS_SELECTOR, ".navbar-brand")
        until(lambda: not self._visible(".rc-tree-select-dropdown"), "the tree of environments closes")

    def save_env(self, name: str) -> None:
        """Save the environment under this name (a fork if the name is new), in the dialogue for it."""
        self._open_env_modal()
        field = until(lambda: self._visible(".ReactModal__Content input[type=text]"), "the dialogue has a field")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(name)
        path = "//*[contains(@class, 'ReactModal__Content')]//button[normalize-space()='save' or normalize-space()='fork']"
        self._click(By.XPATH, path)
        self._close_modal()

    def delete_env(self, name: str) -> None:
        """Delete an environment in the dialogue for it."""
        modal = self._open_env_modal()
        if choices := modal.find_elements(By.CSS_SELECTOR, f"select option[value={json.dumps(name)}]"):
            choices[0].click()
        else:
            modal.find_element(By.CSS_SELECTOR, f"input[type=checkbox][value={json.dumps(name)}]").click()
        self._click(By.XPATH, f"{MODAL}//button[starts-with(normalize-space(), 'Delete')]")
        self._close_modal()

    def log_in(self, username: str, password: str) -> None:
        """Fill in and submit the login page."""
        self.show()
        until(lambda: self._visible("#inputUsername"), "the login page").send_keys(username)
        self._driver.find_element(By.ID, "inputPassword").send_keys(password)
        self._driver.find_element(By.ID, "submitButton").click()
        until(lambda: not self._driver.find_elements(By.ID, "inputUsername"), "the login page is left")
        self._mark()

    def _open_env_modal(self) -> WebElement:
        # Bootstrap's tooltip moves the title to another attribute once it has been shown.
        titles = ("title", "data-original-title")

        def opened() -> WebElement | None:
            # A click right after the dialogue was closed may be lost on a busy machine. A person would click again.
            self._click(By.CSS_SELECTOR, ", ".join(f"button[{name}='Manage Environments']" for name in titles))
            with contextlib.suppress(AssertionError):
                return until(lambda: self._visible(".ReactModal__Content"), "the dialogue opens", timeout_s=5)
            return None

        return until(opened, "the dialogue opens")

    def _close_modal(self) -> None:
        if content := self._visible(".ReactModal__Content"):
            content.send_keys(Keys.ESCAPE)
        until(lambda: not self._visible(".ReactModal__Content"), "the dialogue closes")

    def _click(self, by: str, selector: str) -> None:
        self.show()

        def clicked() -> bool:
            elements = self._driver.find_elements(by, selector)
            if not elements or not elements[-1].is_enabled():
                return False
            try:
                if elements[-1].rect != elements[-1].rect:  # it moves: the click would hit what is there by then
                    return False
                elements[-1].click()
            except WebDriverException as error:
                if re.search("intercepted|stale|not interactable", str(error)):
                    return False
                raise
            return True

        until(clicked, f"{selector} can be clicked")

    def _visible(self, selector: str) -> WebElement | None:
        self.show()
        found = self._driver.find_elements(By.CSS_SELECTOR, selector)
        try:
            return next((element for element in found if element.is_displayed()), None)
        except WebDriverException:
            return None


def _quoted(text: str) -> str:
    assert '"' not in text
    return f'"{text}"'
