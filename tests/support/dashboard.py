"""A dashboard under test: a server, the proxy in front of it, the browser behind that, and somebody who publishes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.support.browser import Browser, Tab
from tests.support.proxy import FaultProxy
from tests.support.publisher import Publisher
from tests.support.server import VisdomServer

_numbers = itertools.count(1)


def fresh_env() -> str:
    """The name of an environment nobody has used in this process."""
    return f"env{next(_numbers)}"


@dataclass(slots=True)
class Dashboard:
    """Publishers speak to the server directly, pages through the proxy. Everything happens in a fresh environment."""

    server: VisdomServer
    proxy: FaultProxy
    browser: Browser
    env: str = field(default_factory=fresh_env)
    _publishers: dict[str, Publisher] = field(default_factory=dict)

    @property
    def vis(self) -> Publisher:
        """The publisher of `env`."""
        return self.publisher(self.env)

    def publisher(self, env: str) -> Publisher:
        """The publisher of any environment."""
        if env not in self._publishers:
            self._publishers[env] = Publisher(self.server, env)
        return self._publishers[env]

    def forget_publishers(self) -> None:
        """Let every publisher begin anew, as a script started again after the server's restart."""
        for publisher in self._publishers.values():
            publisher.close_session()
        self._publishers.clear()

    def open(self, path: str | None = None) -> Tab:
        """A new tab, on `env` unless a path is given."""
        return self.browser.open(self.server.url(path or f"/env/{self.env}", port=self.proxy.port))

    def watch(self) -> Tab:
        """A new tab on `env` that shows all of it."""
        tab = self.open()
        self.assert_current(tab)
        tab.wait_live()
        return tab

    def assert_current(self, *tabs: Tab, env: str | None = None, timeout_s: float = 30.0) -> None:
        """Every tab shows exactly what the server holds, and came there without a reload and without an exception."""
        for tab in tabs:
            tab.assert_equals(self.server, env or self.env, timeout_s=timeout_s)
            tab.assert_same_page()
        assert self.browser.exceptions() == []

    def save_evidence(self, directory: Path) -> None:
        """Everything a person needs to see why a test failed."""
        for part in (self.browser, self.server, self.proxy):
            part.save_evidence(directory)

    def close(self) -> None:
        """Close the tabs, take back every fault, end the publishers."""
        self.browser.close_tabs()
        self.proxy.heal()
        self.forget_publishers()


def fill(vis: Publisher) -> None:
    """Windows of many types: `loss` to append to, `notes` to replace, `doomed` to close."""
    vis.line(Y=[1.0, 0.5, 3.2e-6], X=[1, 2, 3], win="loss", opts={"title": "Loss"})
    vis.text("first line &amp; <b>more</b>", win="notes", opts={"title": "Notes"})
    vis.text("closed soon", win="doomed", opts={"title": "Doomed"})
    vis.image(gradient(), win="image", opts={"title": "Image", "caption": "a gradient"})
    vis.heatmap(X=[[1, 2], [3, 4.5]], win="confusion", opts={"title": "Confusion"})
    vis.bar(X=[3, 1, 2], win="bars", opts={"title": "Bars"})
    vis.properties([{"type": "text", "name": "rate", "value": "0.1"}], win="options", opts={"title": "Options"})


def change(vis: Publisher, appends: int = 5) -> None:
    """What can happen while nobody looks: appends, a new window, a replaced window, a closed window."""
    for step in range(appends):
        vis.line(Y=[1.0 / (step + 1)], X=[4 + step], win="loss", update="append")
    vis.text("second line", win="notes", append=True)
    vis.scatter(X=[[1, 2], [2, 1], [3, 3]], win="new", opts={"title": "New"})
    vis.line(Y=[5, 6], X=[0, 1], win="bars", opts={"title": "No bars any more"})
    vis.image(gradient(), win="image", opts={"title": "Image", "caption": "another caption"})
    vis.close(win="doomed")


def gradient() -> np.ndarray:
    """A small picture, channels first."""
    return np.linspace(0, 255, 3 * 16 * 16).reshape(3, 16, 16).astype(np.uint8)
