"""A dashboard in a real Chromium, with notes of what it draws and when."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from .servers import BenchError, Server

#: When a page of others hears its server.
LIVE = {"stock": "document.body?.innerText.includes('online')", "bokeh": "window.Bokeh?.documents.length"}
NOTES = (Path(__file__).parent / "page.js").read_text()
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--window-size=1280,900",
    "--enable-precise-memory-info",
    "--js-flags=--expose-gc",
    # Several windows are measured at once, whichever is in front.
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
)


class Chromium:
    """One browser with a fresh profile. A context manager."""

    def __enter__(self) -> Self:
        for program in ("chromium", "chromedriver"):
            if shutil.which(program) is None:
                raise BenchError(f"{program} is not installed")
        self._profile = tempfile.TemporaryDirectory(prefix="visdom-bench-chromium-", ignore_cleanup_errors=True)
        options = Options()
        options.binary_location = str(shutil.which("chromium"))
        for flag in (*FLAGS, f"--user-data-dir={self._profile.name}"):
            options.add_argument(flag)
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(60)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.driver.quit()
        self._profile.cleanup()

    def open(self, server: Server, host: str = "127.0.0.1") -> Page:
        """A new window on the environment `main`, that is live. Pages of different hosts have different processes."""
        self.driver.switch_to.new_window("window")
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NOTES})
        self.driver.get(f"http://{host}:{server.port}/env/main")
        page = Page(self.driver, self.driver.current_window_handle)
        live = LIVE.get(server.kind, "phaseOf() === 'live'")
        page.until(f"const phaseOf = () => window.visdomTransport?.session.state.phase; return {live}", "the page is live")
        return page


class Page:
    """One window of the browser."""

    def __init__(self, driver: Any, handle: str) -> None:
        self._driver = driver
        self._handle = handle

    def js(self, script: str, *arguments: object) -> Any:
        """The result of a script in the page."""
        self._driver.switch_to.window(self._handle)
        return self._driver.execute_script(script, *arguments)

    def js_async(self, script: str, *arguments: object) -> Any:
        """What a script hands to its last argument, a function."""
        self._driver.switch_to.window(self._handle)
        return self._driver.execute_async_script(script, *arguments)

    def reload(self) -> None:
        """Load the page again. Returns when it is there, not when it is drawn."""
        self._driver.switch_to.window(self._handle)
        self._driver.refresh()

    def busy_s(self) -> float:
        """The processor's time that the main thread has spent in tasks since this was asked for first, or the page was loaded
        again since."""
        self.cdp("Performance.enable", timeDomain="threadTicks")
        metrics = {each["name"]: each["value"] for each in self.cdp("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"])

    def cdp(self, command: str, **parameters: object) -> Any:
        """The result of a command of the DevTools protocol."""
        self._driver.switch_to.window(self._handle)
        return self._driver.execute_cdp_cmd(command, parameters)

    def hide(self) -> None:
        """Minimise the window."""
        self.js("")
        self._driver.minimize_window()
        self.until("return document.visibilityState === 'hidden'", "the page is hidden")

    def unhide(self) -> None:
        """Bring the window back."""
        self.js("")
        self._driver.set_window_rect(0, 0, 1280, 900)

    def click(self, x: int, y: int) -> None:
        """Click at a point of the page, as a person does."""
        for kind in ("mousePressed", "mouseReleased"):
            self.cdp("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def until(self, script: str, what: str, *arguments: object, timeout_s: float = 60.0) -> Any:
        """Run a script until it returns something true, and return that.

        Raises:
            BenchError: it does not in time.
        """
        deadline = time.monotonic() + timeout_s
        while not (value := self.js(script, *arguments)):
            if time.monotonic() > deadline:
                raise BenchError(f"not within {timeout_s:g} s: {what}")
            time.sleep(0.05)
        return value

    def await_drawn(self, mark: float | str, timeout_s: float = 60.0) -> None:
        """Wait until a mark is on the screen: the last y of a plot, or `mark-...` at the beginning of a text."""
        script = "return window.bench.drawn.some(([, mark]) => mark === arguments[0])"
        self.until(script, f"{mark} is drawn", mark, timeout_s=timeout_s)

    def forget(self) -> None:
        """Begin the notes anew."""
        self.js("Object.assign(window.bench, { drawn: [], longTasks: [], drawMs: [], receivedBytes: 0, clickMs: [], plots: [] })")

    def notes(self) -> dict[str, Any]:
        """What the page noted: ``drawn`` [ms since 1970, mark], ``plots`` [ms since 1970, element], and in ms ``longTasks``,
        ``drawMs`` in Plotly, ``clickMs``."""
        notes: dict[str, Any] = self.js("return window.bench")
        return notes

    def heap_bytes(self) -> int:
        """The JavaScript heap after a collection of garbage."""
        self.cdp("HeapProfiler.collectGarbage")
        return int(self.js("return performance.memory.usedJSHeapSize"))
