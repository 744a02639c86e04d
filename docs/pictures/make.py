"""Takes the pictures of the documentation from a real server, the demo and a real Chromium.

pip install '.[bench,demo]'       # Selenium and Pillow, and what the demo draws with; Chromium is your system's
python docs/pictures/make.py      # about two minutes; writes dashboard.png, operator.png and outage.png beside this file
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from visdom_transport.demo.server import Server, free_port

FOLDER = Path(__file__).resolve().parent
WIDTH, HEIGHT = 1500, 940
CORNER_WIDTH, CORNER_HEIGHT = 620, 256
"""Of the picture of an outage: where the badge is."""
SCALE = 1.5
COLORS = 256
BUDGET_BYTES = 300_000
"""Of the two pictures of the README together: they are loaded by everybody who looks at it."""

FIRST_PORT = 8097
PANES = 7
"""Of the demo."""
RATE = 25
"""Steps of training a second, so that there is something to see soon."""
TIMEOUT_S = 200.0
OUTAGE_S = 8.0
"""How old the data is in the picture of an outage, at least."""

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    # The window with the dashboard counts as visible while that of the operator is in front.
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-features=CalculateNativeWinOcclusion",
    f"--window-size={WIDTH},{HEIGHT}",
    f"--force-device-scale-factor={SCALE}",
)
_SHOWN = "return window.visdomTransport?.bundle.panes ?? 0"
_STATE = "return window.visdomTransport.session.state"
_OPEN_DETAILS = "document.querySelector('visdom-link-badge').shadowRoot.querySelector('button[aria-expanded]').click()"
_STALL = "window.frame = requestAnimationFrame; requestAnimationFrame = (run) => (window.held ??= []).push(run)"
_DRAW = "window.requestAnimationFrame = window.frame; for (const run of window.held ?? []) requestAnimationFrame(run)"
_HURTS = "return document.getElementById('problems').innerText"
# The second run has begun a while ago: the plots show the one before as well.
_TRAINED = r"return /run\s*2\b[\s\S]*step\s*(6\d|[7-9]\d|\d{3,}) /.test(document.body.innerText.split('run 1')[0] ?? '')"


def main() -> None:
    """Take both pictures and write them, if they are small enough."""
    with tempfile.TemporaryDirectory(prefix="visdom-pictures-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        server = Server(free_port(FIRST_PORT), directory / "envs")
        stack.callback(server.stop)
        server.start()
        stack.enter_context(_demo(server.url))
        _until(lambda: _windows(server.url, "demo") == PANES, "the demo has drawn its windows")
        driver = stack.enter_context(_chromium(directory))
        driver.get(f"{server.url}/env/demo")
        _until(lambda: driver.execute_script(_SHOWN) == PANES, "the page shows them")
        _until(lambda: driver.execute_script(_TRAINED), "the second run has got somewhere")
        dashboard = _screenshot(driver)
        operator = _operator(driver, server.url)

        server.stop()
        driver.execute_script(_OPEN_DETAILS)
        _until(lambda: _is_outage(driver.execute_script(_STATE)), "the page waits for the server")
        outage = _corner(_screenshot(driver))
    pictures = {"dashboard": _packed(dashboard), "outage": _packed(outage)}
    total = sum(map(len, pictures.values()))
    if total > BUDGET_BYTES:
        raise SystemExit(f"{total:,} bytes are more than {BUDGET_BYTES:,}")
    pictures["operator"] = _packed(operator)
    for stem, data in pictures.items():
        (FOLDER / f"{stem}.png").write_bytes(data)
        print(f"{stem}.png: {len(data):,} bytes")


def _operator(driver: webdriver.Chrome, server: str) -> Image.Image:
    """The operator's page while a tab does not draw, and a program has stopped that published."""
    dashboard = driver.current_window_handle
    for number in range(1, 21):
        window = {"data": [{"type": "text", "content": f"step {number}"}], "win": "steps", "eid": "night run"}
        message = {"endpoint": "events", "body": window}
        _post(f"{server}/transport/publish", {"producer": "7c1e09d2b4", "first": number, "messages": [message]})
    driver.execute_script(_STALL)
    driver.switch_to.new_window("window")
    driver.set_window_size(WIDTH, HEIGHT)
    driver.get(f"{server}/transport/operator")
    _until(lambda: all(each in driver.execute_script(_HURTS) for each in ("draws nothing", "still runs")), "it says so")
    picture = _screenshot(driver)
    driver.close()
    driver.switch_to.window(dashboard)
    driver.execute_script(_DRAW)
    return picture


def _post(url: str, body: object) -> None:
    urllib.request.urlopen(url, json.dumps(body).encode()).close()


@contextlib.contextmanager
def _demo(server: str) -> Iterator[None]:
    """The demo's program, which trains and draws. It goes on while the server is away."""
    command = [sys.executable, "-m", "visdom_transport", "demo", "--server", server, "--rate", str(RATE)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _chromium(directory: Path) -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*_FLAGS, f"--user-data-dir={directory / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def _windows(server: str, env: str) -> int:
    """How many windows the server has there; none while it does not answer."""
    question = json.dumps({"win": None, "eid": env}).encode()
    with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(f"{server}/win_data", question) as answer:
        return len(json.load(answer))
    return 0


def _is_outage(state: dict[str, float | str | None]) -> bool:
    heard_at = state["lastHeardAt"]
    assert isinstance(heard_at, (int, float))
    return state["phase"] == "waiting" and time.time() - heard_at / 1000 > OUTAGE_S


def _screenshot(driver: webdriver.Chrome) -> Image.Image:
    return Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")


def _corner(picture: Image.Image) -> Image.Image:
    """The badge with its details, and what is around them."""
    width, height = (round(length * SCALE) for length in (CORNER_WIDTH, CORNER_HEIGHT))
    return picture.crop((picture.width - width, picture.height - height, picture.width, picture.height))


def _packed(picture: Image.Image) -> bytes:
    """A PNG with few colours: a dashboard has no more."""
    buffer = io.BytesIO()
    picture.quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {TIMEOUT_S:g} s: {what}")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
