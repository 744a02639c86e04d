"""The operator's page says within seconds what is wrong, with whom, and what to do about it."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.browser.test_picture_age import STALL_DRAWING
from tests.support.browser import Browser, Tab
from tests.support.dashboard import Dashboard, fill
from tests.support.proxy import FaultProxy
from tests.support.server import VisdomServer
from tests.support.wait import until

READ = "return document.getElementById(arguments[0]).innerText"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def dash(serve: Callable[..., VisdomServer], browser: Browser) -> Iterator[Dashboard]:
    yield from dashboard_of(serve(), browser)


@pytest.fixture
def dash_on_disk(disk: Path, serve: Callable[..., VisdomServer], browser: Browser) -> Iterator[Dashboard]:
    yield from dashboard_of(serve(env_path=disk), browser)


def dashboard_of(server: VisdomServer, browser: Browser) -> Iterator[Dashboard]:
    with FaultProxy(server.port) as proxy:
        dashboard = Dashboard(server, proxy, browser)
        yield dashboard
        dashboard.close()
    server.kill()


def noise(step: int) -> np.ndarray:
    """A picture that cannot be compressed."""
    return np.random.default_rng(step).integers(0, 255, (3, 100, 100), dtype=np.uint8)


def watch_operator(dash: Dashboard) -> Tab:
    """The operator's page, not through the proxy."""
    tab = dash.browser.open(dash.server.url("/transport/operator"))
    until(lambda: tab.js(READ, "summary"), "the page shows something")
    return tab


def problems(operator: Tab) -> str:
    return str(operator.js(READ, "problems"))


def wait_problem(operator: Tab, text: str) -> None:
    until(lambda: text in problems(operator), f"among what hurts: {text}", seen=lambda: problems(operator))


def wait_well(operator: Tab, text: str) -> None:
    until(lambda: text not in problems(operator), f"no more among what hurts: {text}", seen=lambda: problems(operator))


def test_viewers_that_are_behind_are_shown_with_what_to_do(dash: Dashboard) -> None:
    fill(dash.vis)
    tab = dash.watch()
    operator = watch_operator(dash)
    until(lambda: "1 of 1 viewer sees what is at most 1 s old" in operator.js(READ, "summary"), "the viewer is there")

    # one that does not draw
    tab.js(STALL_DRAWING)
    dash.vis.text("not drawn", win="notes")
    wait_problem(operator, "and it draws nothing: its browser or network is stuck, reload that tab")
    tab.refresh()
    wait_well(operator, "its picture is")

    # one whose network is slower than what is published
    dash.proxy.throttle(30_000)
    steps = itertools.count()

    def shown() -> bool:
        dash.vis.image(noise(next(steps)), win="image")
        return "slower than the data, publish less often or look at its network" in problems(operator)

    until(shown, "the slow network is shown", seen=lambda: problems(operator))
    dash.proxy.heal()
    wait_well(operator, "its picture is")
    assert dash.browser.exceptions() == []


def test_a_publisher_that_has_stopped_is_missed(dash: Dashboard) -> None:
    operator = watch_operator(dash)
    for number in range(1, 13):
        body = {"data": [{"type": "text", "content": f"{number}"}], "win": "w", "eid": "main"}
        messages = [{"endpoint": "events", "body": body}]
        dash.server.post("/transport/publish", {"producer": "steady", "first": number, "messages": messages}).raise_for_status()
    wait_problem(operator, "publishers: steady")
    assert "if it should, look whether that program still runs" in problems(operator)
    assert dash.browser.exceptions() == []


def test_a_full_disk_is_shown_until_there_is_room_again(dash_on_disk: Dashboard, disk: Path) -> None:
    operator = watch_operator(dash_on_disk)
    with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(65_536))
    wait_problem(operator, "No space left on device")
    assert "free space or mend the directory" in problems(operator)
    (disk / "ballast").unlink()
    wait_well(operator, "No space left on device")
    assert dash_on_disk.browser.exceptions() == []
